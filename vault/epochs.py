"""Epochs of keys: since when the present ones are in use, which were retired, and by when nothing of an old one opens.

An epoch ends when every tenant has another wrapping key and another KEK wraps: what was destroyed in it lies in backups
under keys that nobody uses any more. It is over for good when the retired KEK is forgotten, which waits until the last
backup that needs it has expired. Times are ms since the epoch of clocks; lengths too.
"""

from collections.abc import Collection
from dataclasses import dataclass

from vault.jobs import newest_jobs
from vault.tables import Transaction

_ALL = 1_000


@dataclass(frozen=True, slots=True)
class Retired:
    """A KEK that wraps nothing any more."""

    kek_id: str
    retired_at: int


def began_at(tx: Transaction) -> int | None:
    """Since when no tenant's wrapping key is older: the beginning of this epoch. None without keys."""
    row = tx.one(
        "SELECT MIN(newest) AS began FROM (SELECT MAX(created_at) AS newest FROM tenant_keys"
        " WHERE purpose = 'wrap' AND retired_at IS NULL GROUP BY tenant_id) of_tenants"
    )
    return None if row is None or row["began"] is None else int(row["began"])


def ends_at(tx: Transaction, length: int) -> int | None:
    """When this epoch is to end."""
    began = began_at(tx)
    return None if began is None else began + length


def worthless_by(tx: Transaction, destroyed_at: int, length: int, retention: int) -> int:
    """By when no backup opens what was sealed under a key that was destroyed at this time.

    Backups that hold the key were made until then; they open with this epoch's KEK, which is retired at the epoch's end
    and forgotten once backups are no longer kept.
    """
    return max(destroyed_at, ends_at(tx, length) or destroyed_at) + retention


def retired(tx: Transaction, known: Collection[str]) -> list[Retired]:
    """Of the KEKs that are known to be retired, since when; oldest first."""
    found: dict[str, int] = {}
    for job in newest_jobs(tx, _ALL):
        if job.kind == "kek" and job.finished_at is not None:
            for kek_id in job.from_keks:
                found.setdefault(kek_id, job.finished_at)
    return sorted(
        (Retired(kek_id, at) for kek_id, at in found.items() if kek_id in known), key=lambda one: one.retired_at
    )
