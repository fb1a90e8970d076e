"""Rules may quote the operator's own policy text, and then the quotes are checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connector.model.tags import Use
from connector.policy import PolicyUnreadable, load_policy
from tests.policy.shipped import DIRECTORY, NOW, standing, tags

TEXT = """Our own policy.

We  sell
   nothing to anybody.
"""


@pytest.fixture
def quoting(tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(DIRECTORY, tmp_path / "policy"))
    path = copy / "2019-03-11" / "policy.toml"
    said = 'id = "sale"\nquote = "We sell nothing to anybody."'
    path.write_text(path.read_text(encoding="utf-8").replace('id = "sale"', said, 1), encoding="utf-8")
    return copy


def test_a_quote_that_stands_in_the_text_loads_and_is_cited(quoting, tmp_path):
    text = tmp_path / "policy.txt"
    text.write_text(TEXT, encoding="utf-8")
    policy = load_policy(quoting, text)
    refused = policy.decide(Use.of("share", "affiliate", "sell"), tags("profile", "given"), standing(), NOW)
    assert 'The policy says: "We sell nothing to anybody."' in refused.explanation


def test_a_quote_that_is_not_in_the_text_is_refused_with_rule_and_quote(quoting, tmp_path):
    text = tmp_path / "policy.txt"
    text.write_text(TEXT.replace("nothing", "little"), encoding="utf-8")
    with pytest.raises(PolicyUnreadable, match=r'rule "sale", key "quote": "We sell nothing to anybody\."'):
        load_policy(quoting, text)


def test_a_quote_without_a_text_is_refused(quoting):
    with pytest.raises(PolicyUnreadable, match=r'rule "sale".*set \[policy\] text'):
        load_policy(quoting)


def test_each_version_has_a_text_of_its_own_in_a_folder(quoting, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    with pytest.raises(PolicyUnreadable, match=r"2019-03-11\.txt: cannot be read"):
        load_policy(quoting, folder)
    (folder / "2019-03-11.txt").write_text(TEXT, encoding="utf-8")
    assert load_policy(quoting, folder).versions[0].book.rules[1].quote == "We sell nothing to anybody."


def test_the_shipped_rules_quote_nothing_and_need_no_text():
    assert not any(rule.quote for rule in load_policy(DIRECTORY).versions[0].book.rules)
