import threading

import pytest

from tests.clock import ManualClock
from tests.vault.conftest import KEK
from tests.vault.fake_database import FakeTransaction
from vault import (
    KeySourceError,
    Owner,
    Vault,
)
from vault.sources.local import LocalKeys

OWNER = Owner("ten_a", "connection_tokens", "con_42")


class CountingSource(LocalKeys):
    """A local key source that counts how often it is asked to unwrap, and can be out of order."""

    __slots__ = ("down", "unwrapped")

    def __init__(self) -> None:
        super().__init__({"1": KEK}, "1")
        self.unwrapped = 0
        self.down = False

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        self.unwrapped += 1
        if self.down:
            raise KeySourceError("The key service does not answer.", "Start it.")
        return super().unwrap(blob, context)


def _row(tx: FakeTransaction, owner: Owner = OWNER, epoch: int = 1) -> tuple[str, bytes]:
    row = tx.one(
        "SELECT tenant_key_id, wrapped FROM data_keys WHERE owner_kind = :kind AND owner_id = :id AND epoch = :epoch",
        kind=owner.kind,
        id=owner.id,
        epoch=epoch,
    )
    assert row is not None
    return row["tenant_key_id"], row["wrapped"]


def test_unwrap_runs_no_query_while_the_tenant_key_is_cached(vault: Vault, tx: FakeTransaction) -> None:
    made = vault.create_key(tx, OWNER)
    tenant_key_id, wrapped = _row(tx)
    before = tx.statements
    assert vault.unwrap(tx, OWNER, 1, tenant_key_id, wrapped)._key == made._key
    assert tx.statements == before


def test_the_key_source_is_asked_once_per_tenant_and_again_after_the_ttl(
    tx: FakeTransaction, clock: ManualClock
) -> None:
    source = CountingSource()
    vault = Vault(source, now=clock.now, tenant_key_ttl_s=900)
    vault.create_tenant(tx, "ten_a")
    vault.create_key(tx, OWNER)
    asked = source.unwrapped
    for _ in range(50):
        vault.key(tx, OWNER)
    assert source.unwrapped == asked
    clock.advance(899)
    vault.key(tx, OWNER)
    assert source.unwrapped == asked
    clock.advance(1)
    vault.key(tx, OWNER)
    assert source.unwrapped == asked + 1


def test_a_clock_that_is_set_back_does_not_prolong_the_cache(tx: FakeTransaction, clock: ManualClock) -> None:
    source = CountingSource()
    vault = Vault(source, now=clock.now)
    vault.create_tenant(tx, "ten_a")
    vault.create_key(tx, OWNER)
    asked = source.unwrapped
    clock.set_wall(clock.now() - 1)
    vault.key(tx, OWNER)
    assert source.unwrapped == asked + 1


def test_a_key_service_that_is_out_is_reported_and_nothing_is_made(tx: FakeTransaction, clock: ManualClock) -> None:
    source = CountingSource()
    vault = Vault(source, now=clock.now)
    vault.create_tenant(tx, "ten_a")
    vault.create_key(tx, OWNER)
    clock.advance(hours=1)
    source.down = True
    keys = len(tx.all("SELECT epoch FROM data_keys"))
    for attempt in (
        lambda: vault.key(tx, OWNER),
        lambda: vault.create_key(tx, OWNER),
        lambda: vault.create_tenant(tx, "ten_b"),
    ):
        with pytest.raises(KeySourceError):
            attempt()
    assert len(tx.all("SELECT epoch FROM data_keys")) == keys


def test_threads_that_start_cold_all_get_the_same_key(tx: FakeTransaction, source: LocalKeys, vault: Vault) -> None:
    made = vault.create_key(tx, OWNER)
    tenant_key_id, wrapped = _row(tx)
    guard = threading.Lock()

    class Guarded(FakeTransaction):
        def __init__(self) -> None:
            pass

        def one(self, sql: str, /, **parameters: object) -> dict[str, object] | None:
            with guard:
                return tx.one(sql, **parameters)

    cold = Vault(source, now=lambda: 0)
    found: list[bytes] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(100):
            key = cold.unwrap(Guarded(), OWNER, 1, tenant_key_id, wrapped)
            key.check_row("t", [1], made.seal_row("t", [1]))
            found.append(key._key)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 800
    assert set(found) == {made._key}
