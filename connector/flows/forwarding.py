"""An erasure is passed on: to agents, affiliates and acquirers, and where the person ticked it to providers.

Agents and affiliates are written to, with the id of each release and nothing about the person. Where no letter can
reach them it is the operator's to do, and listed until then. A provider is asked only where the person ticked it: what
was sent on lies in an account of their own, and they may want to keep it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from connector import connections, inbox, records, work
from connector.egress.mail import Letter, MailFailure
from connector.flows import push_update
from connector.flows.edit_profile import edit_for
from connector.flows.gateway import Gateway
from connector.flows.outside_requests import outsider_of, title_of
from connector.flows.post_notices import KEPT_MS, drop_files, post_of
from connector.inbox import Forwarding
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.people import User
from connector.storage import Transaction
from connector.work import Claimed
from providers import catalogue
from providers.capabilities import FIELD_GROUPS, field_group

CLEAR_WITHIN_S = 20.0
LEASE_MS = 120_000
BATCH = 20
AGAIN_MS = 3_600_000
_log = structlog.get_logger("forwarding")


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent on to one account, and what became of clearing it there: a word and a sentence."""

    provider: str
    outcome: str
    words: str


def clear_sent(gateway: Gateway, tenant_id: str, sub: str, *, clear: bool) -> list[Sent]:
    """Before an account is deleted: clear at the providers what was sent on there, where the person asked for it.

    It is the removal of what they typed, sent on as any change of theirs: by the switches that stand, decided and
    entered in the ledger like every other. Waits a while for the answers, and says truthfully what they were.
    """
    with gateway.store.read() as tx:
        sent = records.groups_sent(tx, tenant_id, sub)
        held = connections.of_user(tx, gateway.vault, tenant_id, sub)
        titles = {one.id: catalogue.entry(one.provider).title for one in held if one.id in sent}
        given = [value.pointer for value in records.given_values(tx, tenant_id, sub)]
    if not clear:
        kept = "It stays in your account there, under the rules of that service; you did not ask to clear it."
        return [Sent(titles[one], "kept", kept) for one in sorted(titles)]
    groups = set().union(*sent.values()) if sent else set()
    patch = _without(pointer for pointer in given if field_group(pointer) in groups)
    if not patch:
        return [Sent(titles[one], *_words(sent[one], [])) for one in sorted(titles)]
    deliveries = edit_for(gateway, tenant_id, sub, patch).deliveries
    outcomes = _settled(gateway, [one.id for one in deliveries])
    return [
        Sent(titles[one], *_words(sent[one], [row for row in outcomes if row.connection_id == one]))
        for one in sorted(titles)
    ]


def passed_on(gateway: Gateway, tenant_id: str, sub: str) -> tuple[list[str], list[str]]:
    """For the page before deleting: where changes were sent on, and who outside will be told to erase; titles."""
    with gateway.store.read() as tx:
        sent = records.groups_sent(tx, tenant_id, sub)
        held = connections.of_user(tx, gateway.vault, tenant_id, sub)
        given = inbox.releases_of(tx, gateway.vault, tenant_id, sub)
    told = {title_of(gateway, one.recipient, one.name) for one in given if one.recipient != "authority"}
    return sorted({catalogue.entry(one.provider).title for one in held if one.id in sent}), sorted(told)


def forward_in(gateway: Gateway, tx: Transaction, user: User) -> list[tuple[str, str]]:
    """Write down who outside has to hear of the erasure; (kind, title) of each, once. Before the releases go."""
    told: dict[tuple[str, str], str] = {}
    for one in inbox.releases_of(tx, gateway.vault, user.tenant_id, user.sub, hidden=True):
        if one.recipient == "authority":
            continue  # what the law took is not ours to call back
        told[one.recipient, one.name] = title_of(gateway, one.recipient, one.name)
        inbox.queue_forwarding(tx, one)
    return [(recipient, title) for (recipient, _), title in told.items()]


def tell_outsiders(gateway: Gateway) -> int:
    """One round of erasures that somebody outside has not heard of; how many were worked on. A step of the worker."""
    with gateway.store.transaction() as tx:
        claimed = work.claim(tx, "forwardings", gateway.worker_id, BATCH, LEASE_MS)
    for one in claimed:
        _tell(gateway, one)
    return len(claimed)


def forget(gateway: Gateway) -> int:
    """What was passed on is forgotten after a month, letter and all; how many. A step of the worker."""
    with gateway.store.transaction() as tx:
        gone = inbox.forget_forwardings(tx, before=tx.now() - KEPT_MS, limit=BATCH)
    drop_files(gateway, gone)
    return len(gone)


def told_by_hand(gateway: Gateway, forwarding_id: str) -> bool:
    """The operator has told them; whether there was anything to tell."""
    with gateway.store.transaction() as tx:
        row = inbox.forwarding(tx, forwarding_id)
        if row is None or row.outcome != "to_be_told":
            return False
        inbox.was_told(tx, row)
        _enter(tx, row, "told", "operator")
        return True


def _tell(gateway: Gateway, claimed: Claimed) -> None:
    with gateway.store.read() as tx:
        row = inbox.forwarding(tx, claimed.id)
        now = tx.now()
    if row is None:
        return
    outsider = outsider_of(gateway, row.recipient, row.name) if row.recipient != "acquirer" else None
    post = post_of(gateway) if gateway.settings.smtp.host or gateway.settings.is_development else None
    if outsider is None or post is None or "@" not in outsider.contact:
        _end(gateway, claimed, row, "to_be_told", "no_letter")
        return
    try:
        post.send(_letter(gateway, row, outsider.contact, now))
    except MailFailure as failure:
        if failure.again and now < row.deadline_at:
            with gateway.store.transaction() as tx:
                work.retry(tx, "forwardings", claimed.id, claimed.fence, AGAIN_MS)
            return
        _end(gateway, claimed, row, "to_be_told", failure.code)
    else:
        _end(gateway, claimed, row, "told", "letter")


def _letter(gateway: Gateway, row: Forwarding, to: str, now: int) -> Letter:
    controller = gateway.settings.policy.controller
    lines = [
        f"The person whom our release {row.reference} is about has deleted their account with us.",
        "Please erase what you were given under that reference, and whatever you passed on of it.",
        f"{controller.name}, {controller.postal_address}. Questions: {controller.contact}",
    ]
    return Letter(row.id, to, f"Erase what release {row.reference} gave you", "\n\n".join(lines) + "\n", "", now)


def _end(gateway: Gateway, claimed: Claimed, row: Forwarding, outcome: str, reason: str) -> None:
    with gateway.store.transaction() as tx:
        if work.settle(tx, "forwardings", claimed.id, claimed.fence, "done", outcome=outcome, finished_at=tx.now()):
            _enter(tx, row, outcome, reason)
    _log.info("forwarding.ended", forwarding=claimed.id, outcome=outcome)


def _enter(tx: Transaction, row: Forwarding, outcome: str, reason: str) -> None:
    facts = {"forwarding": row.id, "recipient": row.recipient, "outcome": outcome, "reason": reason}
    append(tx, Entry(EntryKind.FORWARDED, row.tenant_id, None, facts))


def _settled(gateway: Gateway, ids: list[str]) -> list[records.Delivery]:
    """The deliveries, once they ended or the time for that is over."""
    until = gateway.clock.monotonic() + CLEAR_WITHIN_S
    while True:
        with gateway.store.read() as tx:
            found = [row for one in ids if (row := records.delivery(tx, one)) is not None]
        waits = [row for row in found if row.state.value in {"queued", "claimed"}]
        if not waits or gateway.clock.monotonic() >= until:
            return found
        if not push_update.step(gateway):
            if all(row.next_at > gateway.clock.now() for row in waits):
                return found  # it waits for the provider, longer than anybody waits here
            gateway.clock.sleep(0.1)


def _words(groups: set[str], rows: list[records.Delivery]) -> tuple[str, str]:
    done = {row.field_group for row in rows if row.state.value == "done"}
    if groups <= done:
        return "cleared", "It was cleared in your account there."
    if done:
        return "partly", f"Cleared in your account there: {', '.join(sorted(done))}. Clear the rest there yourself."
    if not rows:
        return "kept", "It is not switched on any more, so nothing was sent. Clear it in your account there."
    return "not_cleared", "The service did not take it in time, or does not take it. Clear it in your account there."


def _without(pointers: Iterable[str]) -> dict[str, object]:
    """A merge patch that removes what lies at the pointers."""
    patch: dict[str, object] = {}
    for pointer in sorted(set(pointers)):
        parts = pointer.strip("/").split("/")
        if f"/{parts[0]}" not in {head for heads in FIELD_GROUPS.values() for head in heads}:
            continue
        if len(parts) == 1:
            patch[parts[0]] = None
            continue
        inner = patch.setdefault(parts[0], {})
        if isinstance(inner, dict):
            inner[parts[1].replace("~1", "/").replace("~0", "~")] = None
    return patch
