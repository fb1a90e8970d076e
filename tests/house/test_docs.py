"""What the documentation says is there: links, commands, routes, code. A page that lies fails here."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from flask import Flask

from connector.cli.root import main
from connector.http.blueprints import BLUEPRINTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_LINK = re.compile(r"(?<!`)\[[^\]\n]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_ROUTE = re.compile(r"(?:(?:GET|POST|PUT|PATCH|DELETE|HEAD)(?:\|[A-Z]+)* )?(/[\w.{}<>/-]+)(?:\?\S*)?")
_OURS = {
    "v1",
    "oauth",
    "callback",
    "signals",
    "portal",
    "deletions",
    "healthz",
    "readyz",
    "metrics",
    "openapi.json",
    "docs",
    ".well-known",
}
_OPERATORS = {"/metrics"}  # on a listener of its own
_ELSEWHERE = ("-h", "--help")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def words(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as they are made where it is shown."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(prose(text))}


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    broken = []
    for link in _LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        found = (path.parent / target).resolve() if target else path
        if not found.exists():
            broken.append(link)
        elif anchor and found.suffix == ".md":
            there = text if found == path else words(found)
            broken += [] if anchor in anchors(there) else [link]
    return broken


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_leads_somewhere(path):
    assert broken_links(path, words(path)) == []


def test_a_link_to_nowhere_is_seen():
    page = ROOT / "README.md"
    text = "[gone](gone.md) [here](#a-heading) [there](#another)\n\n# A heading\n"
    assert broken_links(page, text) == ["gone.md", "#another"]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_page_begins_with_one_heading(path):
    headings = re.findall(r"^# .+", prose(words(path)), re.MULTILINE)
    assert len(headings) == 1, headings
    assert words(path).startswith(headings[0])


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for link in _LINK.findall(prose(words(page))):
            target = unquote(link).partition("#")[0]
            if target and ":" not in target and (page.parent / target).is_file():
                waiting.append((page.parent / target).resolve())
    assert [name_of(page) for page in PAGES if page not in reached] == []


def commands(text: str) -> list[str]:
    """The `connector …` and `make …` commands that a page shows, one line each."""
    blocks = [block for language, block in _FENCE.findall(text) if language != "text"]
    shown = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    shown += re.findall(r"^ {4}(.+)", prose(text), re.MULTILINE)
    shown += _INLINE.findall(prose(text))
    found = []
    for line in shown:
        for part in re.split(r"&&|\|\||[|;]", line):
            plain = re.sub(r"^[$ ]*(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?", "", part).strip()
            if re.match(r"(?:connector|make) [a-zA-Z-]", plain):
                found.append(plain)
    return found


def wrong_with(command: str) -> str:
    """What is wrong with a shown command; "" where nothing is."""
    try:
        tokens = shlex.split(command, comments=True)
    except ValueError as error:
        return f"{command}: {error}"
    return _make(tokens) if tokens[0] == "make" else _connector(tokens)


def _make(tokens: list[str]) -> str:
    known = re.findall(r"^([a-z]+):", words(ROOT / "Makefile"), re.MULTILINE)
    target = tokens[1]
    return "" if target in known or "=" in target else f"make has no target {target}"


def _connector(tokens: list[str]) -> str:
    found: click.Command = main
    rest = tokens[1:]
    while isinstance(found, click.Group) and rest and not rest[0].startswith("-"):
        inner = found.get_command(click.Context(found), rest[0])
        if inner is None:
            return f"connector has no {' '.join(tokens[1:])}"
        found, rest = inner, rest[1:]
    known = {option for parameter in found.params for option in parameter.opts}
    asked = {token.partition("=")[0].rstrip("…") for token in rest if re.match(r"--?[a-z]", token)}
    strangers = asked - known - set(_ELSEWHERE)
    return f"{' '.join(tokens)}: no {', '.join(sorted(strangers))}" if strangers else ""


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_command_that_is_shown_exists_with_its_options(path):
    assert [problem for command in commands(words(path)) if (problem := wrong_with(command))] == []


@pytest.mark.parametrize(
    "command",
    ["make coffee", "connector teapots", "connector tenants brew", "connector tenants list --strong"],
)
def test_a_command_that_is_not_there_is_seen(command):
    assert commands(f"```sh\n{command}\n```") == [command]
    assert wrong_with(command)


@pytest.mark.parametrize("command", ["make demo ARGS=--walkthrough", "connector tenants list --json  # all of them"])
def test_a_command_that_is_there_passes(command):
    assert wrong_with(command) == ""


@cache
def routes() -> list[re.Pattern[str]]:
    """Every address that is served, as a pattern."""
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    rules = [rule.rule for rule in app.url_map.iter_rules()] + list(_OPERATORS)
    return [
        re.compile(re.sub(r"<[^>]+>", "[^/]+", re.escape(rule).replace("\\<", "<").replace("\\>", ">")))
        for rule in rules
    ]


def unknown_routes(text: str) -> list[str]:
    """Addresses under our own first segments that nobody serves."""
    unknown = []
    for code in _INLINE.findall(prose(text)):
        found = _ROUTE.fullmatch(code)
        if found is None or found[1].split("/")[1] not in _OURS:
            continue
        if not any(rule.fullmatch(found[1]) for rule in routes()):
            unknown.append(code)
    return unknown


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_route_that_is_named_is_served(path):
    assert unknown_routes(words(path)) == []


def test_a_route_that_nobody_serves_is_seen():
    assert unknown_routes("`GET /v1/teapots`, `/v1/connections/{id}` and `/emails/home`") == ["GET /v1/teapots"]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_python_that_is_shown_compiles(path):
    for language, block in _FENCE.findall(words(path)):
        if language == "python":
            compile(block, name_of(path), "exec")


@pytest.mark.parametrize("path", [*PAGES, *sorted((ROOT / "docs").rglob("*.svg"))], ids=name_of)
def test_paths_that_are_named_exist(path):
    named = re.findall(r"`((?:connector|providers|vault|tests|config|docs)/[\w./-]*\w)(?:::(\w+))?`", words(path))
    missing = [place for place, _ in named if "NAME" not in place and not (ROOT / place).exists()]
    missing += [
        f"{place}::{test}"
        for place, test in named
        if test and place.endswith(".py") and place not in missing and f"def {test}" not in words(ROOT / place)
    ]
    assert missing == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*.png")), ids=name_of)
def test_a_picture_is_small_and_shown(path):
    assert path.stat().st_size < 300_000
    assert any(path.name in words(page) for page in PAGES)
