"""How many data keys a second come under another tenant key.

    python -m tests.bench.rotation                        100,000 keys on SQLite in a temporary folder
    python -m tests.bench.rotation --url postgresql+psycopg://… --keys 500000     on an empty database

The whole phase is measured: reading, opening, wrapping, exchanging on condition, committing to disk.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from connector.flows.rotate_keys import rotate
from connector.flows.rotation_parts import Parts
from connector.model.clock import SystemClock
from connector.model.ids import new_id
from connector.storage import Store, open_store, upgrade
from vault import FileKeySource, Owner, Vault
from vault.tenant_key import TenantKey

TENANT = "ten_bench"
GOAL = 50_000


def measure(store: Store, folder: Path, keys: int) -> float:
    """Rewraps a second, over `keys` data keys of one tenant."""
    source = FileKeySource.create(folder / "kek.json")
    vault = Vault(source, now=SystemClock().now)
    seed(store, vault, keys)
    seen: dict[str, list[float]] = {}

    def tell(phase: str, _done: int, _total: int) -> None:
        seen.setdefault(phase, []).append(time.perf_counter())

    outcome = rotate(Parts(store, vault, source, "bench", tell), "tenant_keys")
    assert outcome.finished
    return keys / (seen["verify"][0] - seen["rewrap"][0])


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--url", help="an empty database; else SQLite in a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(given.url or f"sqlite:///{folder}/bench.db")
        upgrade(store)
        rate = measure(store, Path(folder), given.keys)
        store.dispose()
    print(f"{rate:,.0f} rewraps/s over {given.keys:,} keys on {store.dialect}; goal {GOAL:,}/s on two idle cores")


if __name__ == "__main__":
    main()
