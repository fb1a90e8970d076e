"""A vault over a key service: what waits for it, what does not, and what an outage costs."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.clock import ManualClock
from tests.vault.conftest import KEK
from tests.vault.fake_database import FakeTransaction
from vault import SERVES_WITHOUT_SERVICE_S, Health, KekUnknown, KeyServiceOut, Owner, Vault
from vault.sources.local import LocalKeys

OWNER = Owner("ten_a", "connection_tokens", "con_1")


class Service(LocalKeys):
    """Keys that are asked for over a wire: it says who asked, and can be out, slow or unwilling."""

    def __init__(self) -> None:
        super().__init__({"1": KEK}, "1")
        self.trouble: Exception | None = None
        self.asked_by: list[threading.Thread] = []
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self.takes_s = 0.0

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        with self._lock:
            self.asked_by.append(threading.current_thread())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.takes_s)
        with self._lock:
            self.at_once -= 1
        if self.trouble:
            raise self.trouble
        return super().unwrap(blob, context)

    def health(self) -> Health:
        return Health(self.trouble is None, "It answers, or not.")


OUT = KeyServiceOut("It does not answer.", "Start it.")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def vault(service: Service, clock: ManualClock, tx: FakeTransaction) -> Vault:
    made = Vault(service, now=clock.now)
    made.create_tenant(tx, "ten_a")
    made.create_key(tx, OWNER)
    service.asked_by.clear()
    return made


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_key_in_memory_is_renewed_without_anybody_waiting(
    vault: Vault, service: Service, tx: FakeTransaction, clock: ManualClock
) -> None:
    clock.advance(901)
    service.takes_s = 1.0
    began = time.monotonic()
    for _ in range(20):
        vault.key(tx, OWNER)
    assert time.monotonic() - began < service.takes_s
    _until(lambda: len(service.asked_by) == 1 and service.at_once == 0)
    assert threading.main_thread() not in service.asked_by
    service.takes_s = 0
    time.sleep(0.05)
    clock.advance(600)  # within a quarter of an hour of the renewal: nothing is asked
    vault.key(tx, OWNER)
    time.sleep(0.05)
    assert len(service.asked_by) == 1


def test_an_answer_that_is_stored_after_the_key_grew_old_waits_for_no_service(
    vault: Vault, service: Service, tx: FakeTransaction, clock: ManualClock
) -> None:
    before = vault.key(tx, OWNER)  # as the refresh reads it, before the request
    service.trouble = OUT
    clock.advance(1_000)  # the tenant's key was read a quarter of an hour ago, and the service has gone meanwhile
    assert vault.key(tx, OWNER)._key == before._key
    assert vault.create_key(tx, Owner("ten_a", "user", "usr_1")).epoch == 1
    assert all(asker is not threading.main_thread() for asker in service.asked_by)


def test_an_outage_is_bridged_for_an_hour_and_no_longer(
    vault: Vault, service: Service, tx: FakeTransaction, clock: ManualClock
) -> None:
    service.trouble = OUT
    for _ in range(SERVES_WITHOUT_SERVICE_S // 600 - 1):
        clock.advance(600)
        vault.key(tx, OWNER)
    clock.advance(600)
    with pytest.raises(KeyServiceOut):
        vault.key(tx, OWNER)
    service.trouble = None
    assert vault.key(tx, OWNER).epoch == 1


def test_other_tenants_are_served_while_one_is_refused(
    vault: Vault, service: Service, tx: FakeTransaction, clock: ManualClock
) -> None:
    service.trouble = KekUnknown("Not for you.", "Ask.")
    clock.advance(901)
    vault.key(tx, OWNER)
    _until(lambda: vault._tenant_keys.get("ten_a", _wrap_id(tx)) is None)
    with pytest.raises(KekUnknown):
        vault.key(tx, OWNER)  # what was refused is forgotten at once
    service.trouble = None
    vault.create_tenant(tx, "ten_b")
    assert vault.key(tx, OWNER).epoch == 1


def _wrap_id(tx: FakeTransaction) -> str:
    row = tx.one("SELECT id FROM tenant_keys WHERE purpose = 'wrap' AND tenant_id = 'ten_a'")
    assert row is not None
    return str(row["id"])


def test_a_start_asks_for_several_keys_at_a_time_and_for_each_once(
    vault: Vault, service: Service, tx: FakeTransaction, clock: ManualClock
) -> None:
    for number in range(6):
        vault.create_tenant(tx, f"ten_{number}")
    service.asked_by.clear()
    service.takes_s = 0.02
    starting = Vault(service, now=clock.now)
    assert starting.check(tx) == []
    assert len(service.asked_by) == 14
    assert service.most_at_once > 2
    starting.key(tx, OWNER)  # its tenant's key is in memory from the check
    assert len(service.asked_by) == 14


def test_a_start_without_the_service_is_refused_with_one_sentence(
    vault: Vault, service: Service, tx: FakeTransaction, clock: ManualClock
) -> None:
    service.trouble = OUT
    before = tx.all("SELECT * FROM tenant_keys")
    findings = Vault(service, now=clock.now).check(tx)
    assert [(one.code, one.sentence) for one in findings] == [("key_source", "It does not answer. Start it.")]
    assert tx.all("SELECT * FROM tenant_keys") == before


def test_health_is_the_services_and_a_key_file_is_always_well(vault: Vault, service: Service) -> None:
    assert vault.health().ok
    service.trouble = OUT
    assert not vault.health().ok
    assert Vault(LocalKeys({"1": KEK}, "1"), now=lambda: 0).health().ok


def test_a_key_held_here_is_never_asked_for_behind_anybodys_back(tx: FakeTransaction, clock: ManualClock) -> None:
    vault = Vault(LocalKeys({"1": KEK}, "1"), now=clock.now)
    vault.create_tenant(tx, "ten_a")
    vault.create_key(tx, OWNER)
    threads = threading.active_count()
    clock.advance(901)
    vault.key(tx, OWNER)
    assert threading.active_count() == threads
