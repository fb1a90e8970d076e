"""How long it takes to find and claim what is due among a million connections.

    python -m tests.bench.due                        a million on SQLite in a temporary folder
    python -m tests.bench.due --url postgresql+psycopg://… --connections 100000      on an empty database

Most are not due; a tenth is overdue and backs off from a provider that is down, which is what used to be scanned.
Claims check a seal and write one. One by one, each is committed to the disk by itself; a hundred at once are two
statements and one commit.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from connector import connections
from connector.connections import Connection, Landed, NewConnection
from connector.model.clock import SystemClock
from connector.storage import Store, Transaction, open_store, upgrade
from providers.secret import Secret
from vault import FileKeySource, Owner, Vault

TENANT = "ten_bench"
ROUNDS = 20
REAL = (ROUNDS + 2) * 100
BATCH = 100
LOOKS = 100
HOUR_MS = 3_600_000


def measure(store: Store, folder: Path, many: int) -> dict[str, float]:
    """Milliseconds; what of is in the name."""
    vault = Vault(FileKeySource.create(folder / "kek-due.json"), now=SystemClock().now)
    seed(store, vault, many)
    looks = sorted(_timed_ms(lambda: _due(store)) for _ in range(LOOKS))
    ids = _due(store)
    if len(ids) != BATCH:
        raise RuntimeError("not enough is due")
    one_by_one = [_timed_ms(lambda one=one: _claim(store, vault, [one])) for one in ids]
    together = sorted(_timed_ms(lambda: _claim_all(store, vault, _due(store))) for _ in range(ROUNDS))
    return {
        f"what is due among {many:,}, {BATCH} at a time, ms (median)": statistics.median(looks),
        f"what is due among {many:,}, {BATCH} at a time, ms (p99)": looks[int(LOOKS * 0.99) - 1],
        f"{BATCH} claims among {many:,}, each committed by itself, ms": sum(one_by_one),
        f"one claim among {many:,}, ms (median)": statistics.median(one_by_one),
        f"{BATCH} claims among {many:,}, found and committed together, ms (median)": statistics.median(together),
        f"{BATCH} claims among {many:,}, found and committed together, ms (most)": together[-1],
    }


def seed(store: Store, vault: Vault, many: int) -> None:
    """A few hundred true connections that are due, and many beside them whose seals nobody will ask for."""
    with store.transaction() as tx:
        vault.create_tenant(tx, TENANT)
        vault.create_key(tx, Owner(TENANT, "tenant", TENANT))
        now = tx.now()
        for number in range(REAL):
            _connection(tx, vault, f"con_true{number}", now - 2 * HOUR_MS)
    columns = [*Connection.__dataclass_fields__, "seal"]
    other = {
        "id": "'con_bench' || i",
        "refresh_at": ":now + (CASE WHEN i % 10 = 0 THEN -1 ELSE 1 END) * (1000 + i % 3600000)",
        "next_attempt_at": "CASE WHEN i % 10 = 0 THEN :now + 3600000 ELSE 0 END",
        "expires_at": ":now + 3600000 + i % 3600000",
    }
    with store.transaction() as tx:
        tx.run(
            f"INSERT INTO connections ({', '.join(columns)})"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)"
            f" SELECT {', '.join(other.get(column, column) for column in columns)}"
            " FROM n CROSS JOIN (SELECT * FROM connections LIMIT 1) like_this",
            many=many,
            now=now,
        )
    if store.dialect == "postgresql":
        with store.transaction() as tx:
            tx.run("ANALYZE connections")


def _connection(tx: Transaction, vault: Vault, connection_id: str, due_at: int) -> None:
    new = NewConnection(connection_id, TENANT, "usr", "p", "idn", "int", "rehearsal", "https://rehearsal.test")
    landed = Landed(Secret("a"), Secret("r"), "Bearer", due_at + HOUR_MS, 3600, (), (), True, due_at, None, None)
    connections.establish(tx, vault, new, landed, now=due_at)


def _due(store: Store) -> list[str]:
    with store.read() as tx:
        return connections.due_refreshes(tx, limit=BATCH)


def _claim(store: Store, vault: Vault, ids: list[str]) -> None:
    with store.transaction() as tx:
        for one in ids:
            if connections.claim_refresh(tx, vault, one, worker="wrk_bench", lease_ms=15_000) is None:
                raise RuntimeError("it could not be claimed")


def _claim_all(store: Store, vault: Vault, ids: list[str]) -> None:
    with store.transaction() as tx:
        if len(connections.claim_refreshes(tx, vault, ids, worker="wrk_bench", lease_ms=15_000)) != BATCH:
            raise RuntimeError("not all could be claimed")


def _timed_ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.due")
    parser.add_argument("--url", help="an empty database; SQLite in a temporary folder where there is none")
    parser.add_argument("--connections", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        store = open_store(given.url or f"sqlite:///{folder}/due.db", SystemClock())
        upgrade(store)
        for what, figure in measure(store, Path(folder), given.connections).items():
            print(f"{what}: {figure:,.2f}")
        store.dispose()


if __name__ == "__main__":
    main()
