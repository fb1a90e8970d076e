"""`make provider NAME=…` says what is wrong with one entry, with file and line, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.__main__ import main
from tests.contracts.shapes import text_of


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "shape.toml"
    path.write_text(text_of({}))
    return path


def test_a_good_entry_is_told_with_what_it_can_do(draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(draft)]) == 0
    assert "Shape (oauth2): authorise, refresh, revoke, import profile; 2 sources" in capsys.readouterr().out


def test_a_shipped_entry_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["github"]) == 0
    assert "providers.github:GitHub" in capsys.readouterr().out


def test_a_wrong_line_is_named(draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft.write_text(text_of({"https://login.shape.example/token": "http://login.shape.example/token"}))
    line = draft.read_text().split("\n").index('token_endpoint = "http://login.shape.example/token"') + 1

    assert main([str(draft)]) == 1
    assert f"{draft}:{line}: token_endpoint: must be an https address" in capsys.readouterr().out


def test_a_clause_that_does_not_hold_is_told_with_the_reason(draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nested = '[token]\nanswer = "form"\nfields = { access_token = "user.token" }'  # a form has nothing nested
    draft.write_text(text_of({"[token]": nested}))

    assert main([str(draft)]) == 1
    told = capsys.readouterr().out
    assert "Does not hold: A code becomes a grant with what was granted. Because: " in told
    assert "clauses of the contract hold" not in told


@pytest.mark.parametrize(("names", "code"), [([], 2), ([""], 2), (["no-such-provider"], 1)])
def test_a_name_that_leads_nowhere_is_told(names: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(names) == code
    assert capsys.readouterr().out.strip().endswith(".")
