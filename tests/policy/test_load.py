from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connector.model.errors import Misconfigured
from connector.policy import PolicyUnreadable, PolicyUnsound, load_policy, load_sound_policy
from tests.policy.shipped import DIRECTORY


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DIRECTORY, tmp_path / "policy"))


def edit(copy: Path, old: str, new: str, name: str = "policy.toml") -> str:
    path = copy / "2019-03-11" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PolicyUnreadable) as refused:
        load_policy(copy)
    assert isinstance(refused.value, Misconfigured)
    assert str(path) in refused.value.hint
    return refused.value.hint


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        (
            'recipient = ["provider", "affiliate", "agent"]',
            'recipient = ["providr"]',
            ('rule "note-stays"', "recipient", "providr"),
        ),
        ('age = ["child"]', 'ages = ["child"]', ('rule "child"', "ages", "unknown key")),
        ('age = ["child"]', "age = []", ('rule "child"', "age", "list of words")),
        ('age = ["child"]', 'age = "child"', ('rule "child"', "age", "list of words")),
        ('age = ["child"]', 'age = ["child", "child"]', ('rule "child"', "age", "twice")),
        ('effect = "deny"', 'effect = "forbid"', ('rule "child"', "effect", "forbid")),
        ('clause = "3"\neffect', 'clause = "9"\neffect', ('rule "sale"', "clause", "9")),
        ('id = "sale"', 'id = "child"', ("child", "twice")),
        ('id = "sale"\n', "", ("rule 2", "id")),
        ('obligations = ["log", "purge"]', 'obligations = ["shred"]', ('rule "child"', "obligations", "shred")),
        ('meaning = "Personal information is neither sold nor rented."', 'meaning = ""', ('rule "sale"', "meaning")),
        ("effective = 2019-03-11T00:00:00Z", "effective = 2019-03-11", ("effective", "zone")),
        (
            "effective = 2019-03-11T00:00:00Z",
            "effective = 2019-03-11T00:00:00Z\nposted = 2020-01-01T00:00:00Z",
            ("posted",),
        ),
        ('version = "2019-03-11"', 'version = "2019-03-12"', ("version", "folder")),
        ("[clauses]", "[clauses", ("not TOML",)),
        ('except = [{ action = ["use"]', 'except = [{ akt = ["use"]', ('rule "child"', "except", "akt")),
        ('except = [{ action = ["use"]', 'except = [{ action = ["usw"]', ('rule "child"', "except", "usw")),
    ],
)
def test_a_slip_in_a_rule_is_refused_with_its_place(copy, old, new, places):
    hint = edit(copy, old, new)
    assert all(place in hint for place in places), hint


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ('"push provider sync"', '"push providr sync"', ("flows", "providr")),
        ('"push provider sync"', '"push  provider sync"', ("flows", "one blank")),
        ('when = "denied"', 'when = "later"', ('owed "child-is-purged"', "when")),
        ('id = "no-child"', 'id = "no-child"\nobligations = ["log"]', ('never "no-child"', "obligations")),
        ("[[never]]", "[[nevr]]", ("nevr", "unknown key")),
    ],
)
def test_a_slip_in_a_promise_is_refused_with_its_place(copy, old, new, places):
    hint = edit(copy, old, new, name="invariants.toml")
    assert all(place in hint for place in places), hint


def test_a_version_without_its_promises_is_refused(copy):
    (copy / "2019-03-11" / "invariants.toml").unlink()
    with pytest.raises(PolicyUnreadable, match=r"invariants\.toml"):
        load_policy(copy)


def test_a_file_that_is_not_text_is_refused(copy):
    (copy / "2019-03-11" / "policy.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyUnreadable, match="UTF-8"):
        load_policy(copy)


def test_a_directory_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PolicyUnreadable, match="no such directory"):
        load_policy(tmp_path / "nowhere")


def test_an_edited_version_has_another_hash(copy):
    before = load_policy(copy).versions[0].sha256
    path = copy / "2019-03-11" / "policy.toml"
    path.write_text(path.read_text() + "\n")
    assert load_policy(copy).versions[0].sha256 != before


def test_a_sound_policy_starts():
    assert load_sound_policy(DIRECTORY).versions[0].name == "2019-03-11"


def test_a_policy_that_breaks_a_promise_does_not_start_and_says_where(copy):
    path = copy / "2019-03-11" / "policy.toml"
    path.write_text(path.read_text().replace('notice = ["none", "waiting", "objected"]', 'notice = ["none"]', 1))
    text = path.read_text().replace('notice = ["clear"]\n', "", 1)
    path.write_text(text)
    with pytest.raises(PolicyUnsound, match=r"clause 3, sharing-is-described: .*notice=waiting") as refused:
        load_sound_policy(copy)
    assert "transfer-waits" in {violation.promise for violation in refused.value.violations}
