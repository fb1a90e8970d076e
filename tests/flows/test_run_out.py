"""A connection that only its person can bring back says so by itself."""

from __future__ import annotations

import pytest

from connector import connections
from connector.connections import NewConnection
from connector.flows import run_out
from connector.model.ids import new_id
from connector.model.states import ConnectionState
from tests.connections.conftest import landed  # noqa: F401  the fixture of tokens that have just landed
from tests.gateways import make_house


@pytest.fixture
def house(tmp_path, store, clock):
    return make_house(tmp_path, store, clock)


@pytest.fixture
def connect(house, landed, clock):  # noqa: F811  pytest hands the fixture in by its name
    def make(**how):
        new = NewConnection(
            id=new_id("con"),
            tenant_id=house.tenant.id,
            sub=new_id("usr"),
            pseudonym=new_id("psn"),
            identity_id=new_id("idn"),
            integration_id=house.integration.id,
            provider="rehearsal",
            issuer="https://rehearsal.test",
        )
        with house.gateway.store.transaction() as tx:
            return connections.establish(tx, house.gateway.vault, new, landed(**how), now=clock.now())

    return make


def state_of(house, connection):
    with house.gateway.store.read() as tx:
        return connections.find(tx, house.gateway.vault, connection.tenant_id, connection.id).state


def test_a_token_that_nothing_refreshes_ends_with_its_life(house, connect, clock):
    connection = connect(refresh=None)
    assert run_out.step(house.gateway) == 0
    clock.advance(3601)
    assert run_out.step(house.gateway) == 1
    assert state_of(house, connection) is ConnectionState.NEEDS_REAUTH


def test_a_token_that_can_be_refreshed_is_left_to_the_refresh(house, connect, clock):
    connection = connect()
    clock.advance(3601)
    assert run_out.step(house.gateway) == 0
    assert state_of(house, connection) is ConnectionState.ACTIVE


def test_a_token_without_an_end_stays(house, connect, clock):
    connection = connect(refresh=None, lifetime_s=None)
    clock.advance(days=400)
    assert run_out.step(house.gateway) == 0
    assert state_of(house, connection) is ConnectionState.ACTIVE


def test_a_second_round_finds_nothing_more(house, connect, clock):
    connect(refresh=None)
    clock.advance(3601)
    run_out.step(house.gateway)
    assert run_out.step(house.gateway) == 0
