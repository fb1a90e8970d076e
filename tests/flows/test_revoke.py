"""Revoked means revoked."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest

from connector import connections, consent, people, tokens
from connector.clients import published_keys, remove_integration
from connector.flows import evidence, refresh, revoke, signals
from connector.flows.fresh_token import Wanted, fresh_token
from connector.ledger import GroupCommit, NoLongerTrue, public_keys_from_jwks, verify, verify_file
from connector.model.errors import BadInput, Gone, NotFound
from connector.model.states import ConnectionState, Ended
from connector.model.tags import Choice, Purpose
from providers.capabilities import SignalRequest
from providers.exchange import NetworkFailure, Response
from providers.rehearsal.server.signals import signed
from providers.secret import Secret
from tests.clock import ManualClock
from tests.signing_up import Town
from vault import KeyDestroyed, Owner

WEEK_S = 7 * 86_400


def connected(town: Town, person: str = "ada") -> str:
    return str(town.sign_up(person)["connection"])


def row(town: Town, connection_id: str) -> dict:
    return next(each for each in town.rows("connections") if each["id"] == connection_id)


def asked(town: Town, connection_id: str, *, by: Ended = Ended.PERSON, erase_now: bool = False) -> revoke.Revoked:
    return revoke.revoke(town.gateway, town.house.tenant.id, connection_id, by=by, erase_now=erase_now)


def handout(town: Town, connection_id: str):
    return fresh_token(town.gateway, town.house.worker, Wanted(connection_id, Purpose.SERVICE))


def key_lives(town: Town, kind: str, connection_id: str) -> bool:
    with town.gateway.store.read() as tx:
        try:
            town.gateway.vault.key(tx, Owner(town.house.tenant.id, kind, connection_id))
        except KeyDestroyed:
            return False
    return True


def outcome(town: Town, connection_id: str) -> str | None:
    with town.gateway.store.read() as tx:
        found = connections.revocation_of(tx, connection_id)
        return found and found.outcome


def file_of(town: Town, receipt_id: str) -> tuple[dict, bytes]:
    built = evidence.receipt_file(town.gateway, town.house.tenant.id, receipt_id)
    return json.loads(built), built


def trusted(town: Town) -> dict[str, bytes]:
    with town.gateway.store.read() as tx:
        keys = [
            *published_keys(tx, town.gateway.vault, "receipt"),
            *published_keys(tx, town.gateway.vault, "ledger"),
        ]
    return public_keys_from_jwks({"keys": keys})


# Handouts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [Ended.PERSON, Ended.APP, Ended.OPERATOR, Ended.DELETION])
def test_whoever_revokes_no_token_leaves_any_more(town: Town, by: Ended) -> None:
    connection_id = connected(town)
    assert handout(town, connection_id).access_token
    asked(town, connection_id, by=by)
    with pytest.raises(Gone) as refusal:
        handout(town, connection_id)
    assert refusal.value.code == "revoked"
    assert row(town, connection_id)["ended_by"] == by.value
    assert row(town, connection_id)["state"] == "revoked"


def test_a_handout_that_races_a_revocation_and_loses_gives_nothing(town: Town) -> None:
    connection_id = connected(town)
    race(town, connection_id)
    with pytest.raises(Gone):
        handout(town, connection_id)
    assert town.entries("token_handout") == []


def test_twin_without_the_guard_the_token_leaves_after_the_revocation(town: Town) -> None:
    connection_id = connected(town)
    unguarded = GroupCommit(town.gateway.store)
    object.__setattr__(town.gateway, "handouts", unguarded)
    race(town, connection_id)
    assert handout(town, connection_id).access_token
    assert row(town, connection_id)["state"] == "revoked"


def race(town: Town, connection_id: str) -> None:
    """Revoke between the read of a handout and the commit of its entry."""
    real = town.gateway.handouts

    class Late:
        def record(self, entry, condition):
            object.__setattr__(town.gateway, "handouts", real)
            asked(town, connection_id)
            return real.record(entry, condition)

    object.__setattr__(town.gateway, "handouts", Late())


def test_an_ending_that_is_not_committed_yet_stops_handouts_already(town: Town) -> None:
    if town.gateway.store.dialect == "sqlite":
        return  # one writer at a time: a handout there waits until the ending is over
    connection_id = connected(town)
    with town.gateway.store.transaction() as tx:
        found = connections.find_for_update(tx, town.gateway.vault, connection_id)
        assert found is not None
        revoke.revoke_in(town.gateway, tx, found, by=Ended.PERSON)
        with pytest.raises(NoLongerTrue):
            handout(town, connection_id)
    with pytest.raises(Gone):
        handout(town, connection_id)


def test_two_who_end_a_connection_at_once_do_not_wait_for_each_other(town: Town) -> None:
    if town.gateway.store.dialect == "sqlite":
        return  # one writer at a time
    connection_id = connected(town)
    vault, outcomes = town.gateway.vault, []
    with town.gateway.store.read() as tx:
        seen = connections.find(tx, vault, town.house.tenant.id, connection_id)
    assert seen is not None

    def refused_at_a_refresh() -> None:
        try:
            with town.gateway.store.transaction() as tx:
                connections.move(tx, vault, seen, ConnectionState.NEEDS_REAUTH)
        except connections.LostClaim as lost:
            outcomes.append(lost)

    other = threading.Thread(target=refused_at_a_refresh)
    with town.gateway.store.transaction() as tx:
        held = connections.find_for_update(tx, vault, connection_id)
        assert held is not None
        other.start()
        other.join(0.3)
        revoke.revoke_in(town.gateway, tx, held, by=Ended.PERSON)
    other.join(30)
    assert len(outcomes) == 1
    assert row(town, connection_id)["state"] == "revoked"


def test_the_ledger_never_shows_a_handout_behind_the_revocation(town: Town) -> None:
    connection_id = connected(town)
    stop, seen = threading.Event(), []

    def worker() -> None:
        while not stop.is_set():
            try:
                seen.append(handout(town, connection_id))
            except (Gone, NoLongerTrue):
                return

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(seen) < 40:
        time.sleep(0.002)
    asked(town, connection_id)
    for thread in threads:
        thread.join(30)
    stop.set()
    with town.gateway.store.read() as tx:
        rows = tx.all("SELECT kind FROM ledger_entries WHERE kind IN ('token_handout', 'revoked') ORDER BY id")
    kinds = [each["kind"] for each in rows]
    assert kinds[-1] == "revoked"
    assert len(kinds) > 40


# What ends with it -----------------------------------------------------------------------------------


def test_queued_work_is_void_and_every_consent_withdrawn_in_the_same_transaction(town: Town) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    assert {each["state"] for each in town.rows("imports")} == {"void"}
    with town.gateway.store.read() as tx:
        given = consent.of_connection(tx, town.gateway.vault, connection_id)
    assert given
    assert {each.choice for each in given} == {Choice.WITHDRAWN}
    assert row(town, connection_id)["refresh_at"] is None
    assert row(town, connection_id)["import_at"] is None


def test_revoking_twice_is_one_revocation(town: Town) -> None:
    connection_id = connected(town)
    first, second = asked(town, connection_id), asked(town, connection_id, by=Ended.APP)
    assert first.revocation.id == second.revocation.id
    assert first.receipt_id == second.receipt_id
    assert len(town.entries("revoked")) == 1


def test_a_foreign_or_unknown_connection_is_not_found(town: Town) -> None:
    connection_id = connected(town)
    for tenant, which in ((town.house.other_tenant.id, connection_id), (town.house.tenant.id, "con_nothing")):
        with pytest.raises(NotFound):
            revoke.revoke(town.gateway, tenant, which, by=Ended.APP)
    assert row(town, connection_id)["state"] == "active"


# The provider ----------------------------------------------------------------------------------------


def test_the_provider_is_told_and_the_token_key_goes_after_that(town: Town) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    assert key_lives(town, "connection_tokens", connection_id)
    assert revoke.tell_providers(town.gateway) == 1
    assert town.egress.asked("/revoke")
    assert outcome(town, connection_id) == "confirmed"
    assert not key_lives(town, "connection_tokens", connection_id)
    assert town.how_many("connection_tokens") == {"connection_tokens": 0}
    assert revoke.tell_providers(town.gateway) == 0


def test_a_provider_that_is_down_is_told_again_until_it_hears(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    town.egress.before = lambda request: NetworkFailure("no", "refused") if request.url.endswith("/revoke") else None
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) is None
    assert key_lives(town, "connection_tokens", connection_id)
    town.egress.before = lambda _request: None
    clock.advance(hours=1)
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) == "confirmed"


def test_after_the_deadline_the_key_goes_and_the_receipt_says_so(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    town.egress.before = lambda request: Response(503, {}, b"") if request.url.endswith("/revoke") else None
    for _ in range(40):
        revoke.tell_providers(town.gateway)
        clock.advance(hours=1)
    assert outcome(town, connection_id) == "gave_up"
    assert not key_lives(town, "connection_tokens", connection_id)


def test_a_token_that_the_provider_does_not_know_any_more_counts_as_revoked(town: Town) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    town.egress.before = lambda request: (
        Response(400, {"content-type": "application/json"}, b'{"error":"invalid_grant"}')
        if request.url.endswith("/revoke")
        else None
    )
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) == "confirmed"


def test_a_grant_that_a_live_connection_shares_is_spared(town: Town) -> None:
    first = connected(town)
    asked(town, first)
    second = connected(town)  # the person came back before the provider was told
    assert second != first
    revoke.tell_providers(town.gateway)
    assert outcome(town, first) == "shared"
    assert not town.egress.asked("/revoke")
    assert handout(town, second).access_token


def test_a_removed_integration_cannot_be_told_and_the_keys_go_all_the_same(town: Town) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    with town.gateway.store.transaction() as tx:
        remove_integration(tx, town.gateway.vault, town.house.tenant.id, town.house.integration.id)
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) == "gave_up"
    assert not key_lives(town, "connection_tokens", connection_id)


def test_one_revocation_that_cannot_be_carried_out_does_not_hold_up_the_others(town: Town) -> None:
    broken, other = connected(town, "ada"), connected(town, "bob")
    asked(town, broken)
    asked(town, other)
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE connections SET expires_at = expires_at + 1 WHERE id = :id", id=broken)
    revoke.tell_providers(town.gateway)
    assert outcome(town, other) == "confirmed"
    assert outcome(town, broken) is None


def test_one_that_can_never_be_read_loses_its_token_key_when_its_time_is_over(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE connections SET expires_at = expires_at + 1 WHERE id = :id", id=connection_id)
    clock.advance(hours=23)
    revoke.tell_providers(town.gateway)
    assert key_lives(town, "connection_tokens", connection_id)
    clock.advance(hours=2)
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) == "gave_up"
    assert not key_lives(town, "connection_tokens", connection_id)


def test_a_refresh_under_way_lands_nowhere_and_its_tokens_are_revoked_too(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    clock.advance(290)
    real_token = []

    def meanwhile(request):
        if request.url.endswith("/token") and not real_token:
            real_token.append(request)
            asked(town, connection_id)

    town.egress.before = meanwhile
    with pytest.raises(Gone):
        handout(town, connection_id)
    assert row(town, connection_id)["state"] == "revoked"
    assert town.how_many("orphan_tokens") == {"orphan_tokens": 1}
    assert revoke.tell_providers(town.gateway) == 0, "it waits until the refresh must have answered"
    clock.advance(refresh.LEASE_MS / 1000 + 1)
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) == "confirmed"
    assert len(town.egress.asked("/revoke")) == 2
    assert town.how_many("orphan_tokens") == {"orphan_tokens": 0}


def test_an_orphan_that_arrives_while_the_provider_is_told_is_told_as_well(town: Town) -> None:
    connection_id = connected(town)
    asked(town, connection_id)

    def arrives(request):
        if request.url.endswith("/revoke") and town.how_many("orphan_tokens")["orphan_tokens"] == 0:
            with town.gateway.store.transaction() as tx:
                whose = tokens.TokenOwner(town.house.tenant.id, connection_id, "rehearsal")
                key = town.gateway.vault.key(tx, whose.owner)
                tokens.put_orphan(
                    tx, key, whose, access=Secret("late"), refresh=None, generation=2, reason="lost_claim"
                )

    town.egress.before = arrives
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) is None
    revoke.tell_providers(town.gateway)
    assert outcome(town, connection_id) == "confirmed"


# Keys ------------------------------------------------------------------------------------------------


def test_the_data_key_goes_at_the_end_of_the_window_and_not_before(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    revoke.tell_providers(town.gateway)
    clock.advance(WEEK_S - 60)
    assert revoke.destroy_due_keys(town.gateway) == 0
    assert key_lives(town, "connection_data", connection_id)
    clock.advance(120)
    assert revoke.destroy_due_keys(town.gateway) == 1
    assert not key_lives(town, "connection_data", connection_id)
    assert row(town, connection_id)["state"] == "shredded"
    assert revoke.destroy_due_keys(town.gateway) == 0


def test_erase_now_does_not_wait_and_a_second_call_brings_it_forward(town: Town) -> None:
    first, second = connected(town, "ada"), connected(town, "bob")
    asked(town, first, erase_now=True)
    asked(town, second)
    assert revoke.destroy_due_keys(town.gateway) == 1
    asked(town, second, erase_now=True)
    assert revoke.destroy_due_keys(town.gateway) == 1
    assert not key_lives(town, "connection_data", first)
    assert not key_lives(town, "connection_data", second)


def test_signing_in_again_after_revoking_makes_a_new_connection_under_new_keys(town: Town) -> None:
    first = town.sign_up("ada")
    asked(town, first["connection"], erase_now=True)
    revoke.tell_providers(town.gateway)
    revoke.destroy_due_keys(town.gateway)
    again = town.sign_up("ada")
    assert again["claims"]["sub"] == first["claims"]["sub"]
    assert again["connection"] != first["connection"]
    assert handout(town, again["connection"]).access_token


def test_what_lay_dead_for_longer_than_it_is_kept_is_revoked_and_shredded(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    clock.advance(10)
    receive(town, "rehearsal-deauthorize", "e1")
    assert row(town, connection_id)["state"] == "revoked_by_provider"
    kept = town.gateway.settings.policy.retention.revoked_by_provider
    clock.advance((kept - timedelta(hours=1)).total_seconds())
    assert revoke.retire(town.gateway) == 0
    clock.advance(hours=2)
    assert revoke.retire(town.gateway) == 1
    revoke.tell_providers(town.gateway)
    revoke.destroy_due_keys(town.gateway)
    assert row(town, connection_id)["state"] == "shredded"
    assert town.rows("revocations")[0]["reason"] == "abandoned"


# Receipts --------------------------------------------------------------------------------------------


def test_the_receipt_has_versions_from_trying_to_final_and_each_verifies_offline(town: Town) -> None:
    connection_id = connected(town)
    first = asked(town, connection_id)
    document, built = file_of(town, first.receipt_id)
    assert verify_file(built, trusted(town)).valid
    revoke.tell_providers(town.gateway)
    last = asked(town, connection_id)
    assert last.receipt_id != first.receipt_id
    later, built = file_of(town, last.receipt_id)
    assert verify_file(built, trusted(town)).valid
    assert document["entry"]["facts"]["status"] == "trying"
    assert later["entry"]["facts"]["status"] == "final"
    assert later["entry"]["facts"]["outcome"] == "confirmed"


def test_a_receipt_that_was_tampered_with_does_not_verify(town: Town) -> None:
    document, _ = file_of(town, asked(town, connected(town)).receipt_id)
    document["entry"]["facts"]["asked_by"] = "operator"
    assert not verify_file(json.dumps(document).encode(), trusted(town)).valid


def test_a_receipt_of_another_ledger_does_not_verify(town: Town) -> None:
    _, built = file_of(town, asked(town, connected(town)).receipt_id)
    stranger = {name: bytes(32) for name in trusted(town)}
    assert not verify_file(built, stranger).valid


def test_the_ledger_is_whole_after_all_of_it(town: Town) -> None:
    connection_id = connected(town)
    asked(town, connection_id, erase_now=True)
    revoke.tell_providers(town.gateway)
    revoke.destroy_due_keys(town.gateway)
    with town.gateway.store.transaction() as tx:
        evidence.sign_ledger(town.gateway, tx)
    with town.gateway.store.read() as tx:
        assert verify(tx).problem is None


# Signals ---------------------------------------------------------------------------------------------


def receive(town: Town, kind: str, event_id: str, *, at: int | None = None, key: str = "rehearsal-secret"):
    subject = subject_of_ada(town)
    event = {
        "event": {"rehearsal-deauthorize": "deauthorized", "rehearsal-data-deletion": "delete_data"}[kind],
        "client_id": town.house.integration.client_id,
        "issuer": town.house.integration.issuer,
        "subject": subject,
        "event_id": event_id,
        "issued_at": at if at is not None else town.gateway.clock.now(),
    }
    body = json.dumps(event).encode()
    request = SignalRequest(kind, {"Rehearsal-Signature": signed(key, body)}, body)
    return signals.receive(town.gateway, town.house.integration.id, request)


def subject_of_ada(town: Town) -> str:
    with town.gateway.store.read() as tx:
        sub = tx.one("SELECT sub FROM identities ORDER BY created_at LIMIT 1")["sub"]
        mine = people.identities_of(tx, town.gateway.vault, town.house.tenant.id, sub)
        return people.subject_of(tx, town.gateway.vault, mine[0])


def test_a_deauthorization_ends_handouts_and_destroys_nothing(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    clock.advance(5)
    assert receive(town, "rehearsal-deauthorize", "e1").effect == "applied"
    assert row(town, connection_id)["state"] == "revoked_by_provider"
    with pytest.raises(Gone):
        handout(town, connection_id)
    assert key_lives(town, "connection_data", connection_id)
    assert key_lives(town, "connection_tokens", connection_id)
    assert {each["state"] for each in town.rows("imports")} == {"void"}


def test_a_deletion_request_is_a_revocation_with_a_status_page(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    clock.advance(5)
    received = receive(town, "rehearsal-data-deletion", "e1")
    assert received.effect == "applied"
    with town.gateway.store.read() as tx:
        found = connections.revocation_with_code(tx, received.code or "")
    assert found is not None
    assert found.connection_id == connection_id
    assert row(town, connection_id)["state"] == "revoked"


def test_a_duplicate_signal_changes_nothing_and_gets_the_same_answer(town: Town, clock: ManualClock) -> None:
    connected(town)
    clock.advance(5)
    first = receive(town, "rehearsal-data-deletion", "e1")
    again = receive(town, "rehearsal-data-deletion", "e1")
    assert again.duplicate
    assert again.code == first.code
    assert len(town.entries("signal")) == 1


def test_a_signal_acts_only_on_grants_older_than_itself(town: Town, clock: ManualClock) -> None:
    before = clock.now() - 1000
    connection_id = connected(town)
    assert receive(town, "rehearsal-deauthorize", "e1", at=before).effect == "newer_grant"
    assert row(town, connection_id)["state"] == "active"


def test_a_signal_with_a_bad_signature_changes_nothing_and_is_not_remembered(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    clock.advance(5)
    with pytest.raises(BadInput):
        receive(town, "rehearsal-deauthorize", "e1", key="guessed")
    assert row(town, connection_id)["state"] == "active"
    assert town.how_many("signals") == {"signals": 0}


def test_a_kind_that_the_provider_does_not_send_is_not_found(town: Town) -> None:
    with pytest.raises(NotFound):
        signals.receive(town.gateway, town.house.integration.id, SignalRequest("facebook-deauthorize", {}, b"{}"))


def test_a_signal_after_the_person_revoked_finds_nothing_to_end(town: Town, clock: ManualClock) -> None:
    connection_id = connected(town)
    asked(town, connection_id)
    clock.advance(5)
    assert receive(town, "rehearsal-deauthorize", "e1").effect == "nothing_live"
    assert row(town, connection_id)["state"] == "revoked"
