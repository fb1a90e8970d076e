"""Reading for a purpose: decided, entered in the ledger, then opened; what is refused is named with its clause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector import consent
from connector.flows import keep_records
from connector.flows.own_records import delete_contact, delete_note, put_note
from connector.flows.read_records import read_changes, read_for_owner, read_profile
from connector.flows.revoke import revoke
from connector.model.errors import BadInput, Forbidden, Gone, NotFound
from connector.model.states import Ended
from connector.model.tags import Action, Purpose
from tests.agreed import agree, contact_cards, imported, narrow_client, profile_values, typed
from tests.connected import linked

PHONE = {"phones": {"home": {"number": "+46700000001"}}}


@pytest.fixture
def town(tmp_path, store, clock):
    made = linked(tmp_path, store, clock)
    agree(made, "import", "profile", "contacts")
    imported(made)
    return made


def view_of(town, purpose=Purpose.SERVICE, client=None):
    return read_profile(town.gateway, client or town.house.web, town.connection().sub, purpose)


def with_purposes(town, *purposes):
    return replace(town.house.web, purposes=purposes)


def test_what_is_read_is_in_the_ledger_first_with_counts_and_clause(town):
    before = len(town.entries("release"))
    view = view_of(town)
    entries = town.entries("release")[before:]
    assert sum(entry["count"] for entry in entries) == len(view.shown)
    assert {entry["clause"] for entry in entries} == {"2a"}
    assert {tuple(entry["categories"]) for entry in entries} == {("profile",), ("contact",)}


def test_no_entry_no_value(town, monkeypatch):
    def fails(_tx, _entries):
        raise OSError("the disk is full")

    monkeypatch.setattr("connector.flows.release_values.append_all", fails)
    opened = []
    monkeypatch.setattr("connector.flows.release_values.open_value", lambda *found: opened.append(found))
    with pytest.raises(OSError, match="disk"):
        view_of(town)
    assert opened == []


def test_clause_2a_contacts_serve_their_owner_alone(town):
    from connector.flows.read_records import read_contacts  # noqa: PLC0415  with another purpose

    client = with_purposes(town, "personalise")
    views = read_contacts(town.gateway, client, town.connection().sub, Purpose.PERSONALISE, after="", limit=100)
    assert not [one for view in views for one in view.shown]
    assert {one.clause for view in views for one in view.withheld} == {"2a"}
    assert view_of(town, Purpose.PERSONALISE, client).shown


@pytest.mark.parametrize("purpose", ["sell", "transfer"])
def test_clause_3_nothing_is_read_for_what_no_clause_describes(town, purpose):
    view = view_of(town, Purpose(purpose), with_purposes(town, purpose))
    assert view.shown == ()
    assert {one.clause[0] for one in view.withheld} == {"3"}


def test_a_purpose_that_was_not_granted_is_refused(town):
    with pytest.raises(Forbidden):
        view_of(town, Purpose.IMPROVE)


def test_clause_6_after_revocation_only_the_owner_sees_what_was_imported(town):
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    view = view_of(town)
    assert view.shown == ()
    assert {one.clause for one in view.withheld} == {"6"}
    tenant, sub = town.house.tenant.id, town.connection().sub
    taken = read_for_owner(town.gateway, tenant, sub, Action.EXPORT)
    assert sum(len(each.shown) for each in taken) > 24


def test_clause_2a_after_a_withdrawn_import_what_it_brought_is_closed(town):
    with town.store.transaction() as tx:
        for given in consent.of_connection(tx, town.gateway.vault, town.connection_id):
            consent.withdraw(tx, town.gateway.vault, given, by="subject", method="page")
    assert view_of(town).shown == ()
    assert {one.clause for one in view_of(town).withheld} == {"2a"}


def test_clause_6_an_older_copy_lies_dormant_until_it_expires_or_is_dropped(town, clock):
    typed(town, PHONE)
    typed(town, {"phones": {"home": {"number": "+46700000002"}}})
    assert profile_values(town)["/phones/home"] == {"number": "+46700000002"}
    assert not [one for one in view_of(town).withheld if one.stored.pointer == "/phones/home"]

    def copies():
        views = read_for_owner(town.gateway, town.house.tenant.id, town.connection().sub, Action.SHOW)
        return [one.value["number"] for view in views for one in view.shown if one.stored.pointer == "/phones/home"]

    assert sorted(copies()) == ["+46700000001", "+46700000002"]
    clock.advance(days=366)
    while keep_records.step(town.gateway):
        pass
    assert copies() == ["+46700000002"]


def test_a_value_moved_to_another_card_does_not_open(town):
    moved = _first_row(town, "category = 'contact'")
    with town.store.transaction() as tx:
        other = tx.one("SELECT id FROM cards WHERE kind = 'contact' LIMIT 1")["id"]
        tx.run("UPDATE records SET card_id = :card WHERE id = :id", card=other, id=moved["id"])
    withheld = [one for view in contact_cards(town) for one in view.withheld]
    assert [(one.stored.id, one.clause) for one in withheld] == [(moved["id"], "")]


def test_a_value_whose_tags_were_changed_does_not_open(town):
    row = _first_row(town, "category = 'people' AND pointer = '/name'")
    tags = row["tags"].replace("people", "profile").replace("imported", "given")
    with town.store.transaction() as tx:
        tx.run("UPDATE records SET tags = :tags WHERE id = :id", tags=tags, id=row["id"])
    assert row["id"] not in {one.stored.id for view in contact_cards(town) for one in view.shown}
    assert row["id"] in {one.stored.id for view in contact_cards(town) for one in view.withheld}


def test_twin_tags_that_are_not_bound_would_open_as_anything(town, monkeypatch):
    from connector.records import values  # noqa: PLC0415  beside the patch

    monkeypatch.setattr(values, "bound", lambda tags, origin: b"")
    typed(town, PHONE)
    with town.store.transaction() as tx:
        tx.run("UPDATE records SET tags = replace(tags, 'contact', 'profile') WHERE pointer = '/phones/home'")
    assert profile_values(town)["/phones/home"]


def test_what_was_typed_goes_before_what_was_imported(town):
    typed(town, {"emails": {"m1": {"address": "typed@example.org"}}})
    card = view_of(town).composed
    assert card["emails"]["m1"] == {"address": "typed@example.org"}
    assert len([one for one in view_of(town).shown if one.stored.pointer == "/emails/m1"]) == 2


def test_a_note_is_for_its_writer_alone(town):
    view = contact_cards(town)[0]
    sub = town.connection().sub
    put_note(town.gateway, town.house.web, sub, view.card.id, "met at the fair")
    put_note(town.gateway, town.house.web, sub, view.card.id, "met at the harbour")
    assert "harbour" not in str(contact_cards(town))
    feed = read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=None, limit=200)
    assert "/notes/private" not in {one.change.pointer for one in feed.changes}
    found = [
        one.value
        for each in read_for_owner(town.gateway, town.house.tenant.id, sub, Action.EXPORT)
        for one in each.shown
        if one.stored.pointer == "/notes/private"
    ]
    assert found == [{"note": "met at the harbour"}]
    delete_note(town.gateway, town.house.web, sub, view.card.id)
    with pytest.raises(NotFound):
        delete_note(town.gateway, town.house.web, sub, view.card.id)


@pytest.mark.parametrize("text", ["", "x" * 9000, "a\0b"])
def test_a_note_has_its_bounds(town, text):
    with pytest.raises(BadInput):
        put_note(town.gateway, town.house.web, town.connection().sub, contact_cards(town)[0].card.id, text)


def test_a_deleted_contact_is_gone_with_its_note_and_the_feed_says_so(town):
    view = contact_cards(town)[0]
    sub = town.connection().sub
    put_note(town.gateway, town.house.web, sub, view.card.id, "secret")
    delete_contact(town.gateway, town.house.web, sub, view.card.id)
    with pytest.raises(NotFound):
        delete_contact(town.gateway, town.house.web, sub, view.card.id)
    feed = read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=None, limit=200)
    removed = [one.change for one in feed.changes if one.change.kind == "card_removed"]
    assert [one.card_id for one in removed] == [view.card.id]
    with town.store.read() as tx:
        assert tx.one("SELECT 1 AS one FROM records WHERE card_id = :id", id=view.card.id) is None


def test_the_feed_carries_values_by_the_same_decision(town):
    feed = read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=None, limit=200)
    shown = {one.change.pointer: one.shown.value for one in feed.changes if one.shown}
    assert shown["/emails/m1"]
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    again = read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=None, limit=200)
    assert not [one for one in again.changes if one.shown]
    assert {one.withheld.clause for one in again.changes if one.withheld} == {"6"}
    assert "closed" in {
        one.change.kind
        for one in read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=feed.position, limit=200).changes
    }


def test_a_change_is_seen_at_once_by_who_made_it(town):
    position = read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=None, limit=200).position
    typed(town, PHONE)
    feed = read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=position, limit=200)
    assert [one.change.pointer for one in feed.changes] == ["/phones/home"]


def test_an_old_cursor_has_expired(town, clock):
    read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=None, limit=200)
    clock.advance(days=31)
    typed(town, PHONE)
    while keep_records.step(town.gateway):
        pass
    with pytest.raises(Gone) as gone:
        read_changes(town.gateway, town.house.web, Purpose.SERVICE, after=1, limit=10)
    assert gone.value.code == "cursor_expired"


def test_another_tenant_sees_nothing(town):
    with pytest.raises(NotFound):
        view_of(town, client=town.house.other)
    assert read_changes(town.gateway, town.house.other, Purpose.SERVICE, after=None, limit=200).changes == ()


def test_what_came_through_another_integration_does_not_exist_for_a_narrow_client(town):
    from tests.signing_up import let_write  # noqa: PLC0415  a second integration

    other = let_write(town.house)
    client, _ = narrow_client(town, other.id)
    typed(town, PHONE)
    view = view_of(town, client=client)
    assert [one.stored.pointer for one in view.shown] == ["/phones/home"]
    assert view.withheld == ()
    feed = read_changes(town.gateway, client, Purpose.SERVICE, after=None, limit=200)
    assert [one.change.pointer for one in feed.changes] == ["/phones/home"]


def _first_row(town, where):
    with town.store.read() as tx:
        return dict(tx.one(f"SELECT * FROM records WHERE {where} ORDER BY id LIMIT 1"))
