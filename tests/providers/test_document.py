"""docs/providers says what the entries say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers import catalogue
from providers.document import DOCS, main, pages, span
from tests.contracts.shapes import SHAPES, shaped


def test_the_pages_are_those_that_would_be_written_now() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}

    assert written == pages(), "run: python -m providers.document"


def test_every_provider_is_in_the_index_and_has_its_section() -> None:
    made = pages()

    for name in catalogue.names():
        entry = catalogue.entry(name)
        assert f"| `{name}` |" in made["README.md"]
        assert f"## {entry.title}\n" in made[f"{entry.sector}.md"]


def test_a_stale_page_is_rewritten_and_one_that_nothing_stands_behind_goes(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("old")
    (tmp_path / "gone.md").write_text("old")

    assert main([str(tmp_path)]) == 0

    assert {path.name for path in tmp_path.glob("*.md")} == set(pages())
    assert (tmp_path / "README.md").read_text() == pages()["README.md"]


def test_what_differs_from_the_standard_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = shaped(tmp_path, SHAPES["a nested token"])
    monkeypatch.setattr(catalogue, "names", lambda: ("shape",))
    monkeypatch.setattr(catalogue, "entry", lambda _: entry)

    page = pages()["other.md"]

    assert "Errors come with status 200." in page
    assert "The access token is at `authed_user.access_token` in the answer." in page
    assert "Scopes are sent as `user_scope`." in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (3600, "1 hour"),
        (5_183_944, "about 60 days"),
        (600, "10 minutes"),
        (30, "30 seconds"),
        (1, "1 second"),
    ],
)
def test_a_duration_is_told_in_its_largest_unit(seconds: int | None, words: str) -> None:
    assert span(seconds) == words
