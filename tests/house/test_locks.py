"""The lock files say exactly what is installed, where from does not matter, and they are in step with the project."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "runtime": PROJECT["dependencies"],
    "build": EXTRAS["build"],
    "test": [*PROJECT["dependencies"], *EXTRAS["build"], *EXTRAS["test"]],
}


def entries(lock: str) -> dict[str, list[tuple[str, str]]]:
    """The pins of a lock file: name → versions (one per marker) with the text of the entry."""
    text = (ROOT / "config" / "locks" / f"{lock}.lock").read_text()
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", text):
        pin = re.match(r"([a-z0-9._-]+)(?:\[[a-z0-9,_-]+\])?==(\S+)", entry)
        assert pin, f"not a pin: {entry[:80]}"
        found.setdefault(canonicalize_name(pin[1]), []).append((pin[2], entry))
    return found


@pytest.mark.parametrize("lock", WANTED)
def test_every_dependency_is_locked_within_what_the_project_asks_for(lock):
    pins = entries(lock)
    for requirement in map(Requirement, WANTED[lock]):
        locked = pins.get(canonicalize_name(requirement.name), [])
        assert locked, f"{requirement.name} is not in {lock}.lock; run: make lock"
        for version, _ in locked:
            assert requirement.specifier.contains(version, prereleases=True), (
                f"{requirement} is not {version}; run: make lock"
            )


@pytest.mark.parametrize("lock", WANTED)
def test_nothing_is_locked_that_the_project_no_longer_asks_for(lock):
    for name, pins in entries(lock).items():
        for _, entry in pins:
            assert "# via" in entry, f"{name} in {lock}.lock is asked for by nobody; run: make lock"


@pytest.mark.parametrize("lock", WANTED)
def test_every_pin_has_its_hashes_and_no_address(lock):
    for name, pins in entries(lock).items():
        for _, entry in pins:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
            assert "://" not in entry, name
            assert "--index" not in entry, name


@pytest.mark.parametrize("lock", ["runtime", "build"])
def test_what_runs_is_what_was_tested(lock):
    tested = entries("test")
    for name, pins in entries(lock).items():
        assert {version for version, _ in pins} <= {version for version, _ in tested[name]}, name


def test_the_node_lock_file_is_in_step():
    wanted = json.loads((ROOT / "tests/node/package.json").read_text())["dependencies"]
    lock = json.loads((ROOT / "tests/node/package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == wanted
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not any("resolved" in entry for entry in lock.values())
