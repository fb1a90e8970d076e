from dataclasses import replace

import pytest

from tests.vault.conftest import KEK
from tests.vault.fake_database import FakeTransaction
from vault import (
    Address,
    KekMismatch,
    KekUnknown,
    KeyExists,
    KeySourceError,
    KeyUnknown,
    Owner,
    Vault,
    tables,
)
from vault.sources.local import LocalKeys

OWNER = Owner("ten_a", "connection_tokens", "con_42")
ADDRESS = Address("ten_a", "connection_tokens", "con_42", "google", "connection_tokens.refresh")


def test_a_value_opens_with_the_key_found_again(vault: Vault, tx: FakeTransaction) -> None:
    blob = vault.create_key(tx, OWNER).seal(ADDRESS, b"token", generation=1)
    assert vault.key(tx, OWNER).open(ADDRESS, blob, generation=1) == b"token"


def test_a_value_opens_in_another_process_with_the_same_key_source(vault: Vault, tx: FakeTransaction) -> None:
    blob = vault.create_key(tx, OWNER).seal(ADDRESS, b"token", generation=1)
    other = Vault(LocalKeys({"1": KEK}, "1"), now=lambda: 0)
    assert other.key(tx, OWNER).open(ADDRESS, blob, generation=1) == b"token"


def test_no_key_is_stored_in_the_clear(vault: Vault, tx: FakeTransaction) -> None:
    key = vault.create_key(tx, OWNER)
    dump = tx.connection.serialize()
    assert key._key not in dump
    assert KEK not in dump


def test_each_new_key_has_the_next_epoch_and_the_newest_is_found(vault: Vault, tx: FakeTransaction) -> None:
    first, second = vault.create_key(tx, OWNER), vault.create_key(tx, OWNER)
    assert (first.epoch, second.epoch) == (1, 2)
    assert first._key != second._key
    assert vault.key(tx, OWNER).epoch == 2
    assert vault.key(tx, OWNER, 1)._key == first._key


def test_an_epoch_that_is_taken_meanwhile_is_passed_over(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create_key(tx, OWNER)
    answers = iter([0, 1])
    monkeypatch.setattr(tables, "newest_epoch", lambda tx, owner: next(answers))
    assert vault.create_key(tx, OWNER).epoch == 2


def test_endless_contention_is_an_error_and_no_loop(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.create_key(tx, OWNER)
    monkeypatch.setattr(tables, "newest_epoch", lambda tx, owner: 0)
    with pytest.raises(KeyExists, match="again"):
        vault.create_key(tx, OWNER)


def test_a_key_that_never_was_is_unknown(vault: Vault, tx: FakeTransaction) -> None:
    with pytest.raises(KeyUnknown):
        vault.key(tx, OWNER)
    vault.create_key(tx, OWNER)
    with pytest.raises(KeyUnknown):
        vault.key(tx, OWNER, 2)
    with pytest.raises(KeyUnknown):
        vault.key(tx, replace(OWNER, tenant="ten_b"))


def test_a_tenant_without_keys_gets_none_by_the_way(vault: Vault, tx: FakeTransaction) -> None:
    stranger = Owner("ten_b", "user", "usr_1")
    with pytest.raises(KeyUnknown, match="create the tenant"):
        vault.create_key(tx, stranger)
    with pytest.raises(KeyUnknown, match="create the tenant"):
        vault.index(tx, "ten_b", "identity", b"x")


def test_a_tenants_keys_are_made_once(vault: Vault, tx: FakeTransaction) -> None:
    with pytest.raises(KeyExists):
        vault.create_tenant(tx, "ten_a")


def test_no_tenant_is_added_to_a_database_whose_keys_do_not_open(vault: Vault, tx: FakeTransaction) -> None:
    for wrong in (LocalKeys({"1": bytes(32)}, "1"), LocalKeys({"2": bytes(32)}, "2")):
        with pytest.raises(KeySourceError, match="opens none"):
            Vault(wrong, now=lambda: 0).create_tenant(tx, "ten_b")
    assert len(tx.all("SELECT id FROM tenant_keys")) == 2


def test_no_tenant_is_added_where_data_keys_have_lost_their_tenant_keys(vault: Vault, tx: FakeTransaction) -> None:
    tx.run("DELETE FROM tenant_keys")
    with pytest.raises(KeySourceError, match="opens none"):
        vault.create_tenant(tx, "ten_b")


def test_a_wrong_key_and_a_missing_key_are_told_apart(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, OWNER)
    with pytest.raises(KekMismatch, match="Put back the key"):
        Vault(LocalKeys({"1": bytes(32)}, "1"), now=lambda: 0).key(tx, OWNER)
    with pytest.raises(KekUnknown, match="Add the key 1"):
        Vault(LocalKeys({"2": bytes(32)}, "2"), now=lambda: 0).key(tx, OWNER)
