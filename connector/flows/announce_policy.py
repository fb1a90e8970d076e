"""A new version of the policy is announced: the notice is computed, kept, entered in the ledger, and posted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector import clients, inbox, ledger, publications
from connector.flows.policy_versions import announcements
from connector.ledger import Entry
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.model.errors import BadInput, Conflict
from connector.model.ids import GATEWAY_TENANT
from connector.policy import Difference, Policy, Version, difference, notice
from connector.publications import Announced
from connector.storage import Store, Transaction
from vault import Vault


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it: the announcement, whether it was made just now, and in how many tenants it was posted."""

    announced: Announced
    new: bool
    tenants: int


def compared(policy: Policy, older: str, newer: str) -> Difference:
    """What changes between two versions. Raises BadInput for a name that is none."""
    return difference(version_named(policy, older), version_named(policy, newer))


def announce_version(
    store: Store, vault: Vault, policy: Policy, name: str, *, window: timedelta, contact: str
) -> Posted:
    """Tell everybody of a version before it takes effect. Telling the same again changes nothing.

    Raises:
        BadInput: no such version, or the first one.
        Conflict: it is in force already, or would take effect before its notice window is over.
    """
    newer = version_named(policy, name)
    place = policy.versions.index(newer)
    if place == 0:
        raise BadInput("first_version", f"{name} is the first version; there is nothing that it changes.")
    found = difference(policy.versions[place - 1], newer)
    with store.transaction() as tx:
        if name in publications.in_force(tx):
            raise Conflict("in_force", f"Version {name} is in force already; write a new one and announce that.")
        before = announcements(tx).get(name)
        if before is not None and (before.sha256, before.effective_at) == (newer.sha256, newer.effective_at):
            return Posted(before, new=False, tenants=0)
        _check_window(newer, tx.now(), window)
        new = _announced(tx, found, notice(found, contact=contact))
        publications.announce(tx, new)
        tenants = [tenant.id for tenant in clients.tenants(tx) if tenant.id != GATEWAY_TENANT]
        for tenant in tenants:
            inbox.announce(tx, vault, tenant, _to_inbox(new, again=before is not None))
    return Posted(new, new=True, tenants=len(tenants))


def _announced(tx: Transaction, found: Difference, words: str) -> Announced:
    newer = found.newer
    counts = {kind: found.count(kind) for kind in ("opened", "eased", "closed")}
    facts: dict[str, Fact] = {
        "policy_version": newer.name,
        "sha256": newer.sha256,
        "effective_at": newer.effective_at,
        "older": found.older.name,
        **counts,
    }
    entry = ledger.append(tx, Entry(EntryKind.POLICY_ANNOUNCED, GATEWAY_TENANT, None, facts))
    return Announced(
        version=newer.name,
        sha256=newer.sha256,
        older=found.older.name,
        effective_at=newer.effective_at,
        announced_at=tx.now(),
        notice=words,
        ledger_entry_id=entry,
        **counts,
    )


def _to_inbox(new: Announced, *, again: bool) -> inbox.Announcement:
    """A version that was changed and announced anew is another notice; the words of the first stand as they were."""
    title, _, rest = new.notice.partition("\n")
    return inbox.Announcement(
        kind="policy",
        topic=f"{new.version}-{new.sha256[:8]}" if again else new.version,
        title=title,
        paragraphs=[line for line in rest.splitlines() if line.strip()],
        effective_at=new.effective_at,
    )


def _check_window(newer: Version, now: int, window: timedelta) -> None:
    earliest = now + round(window.total_seconds() * 1000)
    if newer.effective_at < earliest:
        day = datetime.fromtimestamp(-(-earliest // 86_400_000) * 86_400, UTC).date().isoformat()
        raise Conflict(
            "too_soon",
            f"Version {newer.name} would take effect before its notice window of {window.days} days is over; set its "
            f"effective date to {day} or later, then announce it.",
        )


def version_named(policy: Policy, name: str) -> Version:
    """The version of that name. Raises BadInput with those there are."""
    found = policy.known(name)
    if found is None:
        known = ", ".join(version.name for version in policy.versions)
        raise BadInput("unknown_version", f"There is no version {name} of the policy; there are: {known}.")
    return found
