"""One delivery, from claim to outcome."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import structlog

from connector import connections, records, work
from connector.connections import Connection
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.observed import Observed
from connector.flows.preview_push import why_not, writable_groups
from connector.flows.provider_grant import ProviderGrant, grant_for, renewed_after_refusal
from connector.flows.push_update.choosing import Chosen, choose
from connector.flows.push_update.outcomes import TABLE, Sending, later, settle
from connector.flows.release import release
from connector.flows.standings import ground_of
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.model.errors import Conflict, Gone, NotFound, TryLater
from connector.storage import Transaction
from connector.work import Claimed
from providers.capabilities import ProfileChange, ReadsBeforeWriting, WriteOutcome, WritesProfile
from providers.errors import ProviderError

LEASE_MS = 60_000
DEADLINE_S = 20.0
MAX_ATTEMPTS = 10
WAIT_FOR_PERSON_MS = 3_600_000
LONGEST_WAIT_MS = 7 * 24 * 3_600_000

_log = structlog.get_logger("push")
_draw = random.SystemRandom().random


class _Lost(Exception):
    """Somebody took the delivery over, or it was called off, before anything was sent."""


def step(gateway: Gateway) -> bool:
    """Claim one delivery and send it. True where there was one."""
    with gateway.store.transaction() as tx:
        in_turn = records.claim_delivery(tx)
        claimed = work.claim(tx, TABLE, gateway.worker_id, 1, LEASE_MS, in_turn)
    for one in claimed:
        _attempt(gateway, one)
    return bool(claimed)


def _attempt(gateway: Gateway, claimed: Claimed) -> None:
    with gateway.store.read() as tx:
        row = records.delivery(tx, claimed.id)
    if row is None:
        return
    sending = Sending(gateway, claimed, row, Observed())
    try:
        grant = _grant(sending)
        if grant is not None:
            _send(sending, grant)
    except _Lost:
        _log.info("push.lost", delivery=claimed.id)


def _grant(sending: Sending) -> ProviderGrant | None:
    """A grant to write with; None where the delivery waits or ended instead."""
    row = sending.row
    try:
        grant = grant_for(sending.gateway, row.tenant_id, row.connection_id)
    except (Gone, NotFound):
        settle(sending, "void", {"result": "void", "reason": "revoked"})
    except TryLater as problem:
        _again(sending, problem.code, at_least_s=problem.retry_after_s, took_effect=_before(row.sent_at))
    except Conflict as problem:
        _wait_for_person(sending, problem.code)
    else:
        sending.connection = grant.connection
        return grant
    return None


def _send(sending: Sending, grant: ProviderGrant) -> None:
    adapter, row = grant.whole.adapter, sending.row
    if not isinstance(adapter, WritesProfile) or row.field_group not in writable_groups(grant.connection, grant.whole):
        settle(sending, "refused", _unable(grant, why_not(grant.whole)))
        return
    if row.sent_at is not None and not isinstance(adapter, ReadsBeforeWriting):
        settle(sending, "failed", {"result": "unknown", "reason": "no_answer_after_sending"})
        return
    try:
        chosen = _intend(sending, grant.connection.id)
    except NotFound:
        settle(sending, "void", {"result": "void", "reason": "deleted"})
        return
    if chosen.decision is None:
        settle(sending, *_nothing_left(chosen))
        return
    failpoints.reached(sending.gateway, "push_intended")
    values = release(chosen.decision, record=lambda: None, opened=chosen.opened)  # the intent is committed by now
    change = ProfileChange(values, idempotency_key=row.idempotency_key)
    try:
        outcome = _write(sending, grant, adapter, change)
    except ProviderError as problem:
        _after_provider_error(sending, grant, problem)
    except (TryLater, Conflict, Gone) as problem:
        _again(sending, problem.code, took_effect=_before(row.sent_at))
    else:
        failpoints.reached(sending.gateway, "push_sent")
        settle(sending, *_outcome(grant, chosen, outcome))


def _intend(sending: Sending, connection_id: str) -> Chosen:
    """Decide, and write down what is about to leave, in one transaction. What leaves afterwards is exactly this.

    Raises:
        _Lost: the delivery was called off or taken over.
    """
    gateway, row = sending.gateway, sending.row
    with gateway.store.transaction() as tx:
        connection = connections.find_for_update(tx, gateway.vault, connection_id)
        if connection is None or not work.heartbeat(tx, TABLE, sending.claimed, gateway.worker_id, LEASE_MS):
            raise _Lost
        current = records.delivery(tx, row.id)
        ground = ground_of(gateway, tx, row.tenant_id, row.sub)
        chosen = choose(gateway, tx, ground, connection, row if current is None else current)
        if chosen.decision is not None:
            records.mark_sent(tx, row.id, sending.claimed.fence, sent=True)
            _note_intent(sending, tx, connection, chosen)
    sending.intended = chosen.decision is not None
    return chosen


def _note_intent(sending: Sending, tx: Transaction, connection: Connection, chosen: Chosen) -> None:
    decision = chosen.decision
    assert decision is not None  # noqa: S101  asked by the caller
    facts: dict[str, Any] = {
        "connection": connection.id,
        "delivery": sending.row.id,
        "field_group": sending.row.field_group,
        "use": "push",
        "recipient": "provider",
        "purpose": "sync",
        "clause": decision.clause,
        "policy_version": decision.version,
        "sources": ["given"],
        "categories": sorted({records.category_of(pointer).value for pointer in chosen.sealed}),
        "count": len(chosen.sealed),
        "attempt": sending.claimed.attempts,
    }
    append(tx, Entry(EntryKind.PUSH_INTENT, connection.tenant_id, connection.pseudonym, facts))


def _write(sending: Sending, grant: ProviderGrant, adapter: WritesProfile, change: ProfileChange) -> WriteOutcome:
    """Write once. A token that is not taken wrote nothing, so that one is renewed and the write made with the next."""
    try:
        return _drive(sending, grant, adapter, change)
    except ProviderError as problem:
        if problem.kind != "rejected":
            raise
    return _drive(sending, renewed_after_refusal(sending.gateway, grant), adapter, change)


def _drive(sending: Sending, grant: ProviderGrant, adapter: WritesProfile, change: ProfileChange) -> WriteOutcome:
    return sending.gateway.egress.drive(
        adapter.write(grant.whole.registration, grant.grant, change),
        provider=grant.whole.integration.id,
        deadline_s=DEADLINE_S,
        observe=sending.observed,
    )


def _outcome(grant: ProviderGrant, chosen: Chosen, outcome: WriteOutcome) -> tuple[str, Mapping[str, Any]]:
    """The state and what is shown. Written or found written there is done; nothing but refusals is refused."""
    refused: dict[str, Any] = {pointer: {"reason": words} for pointer, words in outcome.refused.items()}
    refused |= {pointer: {"clause": clause, "reason": words} for pointer, (clause, words) in chosen.refused.items()}
    done = bool(outcome.written or outcome.unchanged)
    shown: dict[str, Any] = {
        "result": "written" if outcome.written else "unchanged" if done else "refused",
        "written": sorted(outcome.written),
        "unchanged": sorted((*outcome.unchanged, *chosen.never_there)),
        "refused": refused,
    }
    if refused and grant.whole.entry.deep_link:
        shown["deep_link"] = grant.whole.entry.deep_link
    return "done" if done else "refused", shown


def _nothing_left(chosen: Chosen) -> tuple[str, Mapping[str, Any]]:
    """Everything was refused by the policy, or was typed and removed again before it was sent."""
    if not chosen.refused:
        return "done", {"result": "unchanged", "written": [], "unchanged": list(chosen.never_there), "refused": {}}
    refused = {pointer: {"clause": clause, "reason": words} for pointer, (clause, words) in chosen.refused.items()}
    clause = next(found[0] for found in chosen.refused.values())
    return "refused", {"result": "refused", "clause": clause, "refused": refused}


def _unable(grant: ProviderGrant, words: str) -> Mapping[str, Any]:
    shown = {"result": "unsupported", "reason": words}
    return shown | ({"deep_link": grant.whole.entry.deep_link} if grant.whole.entry.deep_link else {})


def _after_provider_error(sending: Sending, grant: ProviderGrant, problem: ProviderError) -> None:
    if problem.kind == "conflict":
        settle(sending, "conflict", {"result": "conflict", "reason": problem.hint})
    elif problem.kind in {"unsupported", "insufficient_scope"}:
        settle(sending, "refused", _unable(grant, problem.hint))
    elif problem.kind == "try_later":
        before = _before(sending.row.sent_at)
        _again(sending, problem.code, at_least_s=problem.retry_after_s or 0, took_effect=before)
    elif problem.kind == "ambiguous":
        _again(sending, problem.code, took_effect="unknown")
    else:
        settle(sending, "failed", {"result": "failed", "reason": problem.hint})


def _again(sending: Sending, code: str, *, at_least_s: int = 0, took_effect: str) -> None:
    if sending.claimed.attempts >= MAX_ATTEMPTS:
        result = "unknown" if took_effect == "unknown" else "gave_up"
        settle(sending, "dead", {"result": result, "reason": code})
        return
    delay_ms = work.backoff_ms(sending.claimed.attempts, _draw, at_least_ms=at_least_s * 1000)
    later(sending, delay_ms, code, took_effect=took_effect)


def _wait_for_person(sending: Sending, code: str) -> None:
    """Only the person can bring the connection back: their change waits for them, a week at most."""
    if sending.gateway.clock.now() - sending.row.created_at > LONGEST_WAIT_MS:
        settle(sending, "dead", {"result": "gave_up", "reason": code})
    else:
        later(sending, WAIT_FOR_PERSON_MS, code, took_effect=_before(sending.row.sent_at))


def _before(sent_at: int | None) -> str:
    return "no" if sent_at is None else "unknown"
