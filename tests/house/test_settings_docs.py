"""`docs/settings.md` says what there is to set, and nothing that is not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from connector.settings.load import build
from connector.settings.names import KNOWN

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^\| `([a-z_.]+)`(?: \(secret\))? \|.*\| (.*) \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", KNOWN)
def test_every_setting_is_documented_in_its_own_words(name):
    assert LISTED.get(name) == KNOWN[name].field.description


def test_no_setting_is_documented_that_is_not_there():
    assert set(LISTED) <= set(KNOWN)


def test_secrets_are_marked():
    marked = set(re.findall(r"^\| `([a-z_.]+)` \(secret\)", PAGE, re.MULTILINE))
    assert marked == {known.name for known in KNOWN.values() if known.secret}


def test_the_production_file_on_the_page_is_one():
    example = PAGE.split("```toml\n")[1].split("```")[0]
    assert build(tomllib.loads(example)).server.mode == "production"
