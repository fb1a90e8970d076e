from dataclasses import replace

import pytest

from tests.clock import ManualClock
from tests.vault.fake_database import FakeTransaction
from vault import (
    Address,
    CommitmentMismatch,
    KeyDestroyed,
    Owner,
    Vault,
)

OWNER = Owner("ten_a", "connection_tokens", "con_42")
ADDRESS = Address("ten_a", "connection_tokens", "con_42", "google", "connection_tokens.refresh")


def _row(tx: FakeTransaction, owner: Owner = OWNER, epoch: int = 1) -> tuple[str, bytes]:
    row = tx.one(
        "SELECT tenant_key_id, wrapped FROM data_keys WHERE owner_kind = :kind AND owner_id = :id AND epoch = :epoch",
        kind=owner.kind,
        id=owner.id,
        epoch=epoch,
    )
    assert row is not None
    return row["tenant_key_id"], row["wrapped"]


def test_unwrap_refuses_a_destroyed_key_without_a_query(vault: Vault, tx: FakeTransaction) -> None:
    before = tx.statements
    with pytest.raises(KeyDestroyed):
        vault.unwrap(tx, OWNER, 1, "tky_x", None)
    assert tx.statements == before


def test_destroying_ends_every_epoch_and_is_written_down(vault: Vault, tx: FakeTransaction, clock: ManualClock) -> None:
    keys = [vault.create_key(tx, OWNER), vault.create_key(tx, OWNER)]
    wrapped = [_row(tx, epoch=epoch)[1] for epoch in (1, 2)]
    neighbour = Owner("ten_a", "connection_data", "con_42")
    vault.create_key(tx, neighbour)
    clock.advance(5)
    assert vault.destroy(tx, OWNER) == 2
    for epoch in (None, 1, 2):
        with pytest.raises(KeyDestroyed):
            vault.key(tx, OWNER, epoch)
    rows = tx.all("SELECT * FROM data_keys WHERE owner_kind = 'connection_tokens'")
    assert [(row["wrapped"], row["destroyed_at"]) for row in rows] == [(None, clock.now())] * 2
    ledger = tx.all("SELECT * FROM shred_ledger ORDER BY epoch")
    assert [(row["tenant_id"], row["owner_kind"], row["owner_id"], row["epoch"]) for row in ledger] == [
        ("ten_a", "connection_tokens", "con_42", 1),
        ("ten_a", "connection_tokens", "con_42", 2),
    ]
    assert len({row["id"] for row in ledger}) == 2
    assert vault.key(tx, neighbour).epoch == 1
    assert len(keys) == len(wrapped) == 2


def test_destroying_twice_destroys_and_records_nothing_more(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, OWNER)
    assert vault.destroy(tx, OWNER) == 1
    assert vault.destroy(tx, OWNER) == 0
    assert len(tx.all("SELECT id FROM shred_ledger")) == 1


def test_a_tenant_cannot_destroy_another_tenants_keys(vault: Vault, tx: FakeTransaction) -> None:
    vault.create_key(tx, OWNER)
    assert vault.destroy(tx, replace(OWNER, tenant="ten_b")) == 0
    assert vault.key(tx, OWNER).epoch == 1


def test_a_destroyed_epoch_is_never_used_again(vault: Vault, tx: FakeTransaction) -> None:
    blob = vault.create_key(tx, OWNER).seal(ADDRESS, b"token", generation=1)
    vault.destroy(tx, OWNER)
    anew = vault.create_key(tx, OWNER)
    assert anew.epoch == 2
    forged = blob[:4] + (2).to_bytes(4, "big") + blob[8:]
    with pytest.raises(CommitmentMismatch):
        anew.open(ADDRESS, forged, generation=1)


def test_if_only_the_owner_were_forgotten_a_kept_wrapped_key_would_still_open(
    vault: Vault, tx: FakeTransaction
) -> None:
    blob = vault.create_key(tx, OWNER).seal(ADDRESS, b"token", generation=1)
    tenant_key_id, wrapped = _row(tx)  # a backup's copy: what destroying a row does not reach
    vault.destroy(tx, OWNER)
    assert vault.unwrap(tx, OWNER, 1, tenant_key_id, wrapped).open(ADDRESS, blob, generation=1) == b"token"
