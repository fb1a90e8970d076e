"""What the vault's tests share: the tables, a key source and a vault with one tenant."""

from collections.abc import Iterator

import pytest

from tests.clock import ManualClock
from tests.vault.fake_database import FakeTransaction
from vault import Vault
from vault.sources.local import LocalKeys

KEK = bytes(range(32))


@pytest.fixture
def tx(clock: ManualClock) -> Iterator[FakeTransaction]:
    transaction = FakeTransaction(clock.now)
    yield transaction
    transaction.connection.close()


@pytest.fixture
def source() -> LocalKeys:
    return LocalKeys({"1": KEK}, "1")


@pytest.fixture
def vault(source: LocalKeys, clock: ManualClock, tx: FakeTransaction) -> Vault:
    made = Vault(source, now=clock.now)
    made.create_tenant(tx, "ten_a")
    return made
