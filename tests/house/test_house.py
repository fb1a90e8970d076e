"""The house is as it is drawn: arrows, names, owners, and nothing left lying about."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("connector", "providers", "vault")
ROOMS = (
    "authorizations",
    "clients",
    "people",
    "connections",
    "tokens",
    "records",
    "consent",
    "policy",
    "work",
    "ledger",
    "inbox",
)

# Who may open sockets, and why. Everything else goes through egress.
NETWORK = {
    "requests": {"connector/egress": "the one door out", "connector/demo": "plays browsers and apps"},
    "urllib3": {"connector/egress": "the one door out"},
    "http.client": {
        "connector/egress": "the one door out",
        "connector/demo": "plays browsers and apps",
        "providers/rehearsal/server": "a provider of its own, which sends signals",
        "vault/sources/transit_http.py": "asks the operator's own key service",
    },
    "botocore": {},  # loaded by name, where the key is at AWS
    "google": {},  # the same, at Google
    "urllib.request": {},
    "smtplib": {"connector/egress": "mail has its own protocol"},
    "ssl": {
        "connector/egress": "the one door out",
        "vault/sources/transit_http.py": "asks the operator's own key service",
    },
    "socket": {
        "connector/egress": "the one door out",
        "providers/rehearsal/server": "a server, which breaks its callers' connections on demand",
        "connector/cli": "looks for a free port, and says so when one is taken",
        "connector/demo": "looks for free ports",
    },
    "redis": {
        "connector/work": "wakes workers",
        "connector/egress": "shares limits toward providers",
        "connector/http": "shares limits toward callers",
        "connector/cli": "doctor asks whether it answers",
        "connector/app.py": "builds the client once",
    },
}
# What a decision must not look at: it is handed everything. Reading policy files and timing the proof are no decisions.
POLICY_OUTSIDE = {"check.py", "document.py", "load.py"}
POLICY_NEVER = {"time", "os", "pathlib", "random", "secrets", "socket", "subprocess", "sqlite3", "threading", "logging"}


def tracked() -> list[Path]:
    """The files of the project: what git tracks, and what it would; all files where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        return [
            path
            for name in (*PACKAGES, "tests", "config", "docs")
            for path in (ROOT / name).rglob("*")
            if path.is_file()
        ]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(source: str) -> set[str]:
    """Every module that a source imports, at any depth in it, with all its parents."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)}


def strangers(path: str, source: str) -> set[str]:
    """The network modules that `path` imports and may not."""
    return {
        module
        for module in imported(source) & NETWORK.keys()
        if not any(path == place or path.startswith(f"{place}/") for place in NETWORK[module])
    }


@pytest.mark.slow
def test_the_import_contracts_hold():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", command, "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def small_house(tmp_path):
    """A house of empty rooms under the same contracts."""
    inside = ("cli", "demo", "http", "worker", "flows", *ROOMS, "egress", "storage", "settings", "model")
    for name in (*PACKAGES, *(f"connector/{room}" for room in inside)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
    for module in ("connector/app.py", "connector/flows/revoke.py", "providers/secret.py", "vault/address.py"):
        (tmp_path / module).touch()
    return tmp_path


@pytest.mark.slow
def test_a_house_without_such_an_arrow_keeps_them_all(small_house):
    (small_house / "connector/flows/__init__.py").write_text("import connector.people, vault, providers.secret")
    assert lint(small_house).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("connector/people/__init__.py", "import connector.tokens"),
        ("connector/people/__init__.py", "import connector.flows"),
        ("connector/flows/__init__.py", "import connector.http"),
        ("connector/http/__init__.py", "import connector.app"),
        ("connector/storage/__init__.py", "import connector.egress"),
        ("connector/model/__init__.py", "import connector.storage"),
        ("connector/policy/__init__.py", "import sqlite3"),
        ("connector/ledger/__init__.py", "import requests"),
        ("providers/__init__.py", "import vault"),
        ("vault/__init__.py", "import connector.model"),
        ("connector/attic.py", ""),
    ],
)
def test_an_arrow_drawn_the_wrong_way_breaks_a_contract(small_house, module, line):
    (small_house / module).write_text(line)
    done = lint(small_house)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout or "attic" in done.stdout


def test_only_egress_speaks_to_the_network():
    found = {
        str(path.relative_to(ROOT)): strangers(str(path.relative_to(ROOT)), path.read_text()) for path in sources()
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import requests",
        "from urllib import request",
        "import urllib.request",
        "from http.client import HTTPSConnection",
        "def f():\n    import socket",
    ],
)
def test_a_way_around_egress_is_seen(line):
    assert strangers("connector/flows/push_update.py", line)
    assert not strangers("connector/egress/client.py", line) or "urllib.request" in imported(line)


def test_decisions_read_no_clock_and_do_no_io():
    for path in (ROOT / "connector" / "policy").glob("*.py"):
        if path.name in POLICY_OUTSIDE:
            continue
        source = path.read_text()
        assert not imported(source) & POLICY_NEVER, path.name
        assert not re.search(r"\bopen\(|\.now\(\)|\.today\(\)", source), path.name


@pytest.mark.parametrize("word", ["utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"])
def test_no_room_is_called(word):
    named = [
        path for path in tracked() if word in {part.lower() for part in path.relative_to(ROOT).with_suffix("").parts}
    ]
    assert named == []


@pytest.mark.parametrize(
    "package",
    sorted({path.parent for path in sources() if "migrations" not in path.parts}, key=str),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_package_says_what_it_owns(package):
    words = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    assert words, f"{package}/__init__.py has no docstring"
    if package.parent in {ROOT, ROOT / "connector"}:
        assert re.search(r"\b([Oo]wns?|only place)\b", words), f"{package}/__init__.py does not say what it owns"


def leftovers() -> dict[str, re.Pattern[str]]:
    """What must not stand in a tracked file. Written in two halves, so that this file is clean itself."""
    hosts = "|".join(
        re.escape(one + two)
        for one, two in [("py", "pi.org"), ("python", "hosted"), ("registry.npm", "js"), ("deb.deb", "ian.")]
    )
    return {
        "the address of a package index": re.compile(hosts),
        "a path of one machine": re.compile(r"(?<![\w.>)}*$])/(?:wo" + r"rk|fa" + r"rm|ro" + r"ot|ho" + r"me/\w+)/"),
        "unfinished business": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b"),
    }


@pytest.mark.parametrize("what", leftovers())
def test_no_tracked_file_holds(what):
    pattern = leftovers()[what]
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in pattern.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("the address of a package index", "--index-url https://py" + "pi.org/simple"),
        ("a path of one machine", "open('/ro" + "ot/key')"),
        ("unfinished business", "raise NotImplemented" + "Error"),
    ],
)
def test_a_leftover_is_seen(what, line):
    assert leftovers()[what].search(line)


def test_the_readme_names_the_two_commands():
    words = (ROOT / "README.md").read_text()
    assert "make demo" in words
    assert "make test" in words


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here; install the package make")
def test_make_help_lists_the_targets():
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},  # this run may itself be under make, whose flags are passed on
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"demo", "test", "lint", "bench", "lock", "clean"} <= set(re.findall(r"make (\w+)", listed.stdout))
