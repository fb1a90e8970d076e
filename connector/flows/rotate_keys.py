"""Rotation of keys while the gateway works: distribute, promote, rewrap, verify, retire.

    kek           a new key in the key file → it wraps → every tenant key under it → all tried → old ones retired
    tenant_keys   a new wrapping key for every tenant → every data key under it → all tried → old ones retired
    indexes       a new index key for every tenant: see `rotate_indexes`

Each phase is a row's word, and each may be cut off at any point: whoever comes next reads where it stands and goes on.
Two who run it at once share the work. Handouts go on: whatever was read a moment ago still opens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector.flows.rotate_indexes import INDEX_PHASES
from connector.flows.rotation_parts import Act, Outcome, Parts, ToDo, now_at, refuse_broken, tell
from connector.model.errors import BadInput, Conflict, Misconfigured
from connector.storage import Row
from vault import GrowingKeySource, KeySource, KeySourceError
from vault.jobs import Job, Kind, Phase, advance, begin_job, note_done, note_total, open_job
from vault.rotation import Rewrap
from vault.tables import TenantKeyRow

KEK_BATCH = 200
DATA_KEY_BATCH = 1_000
VERIFY_BATCH = 2_000
DRAIN_S = 5.0  # whoever read a data key's row just before it was rewrapped has used it by then

_Name = tuple[str, str, int]  # owner kind, owner id, epoch


def rotate(parts: Parts, kind: Kind, *, to: str | None = None, other_hosts: frozenset[str] = frozenset()) -> Outcome:
    """Begin a rotation of this kind, or go on with the one under way, until it is done or the operator is needed.

    Args:
        parts: store, vault, key source and whom to tell.
        kind: kek, tenant_keys or indexes.
        to: the KEK that is to wrap, by its id; absent: the next number. For kind kek.
        other_hosts: hosts on which gateways run that may not have the new key yet.

    Raises:
        Conflict: a rotation to another KEK is under way.
        Misconfigured: keys do not open, or the key source cannot serve.
        DatabaseUnavailable: nothing is lost; run it again.
    """
    try:
        job = _begun(parts, kind, to)
        phases = _PHASES[kind]
        while job.phase != "done":
            parts.tell(job.phase, job.done, job.total)
            job = _moved(parts, job, phases[job.phase](parts, job, other_hosts))
    except ToDo as needed:
        return Outcome(now_at(parts, job), str(needed))
    except KeySourceError as error:
        raise Misconfigured("key_source", f"{error.what} {error.mend}") from error
    return Outcome(job)


def key_named(source: KeySource, name: str | None) -> str:
    """The id of the KEK of that name; without a name, of the next number that is free."""
    known = source.key_ids() | (source.retired_ids() if isinstance(source, GrowingKeySource) else frozenset())
    prefix = source.key_id().rpartition(":")[0]
    if name in known:
        return name
    if name:
        return name if name.startswith(f"{prefix}:") else f"{prefix}:{name}"
    mine = (one.removeprefix(f"{prefix}:") for one in known if one.startswith(f"{prefix}:"))
    numbers = [int(word) for word in mine if word.isdecimal()]
    return f"{prefix}:{max(numbers, default=0) + 1}"


def _begun(parts: Parts, kind: Kind, to: str | None) -> Job:
    if kind != "kek":
        with parts.store.transaction() as tx:
            return open_job(tx, kind) or begin_job(tx, kind, "", (), parts.by)
    source = parts.source  # asked before the transaction: it may be a service
    goal, wraps = key_named(source, to), source.key_id()
    retired = source.retired_ids() if isinstance(source, GrowingKeySource) else frozenset()
    with parts.store.transaction() as tx:
        under_way = open_job(tx, kind)
        if under_way is not None:
            _same_goal(under_way, goal if to else under_way.to_kek)
            return under_way
        if goal in retired:
            raise BadInput("key_retired", f"The key {goal} was retired; name another with --to.")
        used = {row.kek_id for row in parts.rotation.behind(tx, goal, 1_000_000)}
        return begin_job(tx, kind, goal, tuple(sorted((used | {wraps}) - {goal})), parts.by)


def _same_goal(job: Job, goal: str) -> None:
    if job.to_kek != goal:
        raise Conflict(
            "rotation_under_way", f"A rotation to {job.to_kek} is under way; finish it first: connector vault rotate"
        )


def _moved(parts: Parts, job: Job, phase: Phase) -> Job:
    with parts.store.transaction() as tx:
        advance(tx, job, phase)  # or another runner did, and the row says where to go on
    return now_at(parts, job)


# Under another KEK ---------------------------------------------------------------------------------


def _distribute(parts: Parts, job: Job, other_hosts: frozenset[str]) -> Phase:
    if isinstance(parts.source, GrowingKeySource):
        parts.source.add(job.to_kek)
    elif job.to_kek not in parts.source.key_ids():
        raise ToDo(
            f"Make a key named {job.to_kek.rpartition(':')[2]}, add it behind the present one where the gateway gets "
            "its keys from, restart every process, and run this command again."
        )
    if other_hosts:
        raise ToDo(
            f"The new key is in the key file here. Copy that file to {', '.join(sorted(other_hosts))}, then run: "
            "connector vault rotate --distributed"
        )
    return "promote"


def _promote(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    if isinstance(parts.source, GrowingKeySource):
        parts.source.promote(job.to_kek)
    elif parts.source.key_id() != job.to_kek:
        raise ToDo(
            f"Put the key {job.to_kek.rpartition(':')[2]} first where the gateway gets its keys from, restart every "
            "process, and run this command again."
        )
    return "rewrap"


def _rewrap(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.rotation
    _drop_empty(parts)
    with parts.store.transaction() as tx:
        note_total(tx, job, rotation.count_behind(tx, job.to_kek))
    broken: dict[str, TenantKeyRow] = {}
    while True:
        with parts.store.read() as tx:
            rows = rotation.behind(tx, job.to_kek, KEK_BATCH + len(broken))
        done, failed = rotation.rewrap([row for row in rows if row.id not in broken], job.to_kek)
        broken |= {row.id: row for row in failed}
        if not done and not failed:
            break
        with parts.store.transaction() as tx:
            note_done(tx, job, rotation.exchange(tx, done))
        tell(parts, job)
    refuse_broken(parts, job, len(broken), sorted({row.kek_id for row in broken.values()}))
    return "verify"


def _drop_empty(parts: Parts) -> None:
    """Tenant keys that wrap nothing any more are left behind, once nobody can be about to use what they wrapped."""
    clock = parts.store.clock
    for wait in (0.0, DRAIN_S):
        clock.sleep(wait)
        with parts.store.transaction() as tx:
            if not parts.rotation.drop_empty(tx, tx.now() - int(DRAIN_S * 1000) + 1):
                return


def _verify(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    with parts.store.read() as tx:
        if parts.rotation.count_behind(tx, job.to_kek):
            return "rewrap"
        findings = parts.vault.check(tx)
    if findings:
        raise Misconfigured(findings[0].code, " ".join(finding.sentence for finding in findings))
    return "retire"


def _retire(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    if not isinstance(parts.source, GrowingKeySource):
        return "done"
    with parts.store.transaction() as tx:
        parts.rotation.let_none_arrive(tx)
        if parts.rotation.count_behind(tx, job.to_kek):
            return "rewrap"
        for key_id in job.from_keks:
            parts.source.retire(key_id)
    return "done"


# Under another tenant key --------------------------------------------------------------------------


def _nothing_to_distribute(_parts: Parts, _job: Job, _other_hosts: frozenset[str]) -> Phase:
    return "promote"


def _begin_epoch(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    """New tenant keys. A key service is asked between two transactions, never within one."""
    while True:
        with parts.store.read() as tx:
            behind = parts.rotation.without_epoch(tx, job.created_at, KEK_BATCH)
        if not behind:
            return "rewrap"
        fresh = parts.rotation.new_wraps(behind)
        with parts.store.transaction() as tx:
            parts.rotation.begin_epoch(tx, job.created_at, fresh)


def _rewrap_data_keys(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.rotation
    with parts.store.transaction() as tx:
        note_total(tx, job, rotation.count_under_old(tx))
        old_wraps = rotation.old_wraps(tx)
    job = now_at(parts, job)
    broken = 0
    for old in old_wraps:
        with parts.store.read() as tx:
            new = rotation.newest_wrap(tx, old.tenant)
        if new is None:
            raise Misconfigured("tenant_key_missing", f"Tenant {old.tenant} has no wrapping key that is in use.")
        broken += _empty(parts, job, old, new)
    refuse_broken(parts, job, broken, [])
    return "verify"


def _empty(parts: Parts, job: Job, old: TenantKeyRow, new: TenantKeyRow) -> int:
    """Bring everything from one tenant key under the newer one; how many keys would not open."""
    broken: set[_Name] = set()
    told, rewrap = job.done, parts.rotation.rewrapping(old, new)
    while True:
        seen, moved = _batch(parts, job, (old, new, rewrap), broken)
        if not seen:
            break
        told += moved
        parts.tell("rewrap", told, max(job.total, told))
    with parts.store.transaction() as tx:
        parts.rotation.carry_destroyed(tx, old, new)
    return len(broken)


def _batch(
    parts: Parts, job: Job, keys: tuple[TenantKeyRow, TenantKeyRow, Rewrap], broken: set[_Name]
) -> tuple[int, int]:
    """How many were looked at, and how many were rewrapped.

    PostgreSQL: rows that somebody else holds are passed over, so this waits for nobody and nobody waits in a circle.
    SQLite: the work is done before the one write lock is taken.
    """
    rotation, store = parts.rotation, parts.store
    old, new, rewrap = keys
    limit = DATA_KEY_BATCH + len(broken)
    if store.dialect == "postgresql":
        with store.transaction() as tx:
            rows = _fresh(rotation.data_keys_under(tx, old, limit, tx.skip_locked), broken)
            done, failed = rewrap(rows)
            moved = rotation.exchange_data_keys(tx, new, done)
            note_done(tx, job, moved)
    else:
        with store.read() as tx:
            rows = _fresh(rotation.data_keys_under(tx, old, limit), broken)
        done, failed = rewrap(rows)
        with store.transaction() as tx:
            moved = rotation.exchange_data_keys(tx, new, done)
            note_done(tx, job, moved)
    broken |= {_named(row) for row in failed}
    return len(rows), moved


def _verify_data_keys(parts: Parts, job: Job, _other_hosts: frozenset[str]) -> Phase:
    rotation = parts.rotation
    with parts.store.read() as tx:
        if rotation.count_under_old(tx):
            return "rewrap"
        every = rotation.count_data_keys(tx)
    tried, broken, after = 0, 0, None
    while True:
        with parts.store.read() as tx:
            many, failed, last = rotation.unreadable(tx, after, VERIFY_BATCH)
        if last is None:
            break
        tried, broken, after = tried + many, broken + len(failed), last
        parts.tell("verify", tried, max(every, tried))
    refuse_broken(parts, job, broken, [])
    return "retire"


def _retire_tenant_keys(parts: Parts, _job: Job, _other_hosts: frozenset[str]) -> Phase:
    with parts.store.transaction() as tx:
        parts.rotation.retire(tx)
        return "rewrap" if parts.rotation.old_wraps(tx) else "done"


def _fresh(rows: Sequence[Row], broken: set[_Name]) -> list[Row]:
    return [row for row in rows if _named(row) not in broken]


def _named(row: Row) -> _Name:
    return row["owner_kind"], row["owner_id"], row["epoch"]


_KEK_PHASES: Mapping[Phase, Act] = {
    "distribute": _distribute,
    "promote": _promote,
    "rewrap": _rewrap,
    "verify": _verify,
    "retire": _retire,
}
_TENANT_KEY_PHASES: Mapping[Phase, Act] = {
    "distribute": _nothing_to_distribute,
    "promote": _begin_epoch,
    "rewrap": _rewrap_data_keys,
    "verify": _verify_data_keys,
    "retire": _retire_tenant_keys,
}
_PHASES: Mapping[Kind, Mapping[Phase, Act]] = {
    "kek": _KEK_PHASES,
    "tenant_keys": _TENANT_KEY_PHASES,
    "indexes": INDEX_PHASES,
}
