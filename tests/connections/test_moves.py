"""Every change of state goes through one function, and the database cannot be used to go around it."""

from __future__ import annotations

import pytest

from connector import connections
from connector.connections import IllegalMove, LostClaim, SealBroken
from connector.model.states import MOVES, ConnectionState
from tests.connections.conftest import TENANT
from tests.unguarded import unguarded


@pytest.fixture
def established(store, vault, new, landed, clock):
    with store.transaction() as tx:
        return connections.establish(tx, vault, new(), landed(), now=clock.now())


def found(store, vault, connection_id="con_a"):
    with store.read() as tx:
        return connections.find(tx, vault, TENANT, connection_id)


def test_a_new_connection_is_active_in_its_first_generation(established, store, vault):
    assert found(store, vault) == established
    assert (established.state, established.generation) == (ConnectionState.ACTIVE, 1)


def test_another_tenants_connection_is_not_found(established, store, vault):
    with store.read() as tx:
        assert connections.find(tx, vault, "ten_b", "con_a") is None


def test_a_move_that_is_not_in_the_table_is_refused(established, store, vault):
    with store.transaction() as tx:
        revoked = connections.move(tx, vault, established, ConnectionState.REVOKED)
    with store.transaction() as tx, pytest.raises(IllegalMove):
        connections.move(tx, vault, revoked, ConnectionState.ACTIVE)


def test_nothing_leads_out_of_a_revoked_connection_but_destruction():
    assert MOVES[ConnectionState.REVOKED] == {ConnectionState.SHREDDED}
    assert MOVES[ConnectionState.SHREDDED] == set()


def test_a_writer_with_an_old_view_changes_nothing(established, store, vault, clock):
    with store.transaction() as tx:
        connections.move(tx, vault, established, ConnectionState.REVOKED, take_over=True)
    with store.transaction() as tx, pytest.raises(LostClaim):
        connections.move(tx, vault, established, ConnectionState.EXPIRED)
    assert found(store, vault).state is ConnectionState.REVOKED


def test_a_move_leaves_alone_what_was_forgotten_since_it_looked(established, store, vault):
    with store.transaction() as tx:
        connections.forget_person(tx, TENANT, established.sub)
        connections.move(tx, vault, established, ConnectionState.EXPIRED)
        assert connections.find(tx, vault, TENANT, established.id).pseudonym is None


def test_a_late_answer_does_not_land_after_a_revocation(established, store, vault, landed, clock):
    with store.transaction() as tx:
        claim = connections.claim_refresh(tx, vault, "con_a", worker="wrk_a", lease_ms=15_000, seen_generation=1)
    with store.transaction() as tx:
        connections.move(
            tx, vault, claim.connection, ConnectionState.REVOKED, take_over=True, columns={"revoked_at": clock.now()}
        )
    with store.transaction() as tx, pytest.raises(LostClaim):
        connections.reland(
            tx, vault, claim.connection, landed(access="late"), now=clock.now(), authorized=False, fence=claim.fence
        )


WIDENINGS = {
    "state": "active",
    "sub": "usr_mallory",
    "identity_id": "idn_other",
    "integration_id": "int_other",
    "provider": "google",
    "issuer": "https://evil.test",
    "granted_scopes": '["openid", "everything"]',
    "generation": 7,
    "token_epoch": 9,
    "data_epoch": 9,
    "expires_at": 9_999_999_999_999,
    "lifetime_s": 999_999,
    "can_refresh": 0,
    "reauth_by": 9_999_999_999_999,
    "authorized_at": 1,
    "revoked_at": None,
}


@pytest.mark.parametrize("column", WIDENINGS)
def test_a_row_that_was_changed_outside_the_gateway_is_not_served(column, store, vault, new, landed, clock):
    with store.transaction() as tx:
        connection = connections.establish(tx, vault, new(), landed(), now=clock.now())
        connections.move(tx, vault, connection, ConnectionState.REVOKED, columns={"revoked_at": clock.now()})
    with unguarded(store), store.transaction() as tx:
        tx.run(f"UPDATE connections SET {column} = :value WHERE id = 'con_a'", value=WIDENINGS[column])
    with pytest.raises(SealBroken):
        found(store, vault)


def test_without_the_seal_a_database_writer_brings_a_revoked_connection_back(established, store, vault, monkeypatch):
    with store.transaction() as tx:
        connections.move(tx, vault, established, ConnectionState.REVOKED)
    with unguarded(store), store.transaction() as tx:
        tx.run("UPDATE connections SET state = 'active' WHERE id = 'con_a'")
    monkeypatch.setattr("vault.data_key.DataKey.check_row", lambda *_: None)
    assert found(store, vault).state is ConnectionState.ACTIVE


def test_the_database_itself_refuses_a_state_that_does_not_exist(established, store):
    with unguarded(store), pytest.raises(Exception, match=r"(?i)check"), store.transaction() as tx:
        tx.run("UPDATE connections SET state = 'immortal'")
