"""How many data keys a second come under another tenant key.

    python -m tests.bench.rotation                        200,000 keys on SQLite in a temporary folder
    python -m tests.bench.rotation --url postgresql+psycopg://… --keys 500000     on an empty database

The whole phase is measured: reading, opening, wrapping, exchanging on condition, committing to disk. Beside it stands
what the database alone takes for updates of the same rows in the same batches, with nothing opened or wrapped.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from connector.flows.rotate_keys import DATA_KEY_BATCH, rotate
from connector.flows.rotation_parts import Parts
from connector.model.clock import SystemClock
from connector.model.ids import new_id
from connector.storage import Store, open_store, upgrade
from vault import FileKeySource, Owner, Vault
from vault.tables import TenantKeyRow
from vault.tenant_key import Rewrapped, TenantKey

TENANT = "ten_bench"
GOAL = 50_000


def measure(store: Store, folder: Path, keys: int) -> dict[str, float]:
    """Rewraps a second, over `keys` data keys of one tenant, and updates a second of the database alone."""
    source = FileKeySource.create(folder / "kek.json")
    vault = Vault(source, now=SystemClock().now)
    seed(store, vault, keys)
    seen: dict[str, list[float]] = {}

    def tell(phase: str, _done: int, _total: int) -> None:
        seen.setdefault(phase, []).append(time.perf_counter())

    outcome = rotate(Parts(store, vault, source, "bench", tell), "tenant_keys")
    assert outcome.finished
    rate = keys / (seen["verify"][0] - seen["rewrap"][0])
    alone = updates(store, vault, keys)
    return {
        f"data keys rewrapped a second, of {keys:,}": rate,
        "updates of the same rows a second, the database alone": alone,
        "rewrapping as a share of that": rate / alone,
    }


def updates(store: Store, vault: Vault, keys: int) -> float:
    """How many a second, from values that are at hand. The keys are of no use after it."""
    rotation = vault.rotation()
    with store.read() as tx:
        row = rotation.newest_wrap(tx, TENANT)
        assert row is not None
        there: list[Rewrapped] = [
            (one["place"], bytes(one["wrapped"]), os.urandom(60)) for one in rotation.data_keys_under(tx, row, keys)
        ]
    other = TenantKeyRow("other", TENANT, "wrap", "", b"")
    began = time.perf_counter()
    for start in range(0, keys, DATA_KEY_BATCH):
        with store.transaction() as tx:
            rotation.exchange_data_keys(tx, other, there[start : start + DATA_KEY_BATCH])
    return keys / (time.perf_counter() - began)


def seed(store: Store, vault: Vault, keys: int) -> None:
    """One tenant with so many data keys."""
    with store.transaction() as tx:
        vault.create_tenant(tx, TENANT)
        row = vault.rotation().newest_wrap(tx, TENANT)
        assert row is not None
        wrap: TenantKey = vault._open_tenant_key(row)
        for start in range(0, keys, 10_000):
            owners = [Owner(TENANT, "connection_tokens", new_id("con")) for _ in range(min(10_000, keys - start))]
            tx.many(
                "INSERT INTO data_keys (tenant_id, owner_kind, owner_id, epoch, tenant_key_id, wrapped, created_at)"
                " VALUES (:tenant, :kind, :id, 1, :key, :wrapped, 0)",
                [
                    {
                        "tenant": owner.tenant,
                        "kind": owner.kind,
                        "id": owner.id,
                        "key": row.id,
                        "wrapped": wrap.wrap(owner, 1, os.urandom(32)),
                    }
                    for owner in owners
                ],
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--url", help="an empty database; else SQLite in a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(given.url or f"sqlite:///{folder}/bench.db")
        upgrade(store)
        for what, figure in measure(store, Path(folder), given.keys).items():
            print(f"{what}, {store.dialect}: {figure:,.2f}")
        store.dispose()
    print(f"goal: {GOAL:,} a second on two idle cores")


if __name__ == "__main__":
    main()
