"""A worker's fresh token: one read, a decision, a ledger entry, and nothing else while it is fresh."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from connector import connections
from connector.flows.revoke import revoke
from connector.ledger import NotRecorded
from connector.model.errors import BadInput, Conflict, Forbidden, Gone, NotFound, RefusedByPolicy, TryLater
from connector.model.states import ConnectionState, Ended
from connector.model.tags import Purpose
from tests.altered import change_user
from tests.connected import Linked, linked
from tests.unguarded import unguarded


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    return linked(tmp_path, store, clock)


class CountingStore:
    """A store that counts statements, and tells reading from writing."""

    def __init__(self, store):
        self._store = store
        self.read_statements: list[str] = []
        self.transactions = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    @contextmanager
    def read(self):
        with self._store.read() as tx:
            yield CountingRead(tx, self.read_statements)

    @contextmanager
    def transaction(self):
        self.transactions += 1
        with self._store.transaction() as tx:
            yield tx


class CountingRead:
    def __init__(self, tx, seen):
        self._tx = tx
        self._seen = seen

    def __getattr__(self, name):
        return getattr(self._tx, name)

    def one(self, sql, /, **params):
        self._seen.append(sql)
        return self._tx.one(sql, **params)

    def all(self, sql, /, **params):
        self._seen.append(sql)
        return self._tx.all(sql, **params)


# The fresh path ------------------------------------------------------------------------------------


def test_a_fresh_token_is_the_providers_own(town):
    handed = town.fresh()
    assert town.works(handed.access_token)
    assert (handed.token_type, handed.expires_in_s, handed.stale) == ("Bearer", 300, False)
    assert handed.scopes == ("openid", "profile", "email", "contacts")


def test_the_fresh_path_writes_nothing_to_the_connection(town, clock):
    before = (town.row(), town.row("connection_tokens", "connection_id"))
    clock.advance(30)
    town.fresh()
    assert (town.row(), town.row("connection_tokens", "connection_id")) == before


def test_the_fresh_path_is_one_statement_and_no_transaction_but_the_ledgers(town):
    town.fresh()  # the tenant's key is in memory from here on
    counting = CountingStore(town.store)
    town.fresh(gateway=replace(town.gateway, store=counting))
    assert len(counting.read_statements) == 1
    assert "FOR UPDATE" not in counting.read_statements[0]
    assert counting.transactions == 0


def test_the_fresh_path_asks_the_provider_nothing(town):
    town.fresh()
    assert town.gateway.egress.requests == []


def test_a_handout_is_in_the_ledger_with_its_clause_and_purpose(town):
    handed = town.fresh(purpose=Purpose.SYNC)
    (entry,) = town.entries("token_handout")
    assert entry["connection"] == town.connection_id
    assert (entry["purpose"], entry["client"]) == ("sync", town.house.worker.id)
    assert entry["clause"] == handed.clause
    assert handed.clause


def test_a_token_does_not_leave_before_its_ledger_entry_is_committed(town):
    class Deaf:
        def record(self, entry, condition=None):
            raise NotRecorded("the disk is full")

    with pytest.raises(NotRecorded):
        town.fresh(gateway=replace(town.gateway, handouts=Deaf()))


# Who may ask, and for what -------------------------------------------------------------------------


def test_a_purpose_that_was_not_granted_to_the_client_is_refused(town):
    with pytest.raises(Forbidden, match="purpose_not_granted"):
        town.fresh(purpose=Purpose.IMPROVE)


def test_a_purpose_that_the_policy_does_not_allow_is_refused_with_its_clause(town):
    client = replace(town.house.worker, purposes=(*town.house.worker.purposes, "sell"))
    with pytest.raises(RefusedByPolicy) as refused:
        town.fresh(client=client, purpose=Purpose.SELL)
    assert refused.value.clause
    assert town.entries("token_handout") == []


def test_a_childs_connection_hands_out_nothing(town):
    change_user(town, age="child")
    with pytest.raises(RefusedByPolicy) as refused:
        town.fresh()
    assert refused.value.clause


def test_a_deleted_account_hands_out_nothing(town):
    change_user(town, account="deleted")
    with pytest.raises(RefusedByPolicy):
        town.fresh()


def test_a_foreign_connection_looks_like_one_that_never_was(town):
    def answer(client, connection_id):
        with pytest.raises(NotFound) as error:
            town.fresh(connection_id, client=client, purpose=Purpose.ACCOUNT)
        return (type(error.value), error.value.code, error.value.hint, error.value.detail)

    foreign = replace(town.house.other, purposes=("account",))
    assert answer(foreign, town.connection_id) == answer(foreign, "con_never")


def test_a_client_of_another_integration_does_not_see_the_connection(town):
    elsewhere = replace(town.house.worker, integrations=("int_another",))
    with pytest.raises(NotFound, match="unknown_connection"):
        town.fresh(client=elsewhere)
    here = replace(town.house.worker, integrations=(town.house.integration.id,))
    assert town.works(town.fresh(client=here).access_token)


def test_a_scope_that_was_not_granted_is_refused_before_anything_is_handed_out(town):
    with pytest.raises(BadInput, match="invalid_scope"):
        town.fresh(scopes=("profile:write",))
    assert town.entries("token_handout") == []
    assert town.works(town.fresh(scopes=("contacts",)).access_token)


# Freshness -----------------------------------------------------------------------------------------


def test_a_token_that_lives_long_enough_is_not_refreshed(town, clock):
    clock.advance(100)
    assert town.fresh(min_ttl_s=150).expires_in_s == 200
    assert town.refreshes() == 0


def test_a_token_that_lives_too_short_is_refreshed_first(town, clock):
    clock.advance(200)
    handed = town.fresh(min_ttl_s=150)
    assert (handed.expires_in_s, handed.stale) == (300, False)
    assert town.works(handed.access_token)
    assert town.refreshes() == 1


def test_more_than_four_fifths_of_a_lifetime_cannot_be_asked_for(town, clock):
    clock.advance(59)
    assert town.fresh(min_ttl_s=100_000).expires_in_s == 241
    assert town.refreshes() == 0
    clock.advance(2)
    assert town.fresh(min_ttl_s=100_000).expires_in_s == 300
    assert town.refreshes() == 1


def test_an_expired_token_never_leaves(town, clock):
    clock.advance(301)
    town.faults({"kind": "status", "status": 503})
    with pytest.raises(TryLater) as error:
        town.fresh()
    assert error.value.code == "provider_unavailable"
    assert error.value.retry_after_s >= 1
    assert town.entries("token_handout") == []


def test_while_the_provider_is_down_the_current_token_is_served_to_its_end_and_says_so(town, clock):
    clock.advance(250)
    town.faults({"kind": "status", "status": 503})
    handed = town.fresh(min_ttl_s=60)
    assert handed.stale
    assert town.works(handed.access_token)
    assert handed.expires_in_s == 50


def test_a_token_without_an_end_is_always_fresh(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    endless = town.connect("grace")
    with store.transaction() as tx:  # as a provider whose tokens do not end
        found = connections.find_for_update(tx, town.gateway.vault, endless)
        connections.move(
            tx, town.gateway.vault, found, ConnectionState.ACTIVE, columns={"expires_at": None, "lifetime_s": None}
        )
    clock.advance(days=1000)
    assert town.fresh(endless).expires_in_s is None


# Ended ---------------------------------------------------------------------------------------------


def move(town, state, **columns):
    with town.store.transaction() as tx:
        found = connections.find_for_update(tx, town.gateway.vault, town.connection_id)
        connections.move(tx, town.gateway.vault, found, state, columns=columns)


def test_a_revoked_connection_hands_out_nothing_and_says_what_to_do(town):
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.APP)
    with pytest.raises(Gone) as error:
        town.fresh()
    assert error.value.code == "revoked"
    assert "/oauth/authorize" in error.value.hint


@pytest.mark.parametrize("state", [ConnectionState.REVOKED_BY_PROVIDER, ConnectionState.NEEDS_REAUTH])
def test_what_the_provider_ended_hands_out_nothing(town, state):
    move(town, state, reason="grant_invalid")
    with pytest.raises((Gone, Conflict)) as error:
        town.fresh()
    assert error.value.code in {"revoked", "needs_reauth"}
    assert "authoriz" in error.value.hint


def test_a_grant_whose_person_must_come_back_hands_out_nothing_after_that_day(town, clock):
    move(town, ConnectionState.ACTIVE, reauth_by=clock.now() + 10_000)
    assert town.fresh().access_token
    clock.advance(10)
    with pytest.raises(Conflict, match="needs_reauth"):
        town.fresh()


def test_an_expired_token_that_cannot_be_refreshed_needs_the_person(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    lone = town.connect("grace", refresh_token=None)
    clock.advance(301)
    with pytest.raises(Conflict, match="needs_reauth") as error:
        town.fresh(lone)
    assert "connection=<id>" in error.value.hint


def test_a_revocation_between_the_read_and_the_ledger_wins(town):
    honest = town.gateway.handouts

    class Slow:
        def record(self, entry, condition=None):
            if condition is not None and town.connection().state is ConnectionState.ACTIVE:
                revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
            return honest.record(entry, condition)

    with pytest.raises(Gone):
        town.fresh(gateway=replace(town.gateway, handouts=Slow()))
    assert town.entries("token_handout") == []


# A database that somebody wrote to -----------------------------------------------------------------


def write(town, sql, **params):
    with unguarded(town.store), town.store.transaction() as tx:
        assert tx.run(sql, **params) == 1


def test_a_state_flipped_back_in_the_database_is_not_served(town):
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    write(town, "UPDATE connections SET state = 'active' WHERE id = :id", id=town.connection_id)
    with pytest.raises(connections.SealBroken):
        town.fresh()


def test_a_token_moved_from_another_connection_does_not_open(town):
    other = town.connect("grace")
    write(
        town,
        """UPDATE connection_tokens SET access = (SELECT access FROM connection_tokens WHERE connection_id = :other)
           WHERE connection_id = :id""",
        other=other,
        id=town.connection_id,
    )
    with pytest.raises(connections.SealBroken):
        town.fresh()


def test_an_older_token_put_back_does_not_open(town, clock):
    old = town.row("connection_tokens", "connection_id")
    clock.advance(301)
    town.fresh()
    write(
        town,
        "UPDATE connection_tokens SET access = :access, refresh = :refresh, generation = :generation "
        "WHERE connection_id = :id",
        access=old["access"],
        refresh=old["refresh"],
        generation=old["generation"],
        id=town.connection_id,
    )
    with pytest.raises(connections.SealBroken):
        town.fresh()


def test_a_connection_row_pointed_at_another_persons_integration_is_not_served(town):
    write(town, "UPDATE connections SET integration_id = 'int_x' WHERE id = :id", id=town.connection_id)
    with pytest.raises(connections.SealBroken):
        town.fresh()


def test_an_expiry_pushed_out_in_the_database_is_not_believed(town, clock):
    write(town, "UPDATE connections SET expires_at = expires_at + 86400000 WHERE id = :id", id=town.connection_id)
    clock.advance(400)
    with pytest.raises(connections.SealBroken):
        town.fresh()


def test_tokens_that_are_gone_from_the_database_are_an_error_of_ours(town):
    write(town, "DELETE FROM connection_tokens WHERE connection_id = :id", id=town.connection_id)
    with pytest.raises(connections.SealBroken):
        town.fresh()


class Unsealed:
    """The twin: a key that checks no row."""

    def __init__(self, key):
        self._key = key

    def __getattr__(self, name):
        return getattr(self._key, name)

    def check_row(self, table, fields, seal):
        """Whatever it says, it is believed."""


def test_twin_without_the_row_seal_a_flipped_state_is_served(town, monkeypatch):
    from connector import tokens  # noqa: PLC0415  the twin reaches in

    honest = tokens.seal_key
    move(town, ConnectionState.NEEDS_REAUTH)
    write(town, "UPDATE connections SET state = 'active' WHERE id = :id", id=town.connection_id)
    monkeypatch.setattr(tokens, "seal_key", lambda *asked: Unsealed(honest(*asked)))
    assert town.works(town.fresh().access_token)


def test_twin_without_the_bound_generation_an_older_token_is_served(town, clock):
    old = town.row("connection_tokens", "connection_id")
    clock.advance(301)
    town.fresh()
    with town.store.read() as tx:
        from connector import tokens  # noqa: PLC0415  the twin reaches in

        held = tokens.held(tx, town.house.tenant.id, town.connection_id)
        key = tokens.token_key(tx, town.gateway.vault, held)
    row = {**dict(held.row), "token_access": old["access"], "generation": old["generation"]}
    assert tokens.opened_access(key, tokens.Held(row)).reveal().startswith("ra_")
