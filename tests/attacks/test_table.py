"""The table in README.md is whole and true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
ROWS = {
    found[1]: re.findall(r"`([^`]+)`", found[2])
    for found in re.finditer(
        r"^\| ([ABC]\d+) \|[^|]*\| (.*) \|$", (Path(__file__).parent / "README.md").read_text(), re.MULTILINE
    )
}
IDS = [f"{letter}{number}" for letter, last in (("A", 9), ("B", 21), ("C", 23)) for number in range(1, last + 1)]


TWIN = re.compile(r"_twin_|::test_without_")


def exists(named: str) -> bool:
    """Whether a test of this name stands in the file."""
    file, _, name = named.partition("::")
    path = TESTS / file
    return path.is_file() and any(
        isinstance(node, ast.FunctionDef) and node.name == name for node in ast.parse(path.read_text()).body
    )


def test_every_attack_is_in_the_table_once() -> None:
    assert list(ROWS) == IDS


@pytest.mark.parametrize("row", IDS)
def test_every_test_that_a_row_names_exists(row: str) -> None:
    assert ROWS[row]
    assert [named for named in ROWS[row] if not exists(named)] == []


def test_twin_a_test_that_was_renamed_is_missed() -> None:
    assert not exists("attacks/test_table.py::test_of_no_such_name")
    assert not exists("attacks/test_no_such_file.py::test_x")


def test_every_twin_in_this_folder_is_in_the_table() -> None:
    named = {test for tests in ROWS.values() for test in tests}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file.name == "test_table.py":
            continue
        for name in re.findall(r"^def (test_[abc]\d+\w*twin\w*)\(", file.read_text(), re.MULTILINE):
            assert f"attacks/{file.name}::{name}" in named


@pytest.mark.parametrize("row", IDS)
def test_every_row_has_a_test_at_the_application_and_a_twin(row: str) -> None:
    assert [named for named in ROWS[row] if named.startswith("attacks/")]
    assert [named for named in ROWS[row] if TWIN.search(named)]
