"""Tables and drawings that are made from the code. `python -m tests.house.test_docs_generated` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from connector.http.blueprints import BLUEPRINTS
from connector.http.openapi import routes
from connector.http.operations import WHO, Operation, operation_of
from connector.model.states import MOVES, ConnectionState

DOCS = Path(__file__).resolve().parents[2] / "docs"


def states() -> str:
    """The connection's states and moves as a diagram."""
    moves = [f"    {old} --> {new}" for old, after in MOVES.items() for new in ConnectionState if new in after]
    ends = [f"    {state} --> [*]" for state, after in MOVES.items() if not after]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> active", *moves, *ends, "```"])


def table() -> str:
    """Every route of the public address, under its heading."""
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    lines: dict[str, list[str]] = {}
    for path, method, view in routes(app):
        described = operation_of(view)
        if described is not None:
            lines.setdefault(described.tag, []).append(_line(path, method, described))
    head = "| route | what it does | who may ask |\n|---|---|---|\n"
    return "\n\n".join(f"### {tag}\n\n{head}" + "\n".join(lines[tag]) for tag in sorted(lines))


def _line(path: str, method: str, described: Operation) -> str:
    asks = f"`{described.scope}`" if described.scope else WHO[described.security]
    return f"| `{method} {path}` | {described.summary}{' ↻' if described.idempotent else ''} | {asks} |"


MADE = {("states.md", "moves"): states, ("http.md", "routes"): table}


def with_block(text: str, name: str, made: str) -> str:
    """The page with one made block put in its place."""
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    assert pattern.search(text), f"the page has no place for {name}"
    return pattern.sub(lambda found: f"{found[1]}\n{made}\n\n{found[2]}", text)


@pytest.mark.parametrize(("page", "name"), MADE)
def test_what_is_made_from_the_code_is_up_to_date(page, name):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text == with_block(text, name, MADE[page, name]()), "run: python -m tests.house.test_docs_generated"


def test_a_stale_block_is_seen():
    page = "<!-- made: moves -->\nold\n<!-- end -->"
    assert with_block(page, "moves", states()) != page


if __name__ == "__main__":
    for (file, block), make in MADE.items():
        place = DOCS / file
        place.write_text(with_block(place.read_text(encoding="utf-8"), block, make()), encoding="utf-8")
