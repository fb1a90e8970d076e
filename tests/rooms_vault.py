"""A vault with one tenant, for tests of a single room."""

from __future__ import annotations

from pathlib import Path

from connector.storage import Store
from tests.clock import ManualClock
from vault import FileKeySource, Owner, Vault

TENANT = "ten_" + "a" * 26


def make_vault(tmp_path: Path, store: Store, clock: ManualClock) -> Vault:
    """A vault whose tenant has its keys."""
    vault = Vault(FileKeySource.create(tmp_path / "kek.json"), now=clock.now)
    with store.transaction() as tx:
        vault.create_tenant(tx, TENANT)
        vault.create_key(tx, Owner(TENANT, "tenant", TENANT))
    return vault
