"""A page is stored whole or not at all; a retry repeats nothing; what a person deleted stays deleted."""

from __future__ import annotations

import pytest

from connector import work
from connector.flows import import_records
from connector.flows.own_records import delete_contact
from connector.flows.revoke import revoke
from connector.model.states import Ended
from providers.exchange import NetworkFailure, Response
from providers.rehearsal.server import Config
from tests.agreed import (
    agree,
    contact_cards,
    imported,
    names,
    newest_import,
    profile_values,
    queue_import,
    run_imports,
    set_person,
)
from tests.connected import linked

DAY_S = 86_400


@pytest.fixture
def town(tmp_path, store, clock):
    """The address book comes in pages of five."""
    made = linked(tmp_path, store, clock, config=Config(page_size=5, sync_s=3 * DAY_S, access_token_s=10 * DAY_S))
    agree(made, "import", "profile", "contacts")
    return made


def failing(number, answer):
    """Fail the nth page of contacts."""
    seen = []

    def before(request):
        if "/contacts" in request.url:
            seen.append(request)
            if len(seen) == number:
                return answer
        return None

    return before


def values_of(town):
    return {(view.card.id, one.stored.pointer): one.value for view in contact_cards(town) for one in view.shown}


@pytest.mark.parametrize(
    "answer",
    [
        Response(503, {}, b"{}"),
        Response(429, {"retry-after": "30"}, b"{}"),
        Response(200, {}, b"\x00not json{{"),
        Response(200, {}, b'{"people": 7}'),
        NetworkFailure("maybe", "deadline"),
        NetworkFailure("no", "connect_failed"),
    ],
    ids=["down", "busy", "garbage", "wrong_types", "lost", "unreachable"],
)
def test_a_page_that_fails_replaces_nothing_and_the_retry_goes_on_behind_the_last_good_one(town, clock, answer):
    town.gateway.egress.before = failing(3, answer)
    first = imported(town)
    assert first["state"] == "queued"
    assert first["counts"]["pages"] == 3  # the profile and two pages of contacts
    assert len(contact_cards(town)) == 10
    asked = len(town.gateway.egress.asked("/contacts"))
    clock.advance(3600)
    run_imports(town)
    assert newest_import(town)["state"] == "done"
    assert len(contact_cards(town)) == 24
    assert len(town.gateway.egress.asked("/contacts")) == asked + 3
    assert len(town.gateway.egress.asked("/me")) == 1


def test_an_import_that_fails_for_good_leaves_what_was_there(town, clock):
    imported(town)
    before = values_of(town)
    town.provider.books["ada"].put({"id": "ada-c001", "first": "Changed", "mail": []})
    town.gateway.egress.before = lambda request: Response(500, {}, b"{}") if "/contacts" in request.url else None
    queue_import(town)
    for _ in range(12):
        run_imports(town)
        clock.advance(3600)
    assert newest_import(town)["state"] == "failed"
    assert values_of(town) == before


def test_garbage_of_the_right_shape_replaces_nothing(town):
    imported(town)
    before = profile_values(town)
    answer = Response(200, {}, b'{"id": "ada", "display_name": [3], "mail": "x", "born": 7, "work": {"a": 1}}')
    town.gateway.egress.before = lambda request: answer if request.url.endswith("/me") else None
    imported(town)
    after = profile_values(town)
    assert {pointer: after.get(pointer) for pointer in ("/name", "/emails/m1", "/anniversaries/birth")} == {
        pointer: before[pointer] for pointer in ("/name", "/emails/m1", "/anniversaries/birth")
    }


def test_the_same_import_again_repeats_nothing(town):
    imported(town)
    first = values_of(town)
    again = imported(town)
    assert values_of(town) == first
    assert again["counts"]["taken"] == 0


def test_only_what_changed_is_asked_for_and_written(town):
    imported(town)
    book = town.provider.books["ada"]
    book.put({**book.entries["ada-c003"][1], "first": "Renamed"})
    book.delete("ada-c004")
    again = imported(town)
    assert "Renamed" in names(town)
    assert len(contact_cards(town)) == 23
    assert again["counts"]["taken"] == 1
    assert again["counts"]["removed"] == 1
    assert len(town.gateway.egress.asked("/contacts")) == 5 + 1


def test_where_the_provider_forgot_what_changed_everything_is_read_again(town, clock):
    imported(town)
    book = town.provider.books["ada"]
    book.delete("ada-c004")
    clock.advance(days=4)  # the sync cursor is over, and the deletion with it
    again = imported(town)
    assert again["state"] == "done"
    assert len(contact_cards(town)) == 23
    assert again["counts"]["removed"] == 1


def test_half_a_full_list_removes_nobody(town, clock):
    imported(town)
    clock.advance(days=4)
    town.gateway.egress.before = failing(3, Response(503, {}, b"{}"))  # sync_expired, one page, then this
    assert imported(town)["state"] == "queued"
    assert len(contact_cards(town)) == 24


def test_a_value_that_the_provider_no_longer_has_goes(town):
    imported(town)
    assert "/notes/about" in profile_values(town)
    set_person(town, about="")
    imported(town)
    assert "/notes/about" not in profile_values(town)


def test_what_a_person_deleted_is_never_resurrected(town, clock):
    imported(town)
    card = contact_cards(town)[0].card
    delete_contact(town.gateway, town.house.web, town.connection().sub, card.id)
    clock.advance(days=4)  # and everything is listed again
    for entry in ("ada-c000", "ada-c001", "ada-c002"):
        book = town.provider.books["ada"]
        book.put({**book.entries[entry][1], "company": "New"})
    imported(town)
    assert len(contact_cards(town)) == 23
    assert card.id not in {view.card.id for view in contact_cards(town)}


def test_a_token_that_is_not_taken_is_renewed_once_and_the_page_read(town):
    town.gateway.egress.before = failing(1, Response(401, {}, b"{}"))
    assert imported(town)["state"] == "done"
    assert town.refreshes() == 1


def test_a_token_that_is_never_taken_ends_the_import_without_a_storm(town):
    town.gateway.egress.before = lambda request: Response(401, {}, b"{}") if "/me" in request.url else None
    done = imported(town)
    assert (done["state"], done["error"]) == ("failed", "rejected")
    assert town.refreshes() == 1


def test_a_revoked_connection_imports_nothing(town):
    queue_import(town)
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    run_imports(town)
    assert newest_import(town)["state"] == "void"
    assert town.gateway.egress.asked("/me") == []


def test_a_connection_revoked_while_a_page_is_under_way_stores_nothing_of_it(town):
    def before(request):
        if "/contacts" in request.url:
            revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)

    town.gateway.egress.before = before
    imported(town)
    with town.store.read() as tx:
        row = tx.one("SELECT COUNT(*) AS n FROM cards WHERE kind = 'contact'")
    assert row["n"] == 0


def test_two_workers_do_one_import_once(town):
    queue_import(town)
    inside = []

    def before(request):
        if request.url.endswith("/me"):
            inside.append(import_records.step(town.gateway))

    town.gateway.egress.before = before
    run_imports(town)
    assert inside == [False]
    assert newest_import(town)["counts"]["pages"] == 6


def test_who_was_taken_for_dead_stores_nothing_when_it_comes_back(town, clock):
    queue_import(town)

    def before(request):
        if request.url.endswith("/me") and not inside:
            inside.append(True)
            clock.advance(120)
            with town.store.transaction() as tx:
                assert work.claim(tx, "imports", "wrk_other", 1, 60_000)

    inside: list[bool] = []
    town.gateway.egress.before = before
    assert import_records.step(town.gateway)
    with town.store.read() as tx:
        assert tx.one("SELECT 1 AS one FROM records") is None
    assert newest_import(town)["lease_owner"] == "wrk_other"


def test_twin_without_the_rule_for_unreadable_fields_garbage_empties_the_profile(town, monkeypatch):
    from connector.flows.import_records import sorting  # noqa: PLC0415  beside the patch

    imported(town)
    monkeypatch.setattr(sorting, "_keeps", lambda looked_for, unreadable: lambda stored: False)
    answer = Response(200, {}, b'{"id": "ada", "display_name": [3], "mail": "x"}')
    town.gateway.egress.before = lambda request: answer if request.url.endswith("/me") else None
    imported(town)
    assert "/name" not in profile_values(town)
