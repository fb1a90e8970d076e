"""Only what the person typed and switched on leaves, decided at the moment of sending, once in effect."""

from __future__ import annotations

import json

import pytest

from connector import consent, records, work
from connector.flows import push_update
from connector.flows.own_records import put_note
from connector.flows.preview_push import preview, preview_group
from connector.flows.revoke import revoke
from connector.flows.withdraw_consent import withdraw_consent
from connector.model.errors import BadInput, NotFound
from connector.model.states import Ended
from connector.model.tags import Age
from connector.people import set_age
from providers.errors import ProviderError
from providers.exchange import NetworkFailure, Response
from tests.agreed import (
    agree,
    contact_cards,
    deliveries,
    grant_scopes,
    imported,
    push_all,
    set_person,
    typed,
    user_of,
    writes,
)
from tests.connected import linked

PHONE = {"phones": {"p1": {"number": "+46709999999", "features": {"mobile": True}}}}


def sent_bodies(town):
    return [json.loads(request.body) for request in town.gateway.egress.requests if request.method == "PATCH"]


def at_provider(town, field, person="ada"):
    return town.provider.profiles[person].fields[field]


def test_clause_3a_a_change_of_what_was_switched_on_arrives_exactly_once(town):
    edited = typed(town, PHONE)
    assert [one.field_group for one in edited.deliveries] == ["phones"]
    assert push_all(town) == 1
    assert [one["effect"] for one in writes(town)] == [True]
    assert sent_bodies(town) == [{"phones": [{"id": "p1", "number": "+46709999999", "label": "mobile"}]}]
    (row,) = deliveries(town)
    assert row["state"] == "done"
    assert row["outcome"]["written"] == ["/phones/p1"]


def test_clause_3a_what_was_not_switched_on_stays(town):
    assert typed(town, {"emails": {"m1": {"address": "new@example.org"}}}).deliveries == ()
    assert push_all(town) == 0
    assert writes(town) == []


def test_clause_3a_switched_off_while_it_waits_nothing_leaves(town):
    typed(town, PHONE)
    with town.store.read() as tx:
        (given,) = [
            one
            for one in consent.of_connection(tx, town.gateway.vault, town.connection_id)
            if one.field_group == "phones"
        ]
    withdraw_consent(town.gateway, town.house.web, town.connection().sub, given.id)
    assert push_all(town) == 0
    (row,) = deliveries(town)
    assert (row["state"], row["outcome"]["clause"]) == ("void", "3a")
    assert writes(town) == []


def test_clause_3a_switched_off_behind_our_back_is_seen_when_it_is_sent(town):
    typed(town, PHONE)
    with town.store.transaction() as tx:
        for given in consent.of_connection(tx, town.gateway.vault, town.connection_id):
            consent.withdraw(tx, town.gateway.vault, given, by="subject", method="page")
    push_all(town)
    (row,) = deliveries(town)
    assert (row["state"], row["outcome"]["clause"]) == ("refused", "3a")
    assert writes(town) == []


def test_twin_decided_when_it_is_queued_it_would_leave_after_the_withdrawal(town, monkeypatch):
    from connector.flows.push_update import choosing  # noqa: PLC0415  beside the patch

    with town.store.read() as tx:
        from connector.flows.standings import ground_of  # noqa: PLC0415  the same

        ground = ground_of(town.gateway, tx, town.house.tenant.id, town.connection().sub)
    typed(town, PHONE)
    with town.store.transaction() as tx:
        for given in consent.of_connection(tx, town.gateway.vault, town.connection_id):
            consent.withdraw(tx, town.gateway.vault, given, by="subject", method="page")
    before = choosing.may_push
    monkeypatch.setattr(choosing, "may_push", lambda gateway, _now, *rest: before(gateway, ground, *rest))
    push_all(town)
    assert len(writes(town)) == 1


def test_clause_3a_what_came_from_an_account_never_goes_to_one(town):
    agree(town, "import", "profile")
    imported(town)
    with town.store.transaction() as tx:  # somebody asks for it all the same
        connection = town.connection()
        records.queue_delivery(tx, connection.tenant_id, connection.sub, connection.id, "phones", ["/phones/p1"])
    push_all(town)
    assert writes(town) == []
    assert at_provider(town, "phones")[0]["number"] == "+46701234567"


def test_what_was_removed_again_before_it_was_sent_clears_nothing_there(town):
    typed(town, PHONE)
    typed(town, {"phones": {"p1": None}})
    push_all(town)
    assert writes(town) == []
    assert deliveries(town)[0]["outcome"]["result"] == "unchanged"
    assert at_provider(town, "phones")[0]["number"] == "+46701234567"


def test_what_was_typed_and_removed_again_is_cleared_there(town):
    typed(town, PHONE)
    push_all(town)
    typed(town, {"phones": {"p1": None}})
    push_all(town)
    assert at_provider(town, "phones") == []


def test_newer_changes_join_what_waits(town):
    typed(town, PHONE)
    typed(town, {"phones": {"p1": {"number": "+46708888888"}, "p2": {"number": "+46707777777"}}})
    assert push_all(town) == 1
    assert {one["number"] for one in at_provider(town, "phones")} == {"+46708888888", "+46707777777"}
    assert deliveries(town)[0]["outcome"]["written"] == ["/phones/p1", "/phones/p2"]


def test_each_group_is_a_delivery_of_its_own_and_they_do_not_meet(town):
    typed(town, {**PHONE, "name": {"full": "Ada L."}})
    assert push_all(town) == 2
    assert {row["field_group"]: row["state"] for row in deliveries(town)} == {"name": "done", "phones": "done"}


def test_a_conflict_is_reported_and_nothing_is_written_over(town):
    typed(town, PHONE)

    def meanwhile(request):
        if request.method == "PATCH":
            set_person(town, phones=[{"id": "p1", "number": "+1", "label": "mobile"}])

    town.gateway.egress.before = meanwhile
    push_all(town)
    (row,) = deliveries(town)
    assert (row["state"], row["outcome"]["result"]) == ("conflict", "conflict")
    assert at_provider(town, "phones")[0]["number"] == "+1"
    assert push_all(town) == 0


@pytest.mark.parametrize("effect", [True, False], ids=["it arrived", "it did not arrive"])
def test_no_answer_after_sending_is_found_out_and_has_one_effect(town, clock, effect):
    typed(town, PHONE)
    calls = []

    def lost(request):
        if request.method == "PATCH" and not calls:
            calls.append(request)
            if effect:
                town.gateway.egress.before = lambda _request: None
                town.gateway.egress._outcome(request)
                town.gateway.egress.before = lost
            return NetworkFailure("maybe", "deadline")
        return None

    town.gateway.egress.before = lost
    push_all(town)
    assert deliveries(town)[0]["state"] == "queued"
    assert deliveries(town)[0]["sent_at"] is not None
    clock.advance(3600)
    push_all(town)
    assert deliveries(town)[0]["state"] == "done"
    assert [one["effect"] for one in writes(town)] == [True]


def test_a_worker_that_dies_between_sending_and_outcome_has_one_effect(town, clock):
    typed(town, PHONE)

    class Died(BaseException):
        pass

    def dies(request):
        if request.method == "PATCH":
            town.gateway.egress.before = lambda _request: None
            town.gateway.egress._outcome(request)
            raise Died

    town.gateway.egress.before = dies
    with pytest.raises(Died):
        push_update.step(town.gateway)
    (row,) = deliveries(town)
    assert row["state"] == "claimed"
    assert row["sent_at"] is not None
    assert push_all(town) == 0  # its lease still runs
    clock.advance(120)
    assert push_all(town) == 1
    assert [one["effect"] for one in writes(town)] == [True]
    assert deliveries(town)[0]["outcome"]["result"] == "unchanged"
    assert len(town.entries("push_intent")) == 2


def test_where_a_repeat_could_not_find_out_the_outcome_is_unknown_and_shown_so(town, clock, monkeypatch):
    from providers.rehearsal import Rehearsal  # noqa: PLC0415  beside the patch

    typed(town, PHONE)
    town.gateway.egress.before = lambda request: (
        NetworkFailure("maybe", "deadline") if request.method == "PATCH" else None
    )
    push_all(town)
    monkeypatch.delattr(Rehearsal, "reads_before_writing")
    clock.advance(3600)
    asked = len(town.gateway.egress.requests)
    push_all(town)
    (row,) = deliveries(town)
    assert (row["state"], row["outcome"]["result"]) == ("failed", "unknown")
    assert len([one for one in town.gateway.egress.requests[asked:] if one.method == "PATCH"]) == 0


def test_two_workers_send_one_delivery_once(town):
    typed(town, {**PHONE, "name": {"full": "Ada L."}})
    inside = []

    def before(request):
        if request.method == "PATCH" and not inside:
            inside.append(push_update.step(town.gateway))

    town.gateway.egress.before = before
    push_all(town)
    assert inside == [False]  # nor the other group's: one at a time for one profile
    assert [one["effect"] for one in writes(town)] == [True, True]


def test_who_was_taken_for_dead_before_sending_sends_nothing(town, clock):
    typed(town, PHONE)
    seen = []

    def grant_was_slow(*arguments):
        from connector.flows.provider_grant import grant_for  # noqa: PLC0415  the real one

        seen.append(arguments)
        clock.advance(120)
        with town.store.transaction() as tx:
            assert work.claim(tx, "deliveries", "wrk_other", 1, 60_000)
        return grant_for(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connector.flows.push_update.sending.grant_for", grant_was_slow)
        push_update.step(town.gateway)
    assert seen
    assert writes(town) == []
    assert town.entries("push_intent") == []


def test_a_revoked_connection_gets_nothing(town):
    typed(town, PHONE)
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    push_all(town)
    assert deliveries(town)[0]["state"] == "void"
    assert writes(town) == []


def test_revoked_while_the_grant_was_read_nothing_leaves(town, monkeypatch):
    from connector.flows.provider_grant import grant_for  # noqa: PLC0415  the real one

    typed(town, PHONE)

    def then_revoked(*arguments):
        found = grant_for(*arguments)
        revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
        return found

    monkeypatch.setattr("connector.flows.push_update.sending.grant_for", then_revoked)
    push_update.step(town.gateway)
    assert writes(town) == []
    assert deliveries(town)[0]["state"] == "void"


def test_revoked_after_the_bytes_had_left_the_truth_is_added(town):
    typed(town, PHONE)

    def before(request):
        if request.method == "PATCH":
            revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)

    town.gateway.egress.before = before
    push_all(town)
    (row,) = deliveries(town)
    assert (row["state"], row["outcome"]["result"]) == ("void", "written")
    assert [one["outcome"] for one in town.entries("push_outcome")] == ["written"]


def test_clause_1_nothing_of_a_child_leaves(town):
    typed(town, PHONE)
    with town.store.transaction() as tx:
        set_age(tx, town.gateway.vault, user_of(town), Age.CHILD)
    push_all(town)
    assert deliveries(town)[0]["outcome"]["clause"] == "1"
    assert writes(town) == []


def test_what_the_grant_does_not_reach_is_said_in_words(town):
    grant_scopes(town, "openid", "profile", "phone")
    typed(town, PHONE)
    push_all(town)
    (row,) = deliveries(town)
    assert (row["state"], row["outcome"]["result"]) == ("refused", "unsupported")
    assert "grant" in row["outcome"]["reason"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Response(503, {}, b"{}"), "queued"),
        (Response(429, {"retry-after": "60"}, b"{}"), "queued"),
        (Response(422, {}, b"{}"), "failed"),
        (Response(403, {}, b"{}"), "refused"),
    ],
    ids=["down", "busy", "not taken", "no scope"],
)
def test_each_refusal_of_the_provider_is_of_its_kind(town, answer, state):
    typed(town, PHONE)
    town.gateway.egress.before = lambda request: answer if request.method == "PATCH" else None
    push_all(town)
    assert deliveries(town)[0]["state"] == state


def test_a_token_that_is_not_taken_is_renewed_once_and_the_write_made(town):
    typed(town, PHONE)
    calls = []

    def once(request):
        if request.url.endswith("/me") and not calls:
            calls.append(request)
            return Response(401, {}, b"{}")
        return None

    town.gateway.egress.before = once
    push_all(town)
    assert deliveries(town)[0]["state"] == "done"
    assert town.refreshes() == 1


def test_every_intent_has_an_outcome_and_every_request_a_line(town, clock):
    typed(town, {**PHONE, "name": {"full": "Ada L."}})
    push_all(town)
    intents, outcomes = town.entries("push_intent"), town.entries("push_outcome")
    assert len(intents) == len(outcomes) == 2
    assert {one["clause"] for one in intents} == {"3a"}
    about = [one for one in town.gateway.egress.requests if one.about_person]
    assert len(town.entries("provider_request")) == len(about)


def test_the_intent_is_committed_before_a_byte_leaves(town):
    typed(town, PHONE)
    seen = []

    def before(request):
        seen.append((request.method, len(town.entries("push_intent")), deliveries(town)[0]["sent_at"] is not None))

    town.gateway.egress.before = before
    push_all(town)
    assert seen == [("GET", 1, True), ("PATCH", 1, True)]


def test_clause_2a_a_private_note_appears_in_no_request(town):
    agree(town, "import", "profile", "contacts")
    agree(town, "push", "about")
    imported(town)
    view = contact_cards(town)[0]
    put_note(town.gateway, town.house.web, town.connection().sub, view.card.id, "CANARY-NOTE")
    typed(town, {**PHONE, "notes": {"about": {"note": "Public words."}}})
    push_all(town)
    imported(town)
    for request in town.gateway.egress.requests:
        assert "CANARY" not in request.url
        assert b"CANARY" not in (request.body or b"")
    assert "CANARY" not in str(contact_cards(town))
    with town.store.read() as tx:
        assert not [row for row in tx.all("SELECT entry FROM ledger_entries") if "CANARY" in row["entry"]]


def test_a_preview_shows_the_exact_request_and_sends_nothing(town):
    patch = {**PHONE, "emails": {"m1": {"address": "new@example.org"}}}
    (shown,) = preview(town.gateway, town.house.web, town.connection().sub, patch)
    assert town.gateway.egress.requests == []
    assert [one["method"] for one in shown.requests] == ["GET", "PATCH"]
    assert [(one.field_group, one.clause) for one in shown.not_sent] == [("emails", "3a")]
    typed(town, PHONE)
    push_all(town)
    assert sent_bodies(town) == [shown.requests[1]["body"]]
    assert deliveries(town)[0]["state"] == "done"


def test_a_preview_before_switching_on_shows_what_it_would_send(town):
    sub, tenant = town.connection().sub, town.house.tenant.id
    assert preview_group(town.gateway, tenant, sub, town.connection_id, "emails") is None
    typed(town, {"emails": {"m9": {"address": "new@example.org"}}})
    shown = preview_group(town.gateway, tenant, sub, town.connection_id, "emails")
    assert shown.requests[1]["body"] == {"mail": [{"id": "m9", "address": "new@example.org", "label": ""}]}
    assert town.gateway.egress.requests == []


def test_a_wrong_patch_changes_nothing(town):
    with pytest.raises(BadInput):
        typed(town, {**PHONE, "emails": {"m1": {"address": "nobody"}}})
    assert deliveries(town) == []
    with town.store.read() as tx:
        assert tx.one("SELECT 1 AS one FROM records") is None


def test_nobody_types_for_a_person_of_another_tenant(town):
    from connector.flows.edit_profile import edit_profile  # noqa: PLC0415  with another client

    with pytest.raises(NotFound):
        edit_profile(town.gateway, town.house.other, town.connection().sub, PHONE)


def test_a_change_and_its_deliveries_are_one_transaction(town, monkeypatch):
    def fails(*_arguments):
        raise ProviderError("garbage", "x", "The database went away.")

    monkeypatch.setattr(records, "queue_delivery", fails)
    with pytest.raises(ProviderError):
        typed(town, PHONE)
    with town.store.read() as tx:
        assert tx.one("SELECT 1 AS one FROM records") is None
        assert tx.one("SELECT 1 AS one FROM changes") is None


def test_a_person_without_a_live_connection_may_still_type(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    assert typed(town, PHONE).edit.pointers == ("/phones/p1",)
