"""Rotations as rows of rekey_jobs: what is under way, and how far it is. The keys themselves say what is left to do."""

import json
from dataclasses import dataclass
from typing import Literal

from vault.tables import Row, Transaction, new_id

Kind = Literal["kek", "tenant_keys", "indexes"]
Phase = Literal["distribute", "promote", "rewrap", "verify", "retire", "done"]

PHASES: tuple[Phase, ...] = ("distribute", "promote", "rewrap", "verify", "retire", "done")


@dataclass(frozen=True, slots=True)
class Job:
    """A rotation. Times in ms since the epoch.

    Attributes:
        to_kek: the KEK that everything comes under; empty for the other kinds.
        from_keks: the KEKs that are to be retired at the end.
        total, done, failed: keys that were to be rewrapped, that were, and that would not open.
        created_at: later than any tenant key that was there when it began.
    """

    id: str
    kind: Kind
    to_kek: str
    from_keks: tuple[str, ...]
    phase: Phase
    total: int
    done: int
    failed: int
    started_by: str
    created_at: int
    heartbeat_at: int
    finished_at: int | None


def open_job(tx: Transaction, kind: Kind) -> Job | None:
    """The rotation of this kind that is under way."""
    row = tx.one("SELECT * FROM rekey_jobs WHERE kind = :kind AND finished_at IS NULL", kind=kind)
    return None if row is None else _job(row)


def begin_job(tx: Transaction, kind: Kind, to_kek: str, from_keks: tuple[str, ...], started_by: str) -> Job:
    """The rotation that is under way, or a new one: two who begin at once begin the same."""
    row = tx.one("SELECT MAX(created_at) AS newest FROM tenant_keys")
    newest = 0 if row is None or row["newest"] is None else int(row["newest"])
    tx.run(
        "INSERT INTO rekey_jobs (id, kind, to_kek, from_keks, phase, started_by, created_at, heartbeat_at)"
        " VALUES (:id, :kind, :to_kek, :from_keks, 'distribute', :by, :created_at, :now)"
        " ON CONFLICT (kind) WHERE finished_at IS NULL DO NOTHING",
        id=new_id("rek"),
        kind=kind,
        to_kek=to_kek,
        from_keks=json.dumps(from_keks),
        by=started_by,
        created_at=max(tx.now(), newest + 1),
        now=tx.now(),
    )
    found = open_job(tx, kind)
    if found is None:
        raise RuntimeError("a rotation that was begun is not there")
    return found


def advance(tx: Transaction, job: Job, phase: Phase) -> bool:
    """Bring the rotation into another phase; False where somebody else moved it."""
    return bool(
        tx.run(
            "UPDATE rekey_jobs SET phase = :phase, heartbeat_at = :now,"
            " finished_at = CASE WHEN :phase = 'done' THEN :finished ELSE NULL END"
            " WHERE id = :id AND phase = :was AND finished_at IS NULL",
            id=job.id,
            phase=phase,
            was=job.phase,
            now=tx.now(),
            finished=tx.now(),
        )
    )


def note_total(tx: Transaction, job: Job, left: int) -> None:
    """Say how many keys are to be rewrapped: those that were, and those that are left."""
    tx.run("UPDATE rekey_jobs SET total = done + :left, failed = 0 WHERE id = :id", id=job.id, left=left)


def note_done(tx: Transaction, job: Job, done: int) -> None:
    """Count keys that were rewrapped; also a sign of life."""
    tx.run(
        "UPDATE rekey_jobs SET done = done + :done, heartbeat_at = :now WHERE id = :id",
        id=job.id,
        done=done,
        now=tx.now(),
    )


def note_failed(tx: Transaction, job: Job, failed: int) -> None:
    """Say how many keys would not open."""
    tx.run("UPDATE rekey_jobs SET failed = :failed WHERE id = :id", id=job.id, failed=failed)


def find_job(tx: Transaction, job_id: str) -> Job | None:
    """The rotation of that id."""
    row = tx.one("SELECT * FROM rekey_jobs WHERE id = :id", id=job_id)
    return None if row is None else _job(row)


def under_way(tx: Transaction) -> list[Job]:
    """Every rotation that is not finished."""
    return [_job(row) for row in tx.all("SELECT * FROM rekey_jobs WHERE finished_at IS NULL ORDER BY kind")]


def newest_jobs(tx: Transaction, limit: int = 10) -> list[Job]:
    """The latest rotations, newest first."""
    rows = tx.all("SELECT * FROM rekey_jobs ORDER BY created_at DESC, id LIMIT :limit", limit=limit)
    return [_job(row) for row in rows]


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        to_kek=row["to_kek"],
        from_keks=tuple(json.loads(row["from_keks"])),
        phase=row["phase"],
        total=row["total"],
        done=row["done"],
        failed=row["failed"],
        started_by=row["started_by"],
        created_at=row["created_at"],
        heartbeat_at=row["heartbeat_at"],
        finished_at=row["finished_at"],
    )
