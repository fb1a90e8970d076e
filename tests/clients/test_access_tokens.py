"""Our own access tokens."""

from __future__ import annotations

import hashlib
import json

import pytest

from connector.clients import (
    access_tokens,
    caller_of,
    issue_access_token,
    remove_client,
    revoke_access_token,
    revoke_access_tokens_from,
    revoke_access_tokens_of_user,
    sweep,
)
from connector.model.errors import Unauthenticated
from connector.model.ids import new_secret
from tests.clock import ManualClock
from tests.gateways import House


def issue(house: House, **parts: object) -> str:
    given = {"kind": "client", "scopes": ("connections:read",)} | parts
    with house.gateway.store.transaction() as tx:
        return issue_access_token(tx, house.gateway.vault, house.web, **given).reveal()


def caller(house: House, token: str):
    with house.gateway.store.read() as tx:
        return caller_of(tx, house.gateway.vault, token)


def refused(house: House, token: str) -> bool:
    try:
        caller(house, token)
    except Unauthenticated as error:
        return error.code == "invalid_token"
    return False


def test_a_token_names_its_client_its_person_and_its_scopes(house: House) -> None:
    token = issue(house, kind="person", scopes=("openid", "email"), sub="usr_someone", authorization_id="azn_one")
    found = caller(house, token)
    assert (found.client, found.kind, found.sub, found.authorization_id) == (
        house.web,
        "person",
        "usr_someone",
        "azn_one",
    )
    assert found.scopes == {"openid", "email"}
    assert caller(house, token) == found


def test_a_scope_that_the_client_does_not_have_is_not_in_its_token(house: House) -> None:
    assert caller(house, issue(house, scopes=("connections:read", "tokens:exchange"))).scopes == {"connections:read"}


def test_the_token_itself_is_nowhere_in_the_database(house: House) -> None:
    token = issue(house)
    with house.gateway.store.read() as tx:
        rows = tx.all("SELECT * FROM access_tokens")
    assert token not in str([dict(row) for row in rows])


def test_a_token_ends_at_its_time_and_not_before(house: House, clock: ManualClock) -> None:
    token = issue(house, lifetime_s=60)
    clock.advance(59)
    assert caller(house, token)
    clock.advance(1)
    assert refused(house, token)


def test_a_revoked_token_is_refused_at_once(house: House) -> None:
    token = issue(house)
    assert caller(house, token)
    with house.gateway.store.transaction() as tx:
        assert revoke_access_token(tx, house.web, token)
    assert refused(house, token)


def test_a_client_cannot_end_another_clients_token(house: House) -> None:
    token = issue(house)
    with house.gateway.store.transaction() as tx:
        assert not revoke_access_token(tx, house.other, token)
    assert caller(house, token)


def test_a_removed_client_has_no_tokens(house: House) -> None:
    token = issue(house)
    assert caller(house, token)
    with house.gateway.store.transaction() as tx:
        remove_client(tx, house.gateway.vault, house.web.id)
    assert refused(house, token)


def test_tokens_end_with_their_authorization_and_with_their_person(house: House) -> None:
    one = issue(house, kind="person", sub="usr_a", authorization_id="azn_one")
    two = issue(house, kind="person", sub="usr_a", authorization_id="azn_two")
    with house.gateway.store.transaction() as tx:
        assert revoke_access_tokens_from(tx, "azn_one") == 1
    assert refused(house, one)
    assert caller(house, two)
    with house.gateway.store.transaction() as tx:
        assert revoke_access_tokens_of_user(tx, house.other_tenant.id, "usr_a") == 0
        assert revoke_access_tokens_of_user(tx, house.tenant.id, "usr_a") == 1
    assert refused(house, two)


@pytest.mark.parametrize(
    "token", ["", "gwat_", "x" * 5000, "gwat_" + "x" * 5000, "gwat_ü", "gwat_\0", "gwat_" + "A" * 43]
)
def test_what_is_no_token_of_ours_is_refused(house: House, token: str) -> None:
    assert refused(house, token)


def forge(house: House) -> str:
    """A row that somebody who can write to the database puts in."""
    token = new_secret("gwat_")
    with house.gateway.store.transaction() as tx:
        tx.run(
            "INSERT INTO access_tokens (hash, tenant_id, client_id, kind, sub, authorization_id, scopes, created_at,"
            " expires_at, revoked_at, seal)"
            " VALUES (:hash, :tenant, :client, 'client', NULL, NULL, :scopes, :now, :until,"
            " NULL, :seal)",
            hash=hashlib.sha256(token.encode()).digest(),
            tenant=house.tenant.id,
            client=house.worker.id,
            scopes=json.dumps(["tokens:exchange"]),
            now=tx.now(),
            until=tx.now() + 3_600_000,
            seal=bytes(32),
        )
    return token


def test_a_token_made_up_in_the_database_is_refused(house: House) -> None:
    assert refused(house, forge(house))


def test_without_the_row_seal_a_made_up_token_works(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "intact", lambda *_: True)
    assert caller(house, forge(house)).scopes == {"tokens:exchange"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE access_tokens SET scopes = '[\"users:delete\"]'",
        "UPDATE access_tokens SET expires_at = expires_at + 1",
        "UPDATE access_tokens SET kind = 'person', sub = 'usr_victim'",
        'UPDATE clients SET scopes = \'["tokens:exchange","connections:read"]\'',
        "UPDATE clients SET integrations = '[\"int_x\"]'",
        "UPDATE clients SET redirect_uris = '[\"https://evil.example/\"]'",
    ],
)
def test_a_row_changed_after_it_was_first_used_is_refused(house: House, change: str) -> None:
    token = issue(house)
    assert caller(house, token)
    with house.gateway.store.transaction() as tx:
        tx.run(change)
    assert refused(house, token)


def test_a_token_moved_to_another_client_is_refused(house: House) -> None:
    token = issue(house)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE access_tokens SET client_id = :id", id=house.worker.id)
    assert refused(house, token)


def test_a_token_moved_to_another_tenant_is_refused(house: House) -> None:
    token = issue(house)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE access_tokens SET client_id = :id, tenant_id = :t", id=house.other.id, t=house.other_tenant.id)
    assert refused(house, token)


def test_a_destroyed_tenant_key_ends_every_token(house: House) -> None:
    token = issue(house)
    assert caller(house, token)
    with house.gateway.store.transaction() as tx:
        tx.run("DELETE FROM data_keys WHERE owner_kind = 'tenant' AND owner_id = :id", id=house.tenant.id)
    assert refused(house, token)


def test_expired_tokens_are_swept_and_living_ones_stay(house: House, clock: ManualClock) -> None:
    issue(house, lifetime_s=60)
    living = issue(house, lifetime_s=600)
    clock.advance(61)
    with house.gateway.store.transaction() as tx:
        assert sweep(tx) == 1
    assert caller(house, living)
