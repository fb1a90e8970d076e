"""The vault's SQL on the real schema, on both databases."""

import threading
from collections.abc import Callable

import pytest

from connector.storage import Store
from tests.vault.conftest import KEK
from vault import Address, KeyDestroyed, Owner, Vault
from vault.sources.local import LocalKeys

OWNER = Owner("ten_a", "connection_tokens", "con_42")
ADDRESS = Address("ten_a", "connection_tokens", "con_42", "google", "connection_tokens.refresh")


@pytest.fixture
def stored(store: Store) -> Vault:
    vault = Vault(LocalKeys({"1": KEK}, "1"), now=lambda: 0)
    with store.transaction() as tx:
        vault.create_tenant(tx, "ten_a")
    return vault


def test_a_token_lives_and_ends_as_its_key_does(store: Store, stored: Vault) -> None:
    with store.transaction() as tx:
        blob = stored.create_key(tx, OWNER).seal(ADDRESS, b"token", generation=1)
        before = stored.index(tx, "ten_a", "identity", b"iss", b"1098765")
    elsewhere = Vault(LocalKeys({"1": KEK}, "1"), now=lambda: 0)
    with store.read() as tx:
        assert elsewhere.check(tx) == []
        assert elsewhere.key(tx, OWNER).open(ADDRESS, blob, generation=1) == b"token"
        assert elsewhere.key(tx, OWNER, 1).epoch == 1
        assert elsewhere.index(tx, "ten_a", "identity", b"iss", b"1098765") == before
    with store.transaction() as tx:
        assert stored.destroy(tx, OWNER) == 1
    with store.read() as tx:
        with pytest.raises(KeyDestroyed):
            elsewhere.key(tx, OWNER)
        assert len(tx.all("SELECT id FROM shred_ledger WHERE owner_id = :id", id=OWNER.id)) == 1


def test_a_transaction_that_rolls_back_leaves_no_key_and_destroys_none(store: Store, stored: Vault) -> None:
    with store.transaction() as tx:
        stored.create_key(tx, OWNER)

    def fail_after_writing() -> None:
        with store.transaction() as tx:
            stored.create_key(tx, OWNER)
            stored.destroy(tx, OWNER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_writing()
    with store.read() as tx:
        assert stored.key(tx, OWNER).epoch == 1
        assert tx.all("SELECT id FROM shred_ledger") == []


def test_two_processes_that_make_keys_at_once_get_two_epochs(
    store: Store, stored: Vault, open_another: Callable[[], Store]
) -> None:
    start = threading.Barrier(2)
    made: list[int] = []

    def work(own: Store) -> None:
        vault = Vault(LocalKeys({"1": KEK}, "1"), now=lambda: 0)
        start.wait()
        for _ in range(20):
            with own.transaction() as tx:
                made.append(vault.create_key(tx, OWNER).epoch)

    threads = [threading.Thread(target=work, args=(open_another(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(1, 41))
