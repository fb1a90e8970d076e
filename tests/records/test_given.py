"""RFC 7396, as far as a card goes."""

from __future__ import annotations

import pytest

from connector.model.errors import BadInput
from connector.records.given import MAX_ENTRIES, merged

HOME = {"address": "ada@example.org", "contexts": {"private": True}}


def test_a_new_entry_is_a_change():
    edit = merged({}, {"emails": {"home": HOME}, "name": {"full": "Ada"}})
    assert edit.changed == {"/emails/home": HOME, "/name": {"full": "Ada"}}
    assert edit.removed == ()


def test_a_part_is_merged_into_what_is_there():
    edit = merged({"/emails/home": HOME}, {"emails": {"home": {"address": "new@example.org", "contexts": None}}})
    assert edit.changed == {"/emails/home": {"address": "new@example.org"}}


def test_null_removes_an_entry_and_null_for_the_whole_removes_all():
    given = {"/emails/home": HOME, "/emails/work": HOME, "/name": {"full": "Ada"}}
    assert merged(given, {"emails": {"home": None}}).removed == ("/emails/home",)
    assert set(merged(given, {"emails": None, "name": None}).removed) == set(given)


def test_what_does_not_differ_is_no_change():
    assert merged({"/emails/home": HOME}, {"emails": {"home": HOME}}).pointers == ()
    assert merged({}, {"emails": {"nobody": None}, "phones": None}).pointers == ()


def test_the_frame_of_a_card_may_be_sent_along():
    assert merged({}, {"@type": "Card", "version": "1.0", "language": "sv"}).pointers == ("/language",)


@pytest.mark.parametrize(
    "patch",
    [
        {"@type": "Group"},
        {"uid": "x"},
        {"emails": []},
        {"emails": {"home": "ada@example.org"}},
        {"emails": {"home": {"label": "only a label"}}},
        {"emails": {"bad key": HOME}},
        {"name": {"full": ""}},
        {"emails": {f"e{n}": HOME for n in range(MAX_ENTRIES + 1)}},
    ],
)
def test_one_wrong_part_refuses_the_whole_patch(patch):
    with pytest.raises(BadInput):
        merged({}, {"language": "sv", **patch})
