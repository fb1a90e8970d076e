"""Whether the versions of the policy may count here, checked at the start; and the record of those that did.

A version that was in force is never edited, dated back or taken away; one that opens anything was announced in the very
bytes that are loaded, and its notice window is over by the day it takes effect; a clock that shows less than it has
shown already is not believed. What refuses says which version, and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NoReturn

from connector import ledger, people, publications
from connector.flows.gateway import Gateway
from connector.ledger import Entry
from connector.ledger import Kind as EntryKind
from connector.model.errors import Misconfigured
from connector.model.ids import GATEWAY_TENANT
from connector.policy import Policy, Version, difference
from connector.publications import Announced, InForce
from connector.storage import Store, Transaction

SKEW_MS: Final = 5 * 60 * 1000  # by so much may the clocks of two machines differ
NAMED: Final = 5


def admit(store: Store, policy: Policy, window: timedelta) -> Policy:
    """The policy as it counts here, and what is in effect written down. Arguments and errors as for `examined`."""
    found = examined(store, policy, window)
    record_in_force(store, found)
    return found


def examined(store: Store, policy: Policy, window: timedelta) -> Policy:
    """The policy as it counts here: each version posted when it truly was, and none older than has been reached.

    Args:
        store: where it is recorded what was in force and what was announced.
        policy: proven.
        window: how long a widening is announced before it takes effect.

    Raises:
        Misconfigured: a version must not count, or the clock is wrong; the hint names the version.
    """
    with store.read() as tx:
        known, told = publications.in_force(tx), announcements(tx)
        now = tx.now()
        adopted = _adopted(tx, policy, known, now)
        _check_clock(known, now)
        _check_known(tx, policy, known)
    for version in policy.versions:
        if version.name not in known and version.name not in adopted:
            _check_date(version, known)
    for older, newer in pairwise(policy.versions):
        if newer.name not in known and newer.name not in adopted:
            _check_told(older, newer, told.get(newer.name), window)
    admitted = policy.as_posted(
        {name: one.announced_at for name, one in told.items() if _is_same(policy.known(name), one)}
    )
    reached = admitted.in_effect(max([now, *(one.effective_at for one in known.values())]))
    return admitted.as_posted({}, reached="" if reached is None else reached.name)


def announcements(tx: Transaction) -> dict[str, Announced]:
    """What was announced, as far as the ledger says the same; never earlier than its entry was written."""
    found = {}
    for name, one in publications.announced(tx).items():
        entry = ledger.get(tx, one.ledger_entry_id)
        if entry is not None and entry.kind == EntryKind.POLICY_ANNOUNCED and _says(entry.facts, name, one.sha256):
            found[name] = replace(one, announced_at=max(one.announced_at, entry.at))
    return found


def record_in_force(store: Store, policy: Policy) -> int:
    """Write down every version that is in effect by now and was not written down yet; how many."""
    with store.read() as tx:
        known, now = publications.in_force(tx), tx.now()
    new = [version for version in policy.versions if version.effective_at <= now and version.name not in known]
    if not new:
        return 0
    with store.transaction() as tx:
        return sum(_record(tx, version) for version in new)


def step(gateway: Gateway) -> int:
    """What a worker does: a version that took effect while we ran is written down."""
    return record_in_force(gateway.store, gateway.policy)


def _record(tx: Transaction, version: Version) -> bool:
    facts = {"policy_version": version.name, "sha256": version.sha256 or None, "effective_at": version.effective_at}

    def entry() -> int:
        return ledger.append(tx, Entry(EntryKind.POLICY_IN_EFFECT, GATEWAY_TENANT, None, facts))

    return publications.record(tx, version.name, version.sha256, version.effective_at, entry)


def _adopted(tx: Transaction, policy: Policy, known: Mapping[str, InForce], now: int) -> set[str]:
    """What was in effect before there was a record: everything on an empty gateway, else what people came back to."""
    if known:
        return set()
    visited = people.newest_visit(tx)
    until = now if visited is None else visited
    return {version.name for version in policy.versions if version.effective_at <= until}


def _check_clock(known: Mapping[str, InForce], now: int) -> None:
    for one in known.values():
        if now < one.effective_at or now < one.first_used_at - SKEW_MS:
            raise Misconfigured(
                "clock_went_back",
                f"The clock says {_moment(now)}, but version {one.version} of the policy was in force at "
                f"{_moment(max(one.effective_at, one.first_used_at))} already; set the clock right.",
            )


def _check_known(tx: Transaction, policy: Policy, known: Mapping[str, InForce]) -> None:
    for one in known.values():
        loaded = policy.known(one.version)
        since = _moment(one.first_used_at)
        if loaded is None:
            _refuse("gone", one.version, f"was in force since {since} and is not there any more; put its folder back")
        if loaded.sha256 != one.sha256 or loaded.effective_at != one.effective_at:
            _refuse(
                "edited",
                one.version,
                f"was in force since {since} and was edited since (SHA-256 {one.sha256[:16]}…, now "
                f"{loaded.sha256[:16]}…); put its files back, and write what is new into a new dated folder",
            )
        entry = None if one.ledger_entry_id is None else ledger.get(tx, one.ledger_entry_id)
        if entry is None or not _says(entry.facts, one.version, one.sha256):
            _refuse(
                "unproven",
                one.version,
                "stands in the database with a hash that the ledger does not know; restore the table policy_versions "
                "from a backup, and see: connector ledger verify",
            )


def _check_date(newer: Version, known: Mapping[str, InForce]) -> None:
    newest = max(known.values(), key=lambda one: one.effective_at, default=None)
    if newest is not None and newer.effective_at < newest.effective_at:
        _refuse(
            "backdated",
            newer.name,
            f"would take effect before {newest.version}, which is in force already; give it a later date",
        )


def _check_told(older: Version, newer: Version, told: Announced | None, window: timedelta) -> None:
    found = difference(older, newer)
    if not found.widens:
        return
    if told is None:
        widened = [str(change) for change in found.changes if change.kind != "closed"]
        more = f"; and {len(widened) - NAMED} more" if len(widened) > NAMED else ""
        _refuse(
            "unannounced",
            newer.name,
            f"allows what {older.name} does not, and nobody was told. Announce it with: connector policy announce "
            f"{newer.name}. It would: {'; '.join(widened[:NAMED])}{more}",
        )
    if not _is_same(newer, told):
        _refuse(
            "changed", newer.name, f"was edited after it was announced; run: connector policy announce {newer.name}"
        )
    earliest = told.announced_at + round(window.total_seconds() * 1000)
    if newer.effective_at < earliest:
        _refuse(
            "too_soon",
            newer.name,
            f"was announced on {_moment(told.announced_at)} and would take effect before its notice window is over; "
            f"set its effective date to {_moment(earliest)} or later, and announce it again",
        )


def _is_same(version: Version | None, told: Announced) -> bool:
    return version is not None and version.sha256 == told.sha256 and version.effective_at == told.effective_at


def _says(facts: Mapping[str, object], version: str, sha256: str) -> bool:
    return facts.get("policy_version") == version and (facts.get("sha256") or "") == sha256


def _refuse(what: str, version: str, problem: str) -> NoReturn:
    raise Misconfigured(f"policy_version_{what}", f"Version {version} of the policy {problem}.")


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
