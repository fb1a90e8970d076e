"""Blind indexes under another key, while people sign in.

    distribute  every tenant gets a newer index key; from now on both indexes are written, and either is found
    rewrap      what is there gets the second index beside the first
    verify      what lies beside is what belongs there
    promote     the second takes the first one's place, row by row; then the older key goes out of use
    retire      the columns beside are emptied

Nothing is opened for it: the newer key makes the new index out of the old one. Sign-in goes on in every phase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from connector.flows.rotation_parts import Act, Parts, now_at, refuse_broken
from connector.people.indexed import INDEXED as PEOPLE
from connector.records.indexed import INDEXED as RECORDS
from connector.storage import Transaction
from vault.index_rotation import Indexed, IndexRotation, Round
from vault.jobs import Job, Phase, note_done, note_total

INDEXED: tuple[Indexed, ...] = (*PEOPLE, *RECORDS)
BATCH = 500
HELD_S = 0.05  # rows that somebody else holds are free again soon

_After = tuple[object, ...] | None
_Act = Callable[[Transaction, Indexed, str, _After], Round]


def _distribute(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.vault.index_rotation()
    with parts.store.read() as tx:
        behind = rotation.behind(tx, job.created_at)
    for tenant in behind:
        begun = False
        while not begun:
            _emptied(parts, tenant)  # of what an earlier rotation could not empty
            with parts.store.transaction() as tx:
                begun = rotation.begin(tx, INDEXED, tenant, job.created_at)
    return "rewrap"


def _fill(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.vault.index_rotation()
    with parts.store.transaction() as tx:
        tenants = rotation.changing(tx)
        note_total(tx, job, sum(_left(rotation, tx, tenant) for tenant in tenants))
    job = now_at(parts, job)
    done, broken = job.done, 0
    for tenant in tenants:
        while True:
            moved, failed = _pass(parts, job, tenant, done)
            done += moved
            with parts.store.read() as tx:
                left = _left(rotation, tx, tenant) if tenant in rotation.changing(tx) else 0
            if left <= failed:
                broken += left
                break
            parts.store.clock.sleep(HELD_S)
    refuse_broken(parts, job, broken, [], what="indexes are in rows without their seal")
    return "verify"


def _pass(parts: Parts, job: Job, tenant: str, done: int) -> tuple[int, int]:
    """Once through what has nothing beside it: how many were written, and how many are broken."""
    rotation = parts.vault.index_rotation()
    moved = failed = 0

    def fill(tx: Transaction, place: Indexed, of: str, after: _After) -> Round:
        batch = rotation.fill(tx, place, of, after, BATCH)
        note_done(tx, job, batch.done)
        return batch

    for batch in _batches(parts, tenant, fill):
        moved, failed = moved + batch.done, failed + len(batch.broken)
        parts.tell("rewrap", done + moved, max(job.total, done + moved))
    return moved, failed


def _verify(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.vault.index_rotation()
    with parts.store.read() as tx:
        tenants = rotation.changing(tx)
        if any(_left(rotation, tx, tenant) for tenant in tenants):
            return "rewrap"
    tried = broken = 0
    for tenant in tenants:
        for batch in _batches(parts, tenant, partial(_looked_at, rotation)):
            tried, broken = tried + batch.done, broken + len(batch.broken)
            parts.tell("verify", tried, max(job.total, tried))
    refuse_broken(parts, job, broken, [], what="indexes are not what the newer key makes of them")
    return "promote"


def _looked_at(rotation: IndexRotation, tx: Transaction, place: Indexed, tenant: str, after: _After) -> Round:
    return rotation.mismatched(tx, place, tenant, after, BATCH)


def _promote(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.vault.index_rotation()
    with parts.store.read() as tx:
        tenants = rotation.changing(tx)
    moved = 0
    for tenant in tenants:
        while True:
            moved += _until_none(parts, partial(_promoted, rotation, tenant))
            parts.tell("promote", moved, max(job.total, moved))
            with parts.store.transaction() as tx:
                if rotation.retire(tx, INDEXED, tenant):
                    break
                if _left(rotation, tx, tenant):
                    return "rewrap"
            parts.store.clock.sleep(HELD_S)
    return "retire"


def _promoted(rotation: IndexRotation, tenant: str, tx: Transaction, place: Indexed) -> int:
    return rotation.promote(tx, place, tenant, BATCH)


def _clean(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.vault.index_rotation()
    with parts.store.read() as tx:
        if rotation.changing(tx):
            return "promote"
        tenants = rotation.tenants(tx)
    moved = 0
    for tenant in tenants:
        moved += _emptied(parts, tenant)
        parts.tell("retire", moved, max(job.total, moved))
    return "done"


def _emptied(parts: Parts, tenant: str) -> int:
    """Empty the columns beside, rows that are held for a moment too; how many."""
    rotation = parts.vault.index_rotation()
    moved = 0
    while True:
        moved += _until_none(parts, lambda tx, place: rotation.clean(tx, place, tenant, BATCH))
        with parts.store.read() as tx:
            if rotation.empty(tx, INDEXED, tenant):
                return moved
        parts.store.clock.sleep(HELD_S)


def _batches(parts: Parts, tenant: str, act: _Act) -> Iterator[Round]:
    for place in INDEXED:
        after: _After = None
        while True:
            with parts.store.transaction() as tx:
                batch = act(tx, place, tenant, after)
            yield batch
            after = batch.after
            if after is None:
                break


def _until_none(parts: Parts, act: Callable[[Transaction, Indexed], int]) -> int:
    moved = 0
    for place in INDEXED:
        while True:
            with parts.store.transaction() as tx:
                batch = act(tx, place)
            moved += batch
            if not batch:
                break
    return moved


def _left(rotation: IndexRotation, tx: Transaction, tenant: str) -> int:
    return sum(rotation.left(tx, place, tenant) for place in INDEXED)


INDEX_PHASES: Mapping[Phase, Act] = {
    "distribute": _distribute,
    "rewrap": _fill,
    "verify": _verify,
    "promote": _promote,
    "retire": _clean,
}
