from dataclasses import replace

import pytest

from tests.vault.fake_database import FakeTransaction
from vault import (
    KeyUnknown,
    Owner,
    TagMismatch,
    Vault,
    tenant_key,
)
from vault.sources.local import LocalKeys

OWNER = Owner("ten_a", "connection_tokens", "con_42")


def _row(tx: FakeTransaction, owner: Owner = OWNER, epoch: int = 1) -> tuple[str, bytes]:
    row = tx.one(
        "SELECT tenant_key_id, wrapped FROM data_keys WHERE owner_kind = :kind AND owner_id = :id AND epoch = :epoch",
        kind=owner.kind,
        id=owner.id,
        epoch=epoch,
    )
    assert row is not None
    return row["tenant_key_id"], row["wrapped"]


@pytest.mark.parametrize(
    "moved",
    [
        Owner("ten_a", "connection_tokens", "con_43"),
        Owner("ten_a", "connection_data", "con_42"),
        Owner("ten_a", "connection_tokenscon", "_42"),
    ],
)
def test_a_wrapped_key_moved_to_another_owner_does_not_unwrap(vault: Vault, tx: FakeTransaction, moved: Owner) -> None:
    vault.create_key(tx, OWNER)
    tenant_key_id, wrapped = _row(tx)
    with pytest.raises(TagMismatch):
        vault.unwrap(tx, moved, 1, tenant_key_id, wrapped)


def test_a_wrapped_key_moved_to_another_epoch_does_not_unwrap(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, OWNER)
    with pytest.raises(TagMismatch):
        vault.unwrap(tx, OWNER, 2, *_row(tx))


def test_a_wrapped_key_moved_to_another_tenant_does_not_unwrap(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, OWNER)
    vault.create_tenant(tx, "ten_b")
    vault.create_key(tx, Owner("ten_b", "user", "usr_b"))
    theirs, _ = _row(tx, Owner("ten_b", "user", "usr_b"))
    tenant_key_id, wrapped = _row(tx)
    with pytest.raises(KeyUnknown):
        vault.unwrap(tx, replace(OWNER, tenant="ten_b"), 1, tenant_key_id, wrapped)
    with pytest.raises(TagMismatch):
        vault.unwrap(tx, replace(OWNER, tenant="ten_b"), 1, theirs, wrapped)


def test_every_altered_byte_and_every_truncation_of_a_wrapped_key_is_refused(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, OWNER)
    tenant_key_id, wrapped = _row(tx)
    altered = [wrapped[:n] + bytes([wrapped[n] ^ 1]) + wrapped[n + 1 :] for n in range(len(wrapped))]
    for blob in [*altered, *[wrapped[:n] for n in range(len(wrapped))], wrapped + b"\0"]:
        with pytest.raises(TagMismatch):
            vault.unwrap(tx, OWNER, 1, tenant_key_id, blob)


def test_without_binding_an_attackers_row_takes_over_a_victims_key(
    vault: Vault, tx: FakeTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_key, "_tail", lambda owner, epoch: b"")
    victim = vault.create_key(tx, OWNER)
    mine = Owner("ten_a", "user", "usr_attacker")
    vault.create_key(tx, mine)
    tx.run(
        "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE owner_id = :from) WHERE owner_id = :to",
        **{"from": OWNER.id, "to": mine.id},
    )
    assert vault.key(tx, mine)._key == victim._key


def test_a_tenant_key_moved_to_another_tenant_does_not_open(
    vault: Vault, tx: FakeTransaction, source: LocalKeys
) -> None:
    vault.create_tenant(tx, "ten_b")
    for purpose in ("wrap", "index"):
        tx.run(
            "UPDATE tenant_keys SET wrapped ="
            " (SELECT wrapped FROM tenant_keys WHERE tenant_id = 'ten_a' AND purpose = :purpose)"
            " WHERE tenant_id = 'ten_b' AND purpose = :purpose",
            purpose=purpose,
        )
    fresh = Vault(source, now=lambda: 0)
    with pytest.raises(TagMismatch):
        fresh.create_key(tx, Owner("ten_b", "user", "usr_1"))
    with pytest.raises(TagMismatch):
        fresh.index(tx, "ten_b", "identity", b"x")


def test_an_index_key_does_not_serve_as_a_wrapping_key(vault: Vault, tx: FakeTransaction, source: LocalKeys) -> None:
    tx.run("DELETE FROM tenant_keys WHERE purpose = 'wrap'")
    tx.run("UPDATE tenant_keys SET purpose = 'wrap'")
    with pytest.raises(TagMismatch):
        Vault(source, now=lambda: 0).create_key(tx, OWNER)
