"""Epochs of keys on a schedule: when the next one is due, and which retired keys no kept backup needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from connector.flows.shredding import last_rewrite
from connector.model.instants import iso
from connector.settings import Settings
from connector.storage import Store, Transaction
from vault import GrowingKeySource, KeySource, epochs
from vault.jobs import Kind, open_job

BOTH: tuple[Kind, ...] = ("tenant_keys", "kek")
"""In this order no older tenant key ever lies under the newer KEK: forgetting the older one ends its backups."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A retired KEK, and from when on it may be forgotten (ms); None: nobody said how long backups are kept."""

    kek_id: str
    retired_at: int
    forget_from: int | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates of the keys; ms. `due_at` is when the epoch that began at `began_at` is to end."""

    began_at: int | None
    due_at: int | None
    overdue: bool
    retired: tuple[Waiting, ...]
    rewritten_at: int | None  # PostgreSQL: the files of the tables of keys

    def document(self) -> dict[str, object]:
        """For machines, with instants in words."""
        return {
            "began_at": iso(self.began_at),
            "rotation_due_at": iso(self.due_at),
            "overdue": self.overdue,
            "retired": [
                {"kek": one.kek_id, "retired_at": iso(one.retired_at), "forget_from": iso(one.forget_from)}
                for one in self.retired
            ],
            "key_files_rewritten_at": iso(self.rewritten_at),
        }


def calendar(settings: Settings, tx: Transaction, source: KeySource) -> Calendar:
    """The dates as they are now."""
    due = epochs.ends_at(tx, _ms(settings.vault.epoch))
    kept = settings.vault.backup_retention
    known = source.retired_ids() if isinstance(source, GrowingKeySource) else frozenset()
    retired = tuple(
        Waiting(one.kek_id, one.retired_at, None if kept is None else one.retired_at + _ms(kept))
        for one in epochs.retired(tx, known)
    )
    overdue = due is not None and due <= tx.now()
    return Calendar(epochs.began_at(tx), due, overdue, retired, last_rewrite(tx) or None)


def due_kinds(settings: Settings, store: Store) -> tuple[Kind, ...]:
    """What is to be rotated now: both when the epoch is over, what was begun and is not finished, or nothing."""
    with store.read() as tx:
        due = epochs.ends_at(tx, _ms(settings.vault.epoch))
        if due is not None and due <= tx.now():
            return BOTH
        return tuple(kind for kind in BOTH if open_job(tx, kind) is not None)


def forget_due(settings: Settings, store: Store, source: KeySource) -> list[str]:
    """Forget the retired KEKs that no backup needs that is still kept; their ids. None where nobody says how long."""
    if not isinstance(source, GrowingKeySource):
        return []
    with store.read() as tx:
        now = tx.now()
        over = [
            one.kek_id
            for one in calendar(settings, tx, source).retired
            if one.forget_from is not None and one.forget_from <= now
        ]
    for kek_id in over:
        source.forget(kek_id)
    return over


def _ms(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
