"""Closed words have a meaning on a page: scopes, purposes, states, errors. A new word without one fails here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from connector.clients import SCOPES
from connector.model import errors
from connector.model.states import ConnectionState
from connector.model.tags import Purpose
from providers.capabilities import FIELD_GROUPS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SIGNUP = sorted((ROOT / "connector" / "flows" / "signup_link").glob("*.py"))


def rows(page: str, heading: str) -> dict[str, str]:
    """The table under a heading: the word in its first column → the rest."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))


def test_every_scope_has_a_meaning_and_no_other():
    assert set(rows("http.md", "Scopes")) == set(SCOPES)


def test_every_purpose_has_a_meaning_and_no_other():
    assert set(rows("http.md", "Purposes")) == {purpose.value for purpose in Purpose}


def test_every_field_group_has_a_meaning_and_no_other():
    assert set(rows("flows/push.md", "Field groups")) == set(FIELD_GROUPS)


def test_every_connection_state_has_a_meaning_and_no_other():
    assert set(rows("states.md", "What each state means")) == {state.value for state in ConnectionState}


def test_every_class_of_error_is_listed_with_its_status():
    listed = rows("http.md", "Errors")
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.ConnectorError)]
    assert {one.__name__: str(one.status) for one in classes if one is not errors.ConnectorError} == {
        name: rest.split(" | ")[0] for name, rest in listed.items()
    }


def refusals(paths: list[Path]) -> set[str]:
    """The codes that a sign-up may be refused with, from the calls that refuse."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"GrantRefused", "ShownOnly"} and node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
            found |= {
                str(keyword.value.value)
                for keyword in node.keywords
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and name in {"invalid", "refuse"}
            }
    return found


def test_every_refusal_of_a_sign_up_is_explained():
    page = (DOCS / "flows" / "sign-up-and-linking.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`([a-z_]+)`", page))
    assert refusals(SIGNUP) - explained == set()


@pytest.mark.parametrize("page", sorted((DOCS / "flows").glob("*.md")), ids=lambda path: path.stem)
def test_every_code_that_a_page_explains_can_happen(page):
    text = page.read_text(encoding="utf-8")
    codes = set(re.findall(r"^\| `([a-z_]+)` \|", text.split("\n## What an error means\n")[1], re.MULTILINE))
    assert codes
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("connector", "providers")
        for path in (ROOT / package).rglob("*.py")
    )
    assert {code for code in codes if f'"{code}"' not in sources} == set()
