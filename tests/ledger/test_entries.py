from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from connector.ledger import KINDS, Entry, Kind, append, append_all, get, show, word_or
from connector.ledger.merkle import hash_leaf
from connector.model.ids import new_id

TENANT = new_id("ten")
CONNECTION = new_id("con")


def handout(**facts):
    return Entry(Kind.TOKEN_HANDOUT, TENANT, "pseudonym1", {"connection": CONNECTION, "purpose": "sync", **facts})


def test_an_entry_is_written_as_canonical_json_with_its_time_and_hash(store, clock):
    with store.transaction() as tx:
        entry_id = append(tx, handout(clause="2a", generation=3))
    with store.read() as tx:
        kept = get(tx, entry_id)
        row = tx.one("SELECT leaf_hash FROM ledger_entries WHERE id = :id", id=entry_id)
    stated = json.loads(kept.text)
    assert kept.text.encode() == rfc8785.dumps(stated)
    assert stated == {
        "v": 1,
        "kind": "token_handout",
        "tenant": TENANT,
        "pseudonym": "pseudonym1",
        "at": clock.now(),
        "facts": {"connection": CONNECTION, "purpose": "sync", "clause": "2a", "generation": 3},
    }
    assert bytes(row["leaf_hash"]) == hash_leaf(kept.text.encode())
    assert kept.tree_index is None


@given(
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**53) + 1, 2**53 - 1),
            st.text(st.characters(min_codepoint=32, max_codepoint=126)),
            st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=4),
        ),
        max_size=6,
    ),
    st.integers(0, 2**52),
)
def test_the_fast_encoder_writes_what_rfc_8785_writes(facts, at):
    entry = object.__new__(Entry)
    for name, value in (("kind", "x"), ("tenant_id", "t"), ("pseudonym", None), ("facts", facts)):
        object.__setattr__(entry, name, value)
    text = entry.canonical(at)
    assert text.encode() == rfc8785.dumps(json.loads(text))


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("gossip", {}, "no kind"),
        (Kind.TOKEN_HANDOUT, {"email": "ann@example.org"}, "no fact 'email'"),
        (Kind.TOKEN_HANDOUT, {"purpose": "ann@example.org"}, "'purpose'"),
        (Kind.TOKEN_HANDOUT, {"purpose": "Ann Example"}, "'purpose'"),
        (Kind.TOKEN_HANDOUT, {"connection": new_id("usr")}, "'connection'"),
        (Kind.TOKEN_HANDOUT, {"generation": 2**53}, "'generation'"),
        (Kind.TOKEN_HANDOUT, {"generation": True}, "'generation'"),
        (Kind.TOKEN_HANDOUT, {"generation": 1.0}, "'generation'"),
        (Kind.TOKEN_HANDOUT, {"stale": 1}, "'stale'"),
        (Kind.RELEASE, {"categories": "contact"}, "'categories'"),
        (Kind.RELEASE, {"categories": ["contact", "+44 20 7946 0000"]}, "'categories'"),
        (Kind.RELEASE, {"commitment": "ann"}, "'commitment'"),
        (Kind.RELEASE, {"pointers": ["/emails/ann@example.org"]}, "'pointers'"),
    ],
)
def test_a_fact_that_is_not_on_the_list_or_not_of_its_shape_is_refused_unnamed(kind, facts, said):
    with pytest.raises(ValueError, match=said) as refusal:
        Entry(kind, TENANT, None, facts)
    for value in facts.values():
        if isinstance(value, str):
            assert value not in str(refusal.value)


@pytest.mark.parametrize("pseudonym", ["", "ann@example.org", "Ann Example", "x" * 65])
def test_a_pseudonym_is_a_random_word(pseudonym):
    with pytest.raises(ValueError, match="pseudonym"):
        Entry(Kind.USER_CREATED, TENANT, pseudonym)


def test_a_tenant_is_an_id():
    with pytest.raises(ValueError, match="tenant"):
        Entry(Kind.USER_CREATED, "Acme Ltd", None)


def test_a_code_from_outside_is_a_word_or_other():
    assert [word_or(text) for text in ("access_denied", "Ann <ann@example.org>", "", None)] == [
        "access_denied",
        "other",
        "other",
        "other",
    ]


def test_every_kind_has_a_list_of_facts():
    assert set(KINDS) == set(Kind)


def test_an_entry_vanishes_with_its_effect(store):
    def fail_after_the_entry():
        with store.transaction() as tx:
            append(tx, handout())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_the_entry()
    with store.read() as tx:
        assert show(tx) == []


def test_many_entries_get_their_ids_in_order_even_when_they_are_alike(store):
    entries = [handout(generation=n % 7) for n in range(150)]
    with store.transaction() as tx:
        ids = append_all(tx, entries)
    assert len(set(ids)) == 150
    with store.read() as tx:
        assert [get(tx, entry_id).facts["generation"] for entry_id in ids] == [n % 7 for n in range(150)]


def test_entries_are_shown_by_person_and_tenant_from_the_newest_down(store):
    other = new_id("ten")
    with store.transaction() as tx:
        mine = append_all(tx, [handout(generation=n) for n in range(5)])
        theirs = append(tx, Entry(Kind.USER_CREATED, other, "pseudonym2"))
    with store.read() as tx:
        assert [e.id for e in show(tx, limit=2)] == [theirs, mine[4]]
        assert [e.id for e in show(tx, "pseudonym1", limit=2)] == [mine[4], mine[3]]
        assert [e.id for e in show(tx, "pseudonym1", 10, mine[3])] == [mine[2], mine[1], mine[0]]
        assert [e.id for e in show(tx, tenant_id=other)] == [theirs]
        assert show(tx, "pseudonym1", tenant_id=other) == []
        assert get(tx, 10_000) is None
