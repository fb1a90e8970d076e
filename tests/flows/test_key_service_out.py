"""A key service that is gone: refreshes and sign-ups under way are finished, and stored, without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.storage import Store
from tests.clock import ManualClock
from tests.connected import Linked, linked
from vault import Health, KeyServiceOut
from vault.sources.local import LocalKeys


class Service:
    """The keys of the house as a service would keep them. `out`: it is gone; requests are counted."""

    def __init__(self, keys: LocalKeys) -> None:
        self._keys = keys
        self.out = False
        self.asked = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._keys, name)

    def key_id(self) -> str:
        return self._keys.key_id()

    def key_ids(self) -> frozenset[str]:
        return self._keys.key_ids()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._keys.wrap(key, context)

    def rewrap(self, blob: bytes, context: bytes) -> bytes:
        return self._keys.rewrap(blob, context)

    def check_value(self, key_id: str | None = None) -> bytes:
        return self._keys.check_value(key_id)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        self.asked += 1
        if self.out:
            raise KeyServiceOut("The key service does not answer.", "Start it.")
        return self._keys.unwrap(blob, context)

    def health(self) -> Health:
        return Health(not self.out, "It answers, or not.")


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Linked:
    return linked(tmp_path, store, clock)


@pytest.fixture
def service(town: Linked) -> Service:
    vault = town.gateway.vault
    made = Service(vault._source)  # type: ignore[arg-type]
    vault._source = made
    with town.store.read() as tx:
        assert vault.check(tx) == []  # as a start does
    made.asked = 0
    return made


def test_a_refresh_is_sent_stored_and_handed_out_while_the_service_is_gone(
    town: Linked, service: Service, clock: ManualClock
) -> None:
    before = town.connection()
    service.out = True
    clock.advance(minutes=50)  # what is in memory is older than a quarter of an hour, and is asked for behind our backs
    handed = town.fresh(min_ttl_s=1_200)
    assert town.refreshes() == 1
    assert town.connection().generation == before.generation + 1
    assert town.works(handed.access_token)
    assert town.fresh().access_token == handed.access_token


def test_a_new_connection_is_stored_while_the_service_is_gone(
    town: Linked, service: Service, clock: ManualClock
) -> None:
    service.out = True
    clock.advance(minutes=50)
    made = town.connect("bob")
    assert town.connection(made).state == "active"
    assert town.fresh(made).access_token


def test_nobody_asks_the_service_on_the_way_while_keys_are_in_memory(town: Linked, service: Service) -> None:
    town.connect("bob")
    town.fresh(min_ttl_s=3_000)
    assert service.asked == 0
