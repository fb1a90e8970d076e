"""What destroying a key means, with dates: live, in the database's own files, and in backups.

    live      at the commit: nothing that the gateway serves can open it
    storage   the database's files hold the key's bytes no more: on SQLite freed pages are zeros and the log is cut,
              which is tried until nobody reads; on PostgreSQL the narrow tables of keys are written anew, once a day
    backups   nobody can open a copy: the epoch's key encryption key is retired, and forgotten when backups are

PostgreSQL's write-ahead log is a backup: nothing here can empty it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from connector.flows.gateway import Gateway
from connector.model.instants import iso
from connector.settings import Settings
from connector.storage import Store, Transaction
from connector.storage.errors import DatabaseUnavailable
from vault import epochs
from vault.shreds import shred_position

LOG_CUT_BY_MS = 3_600_000  # SQLite: a reader keeps the log from being cut; none reads for an hour
LOCK_WAIT = "5s"
_TABLES = ("data_keys", "tenant_keys")
_OURS = (
    "SELECT bool_and(pg_has_role(c.relowner, 'USAGE')) AS ours FROM pg_class c"
    " WHERE c.oid IN ('data_keys'::regclass, 'tenant_keys'::regclass)"
)
_REWRITING = 4020218  # of the advisory locks
_log = structlog.get_logger("shredding")


@dataclass(frozen=True, slots=True)
class Levels:
    """When each level is reached; ms since the epoch. `backups_by` None: nobody said how long backups are kept."""

    live_at: int
    storage_by: int
    backups_by: int | None


def levels(settings: Settings, tx: Transaction, destroyed_at: int) -> Levels:
    """The dates for a key that was destroyed at this time."""
    vault = settings.vault
    storage = LOG_CUT_BY_MS if tx.dialect == "sqlite" else 2 * _ms(vault.rewrite_every)
    if vault.backup_retention is None:
        return Levels(destroyed_at, destroyed_at + storage, None)
    by = epochs.worthless_by(tx, destroyed_at, _ms(vault.epoch), _ms(vault.backup_retention))
    return Levels(destroyed_at, destroyed_at + storage, by)


def told(gateway: Gateway, tx: Transaction, destroyed_at: int | None) -> dict[str, Any]:
    """The part of a receipt; empty while the key is not destroyed."""
    if destroyed_at is None:
        return {}
    found = levels(gateway.settings, tx, destroyed_at)
    where = "and its log, but for its file system" if tx.dialect == "sqlite" else "but not its write-ahead log"
    return {
        "shredding": {
            "live_at": iso(found.live_at),
            "live": "Nothing that the gateway serves can open it.",
            "storage_by": iso(found.storage_by),
            "storage": f"The key's bytes are gone from the database's files, {where}.",
            "backups_by": iso(found.backups_by),
            "backups": (
                "Nobody can open it in a backup or a log: the key encryption key of that time is forgotten."
                if found.backups_by is not None
                else "No date: the operator has not said how long backups are kept."
            ),
        }
    }


class Upkeep:
    """Keeps the storage level's promise: after keys were destroyed, their bytes leave the files. One per process."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._clean_to = -1  # the last destruction that the files are known to be clean of

    def step(self) -> int:
        """One look; 1 where the files were cleaned."""
        store = self._gateway.store
        with store.read() as tx:
            many, last = shred_position(tx)
            rewritten, now = last_rewrite(tx), tx.now()
        if not many or last <= max(self._clean_to, rewritten - 1):
            return 0
        if store.dialect == "sqlite":
            cleaned = store.scrub()
        else:
            waited = now - rewritten >= _ms(self._gateway.settings.vault.rewrite_every)
            cleaned = waited and _rewritten(store)
        if cleaned:
            self._clean_to = last
        return int(cleaned)


def _rewritten(store: Store) -> bool:
    try:
        return rewrite(store)
    except DatabaseUnavailable as problem:  # somebody holds the tables for long; whoever is next sees if it is more
        _log.info("shredding.later", detail=problem.detail)
        return False


def last_rewrite(tx: Transaction) -> int:
    """When the tables of keys were last written anew (PostgreSQL; ms); 0: never."""
    row = tx.one("SELECT COALESCE(MAX(began_at), 0) AS newest FROM key_rewrites")
    return 0 if row is None else int(row["newest"])


def rewrite(store: Store) -> bool:
    """Write the tables of keys anew, so that their files hold nothing that was overwritten; False: somebody else does.

    Nobody reads a key meanwhile. Where that lock cannot be had within seconds, the next round tries again.
    """
    with store.read() as tx:
        if not (tx.one(_OURS) or {"ours": False})["ours"]:  # then the server only warns, and rewrites nothing
            _log.warning("shredding.not_owner", tables=_TABLES)
            return False
        if not (tx.one(f"SELECT pg_try_advisory_lock({_REWRITING}) AS held") or {"held": False})["held"]:
            return False
        try:
            began = tx.now()
            tx.all(f"SELECT set_config('lock_timeout', '{LOCK_WAIT}', false)")
            for table in _TABLES:
                tx.run(f"VACUUM (FULL) {table}")
        finally:
            tx.all("SELECT set_config('lock_timeout', '0', false)")
            tx.all(f"SELECT pg_advisory_unlock({_REWRITING})")
        took = store.now() - began
    with store.transaction() as tx:
        tx.run("INSERT INTO key_rewrites (began_at, took_ms) VALUES (:began, :took)", began=began, took=took)
    _log.info("shredding.rewritten", ms=took)
    return True


def _ms(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
