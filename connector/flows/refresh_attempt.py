"""One claimed refresh: sent once, and its failure sorted. Whatever happens, the claim is settled."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from connector import connections, people, tokens
from connector.connections import Claim, Connection, LostClaim
from connector.egress import note_skew
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.observed import Observed
from connector.flows.refresh_landing import land
from connector.flows.refresh_storing import LOST, Answer, entry_of
from connector.ledger import append
from connector.model.errors import ConnectorError, TryLater
from connector.model.states import ConnectionState
from connector.tokens import Held
from providers.capabilities import Grant, Refreshes
from providers.errors import ProviderError
from providers.exchange import NetworkFailure, Request, Response
from vault import DataKey, VaultError

DEADLINE_S = 10.0
COOLDOWN_MS = 30_000
FULL_MS = 1_000
LONGEST_WHILE_WANTED_MS = 60_000
_OUR_REGISTRATION = frozenset({"invalid_client", "unauthorized_client"})
_UNKNOWN = frozenset({"ambiguous", "mismatch"})  # mismatch: an answer came, for somebody else; the token may be spent

_log = structlog.get_logger("refresh")
_draw = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class _Job:
    """A claimed refresh with everything it needs, so that no key service stands between the answer and its commit."""

    claim: Claim
    whole: Integrated
    held: Held
    key: DataKey
    account: Mapping[str, str]  # iss and sub of whose grant it is

    @property
    def connection(self) -> Connection:
        """The connection as it was claimed."""
        return self.claim.connection


def try_refresh(gateway: Gateway, claim: Claim) -> None:
    """From claim to landing, or to giving the claim back.

    Raises:
        TryLater: no fresh token came; the claim was given back.
        ConnectorError, VaultError: it could not even be tried (an integration that is gone, a damaged row).
    """
    try:
        _try(gateway, claim)
    except LostClaim:
        _log.info("refresh.claim_lost", connection=claim.connection.id)


def provider_down(problem: ProviderError | None = None, *, retry_after_s: int | None = None) -> TryLater:
    """What a caller hears who wanted a fresh token while none could be had."""
    wait_s = retry_after_s or (problem.retry_after_s if problem else None) or 5
    return TryLater(
        "The provider did not give a fresh token; it will be asked again.",
        retry_after_s=wait_s,
        code="provider_unavailable",
        detail="" if problem is None else f"{problem.kind}/{problem.code}",
    )


def _try(gateway: Gateway, claim: Claim) -> None:
    sent_at = gateway.clock.now()
    try:
        job = _prepared(gateway, claim)
        grant = tokens.opened_grant(job.key, job.held, job.connection.granted_scopes, job.account, now=sent_at)
    except (ConnectorError, VaultError):
        _give_back(gateway, claim, next_attempt_at=gateway.clock.now() + COOLDOWN_MS, outcome="cannot_try")
        raise
    wait_until = _too_early_after_loss(job, sent_at)
    if wait_until is not None:
        _give_back(gateway, claim, next_attempt_at=wait_until, outcome="ambiguous")
        raise provider_down(retry_after_s=max(1, (wait_until - sent_at) // 1000))
    _in_time(gateway, claim)
    observed = Observed()
    try:
        fresh = _send(gateway, job.whole, grant, sent_at, observed)
    except ProviderError as problem:
        with gateway.store.transaction() as tx:
            observed.record(tx, job.connection, {"action": "refresh"})
        _after_failure(gateway, job, problem)
        return
    except TryLater:  # the bulkhead is full: nothing was sent
        _give_back(gateway, claim, next_attempt_at=gateway.clock.now() + FULL_MS, outcome="")
        raise
    failpoints.reached(gateway, "after_send")
    land(gateway, _answer(job, grant, fresh, sent_at, observed))


def _in_time(gateway: Gateway, claim: Claim) -> None:
    """Send only what will be answered within the lease: who was asleep since the claim may not be the owner any more.

    Raises:
        LostClaim: somebody took over. TryLater: nobody did yet; the claim was given back and nothing was sent.
    """
    now = gateway.store.now()
    if now + int(DEADLINE_S * 1000) <= claim.lease_until:
        return
    _log.warning("refresh.overslept", connection=claim.connection.id)
    _give_back(gateway, claim, next_attempt_at=now, outcome="")
    raise TryLater("The refresh came too late to be sent; ask again.", retry_after_s=1, code="refresh_under_way")


def _prepared(gateway: Gateway, claim: Claim) -> _Job:
    connection = claim.connection
    with gateway.store.read() as tx:
        held = tokens.held(tx, connection.tenant_id, connection.id)
        if held is None:
            raise LostClaim(connection.id)
        whole = integrated(gateway, tx, connection.tenant_id, connection.integration_id)
        key = tokens.token_key(tx, gateway.vault, held)
        account = people.account_claims(tx, gateway.vault, connection.identity_id)
        return _Job(claim, whole, held, key, account)


def _send(gateway: Gateway, whole: Integrated, grant: Grant, sent_at: int, observed: Observed) -> Grant:
    adapter = whole.adapter
    if not isinstance(adapter, Refreshes):
        raise ProviderError("unsupported", "no_refresh", f"{whole.entry.title} does not refresh tokens.")

    def observe(request: Request, outcome: Response | NetworkFailure) -> None:
        observed(request, outcome)
        note_skew(whole.entry.name, outcome, gateway.clock.now())

    return gateway.egress.drive(
        adapter.refresh(whole.registration, grant, now=sent_at),
        provider=whole.integration.id,
        deadline_s=DEADLINE_S,
        observe=observe,
    )


def _answer(job: _Job, before: Grant, fresh: Grant, sent_at: int, observed: Observed) -> Answer:
    facts = job.whole.entry.refresh
    landed = connections.landed_from(
        fresh,
        asked=job.connection.granted_scopes,
        sent_at=sent_at,
        refresh_model=facts.model,
        access_ttl_s=facts.access_ttl_s,
        refresh_idle_ttl_s=facts.refresh_idle_ttl_s,
        draw=_draw(),
    )
    connections.tell_odd_lifetime(landed, job.connection.integration_id)
    landed = connections.keep_refresh(landed, before.refresh_token)
    spent = tokens.spent_marks(job.key, job.held)
    held = before.refresh_token
    if held is not None and landed.refresh is not None and landed.refresh != held:
        if tokens.mark(landed.refresh) in spent:
            _log.error("refresh.old_token_answered", connection=job.connection.id)
            landed = replace(landed, refresh=held)
        else:
            spent = (*spent, tokens.mark(held))
    return Answer(job.claim, job.whole, job.held.whose, job.key, landed, spent, observed)


def _too_early_after_loss(job: _Job, now: int) -> int | None:
    """After a takeover the old refresh token may be used up; where an early probe could do harm, wait."""
    if not job.claim.taken_over:
        return None
    step, at = _next_step(job, now)
    return at if step == "probe_last" else None


def _next_step(job: _Job, now: int) -> tuple[str, int]:
    facts = job.whole.entry.refresh
    return connections.after_ambiguous(
        facts.model,
        grace_s=facts.grace_s,
        intent_at=job.connection.intent_at or now,
        now=now,
        expires_at=job.connection.expires_at,
    )


def _after_failure(gateway: Gateway, job: _Job, problem: ProviderError) -> None:
    """Sort the failure: gone for good, try later, ours to mend, or unknown. Only the first ends the connection."""
    if problem.kind == "rejected":
        _rejected(gateway, job)
        return
    now = gateway.clock.now()
    if problem.kind in _UNKNOWN:
        at, outcome = _after_unknown(job, now), "ambiguous"
    elif problem.kind == "misconfigured":
        _log.error("refresh.misconfigured", integration=job.whole.integration.id, code=problem.code)
        at, outcome = now + COOLDOWN_MS, "misconfigured" if problem.code in _OUR_REGISTRATION else "refused"
    else:
        at = max(now + (problem.retry_after_s or 0) * 1000, now + _backoff_ms(job, now)) + _spread_ms(gateway, job, now)
        outcome = "try_later"
    _give_back(gateway, job.claim, next_attempt_at=at, outcome=outcome)
    raise provider_down(problem, retry_after_s=max(1, -(-(at - now) // 1000)))


def _after_unknown(job: _Job, now: int) -> int:
    """The first retry comes soon, because a grace is short; where it does not help, the rest come slower."""
    step, at = _next_step(job, now)
    facts = job.whole.entry.refresh
    hurry = facts.model == "rotating" and facts.grace_s > 0
    if step == "retry" and job.connection.attempts > 1 and not hurry:
        return max(at, now + _backoff_ms(job, now))
    return at


def _backoff_ms(job: _Job, now: int) -> int:
    """While the current token lives nobody is hurt by waiting; once it is over somebody may be asking."""
    expires_at = job.connection.expires_at
    wait_ms = connections.backoff_ms(job.connection.attempts, _draw())
    return wait_ms if expires_at is None or expires_at > now + wait_ms else min(wait_ms, LONGEST_WHILE_WANTED_MS)


def _spread_ms(gateway: Gateway, job: _Job, now: int) -> int:
    """When the provider is back, not everybody comes at once. Whose token is over may be waited for, and hurries."""
    with gateway.store.read() as tx:
        spread = connections.spread_ms(connections.failed_lately(tx, job.connection.integration_id), _draw())
    expires_at = job.connection.expires_at
    return spread if expires_at is None or expires_at > now + spread else min(spread, LONGEST_WHILE_WANTED_MS)


def _rejected(gateway: Gateway, job: _Job) -> None:
    """The provider says the grant is gone. True for one connection; not believed when everybody's fails at once."""
    integration_id = job.whole.integration.id
    with gateway.store.transaction() as tx:
        connections.note_outcome(tx, integration_id, "rejected")
        braked = connections.braked(tx, integration_id)
    if braked:
        _log.error("refresh.braked", integration=integration_id)
        _give_back(gateway, job.claim, next_attempt_at=gateway.clock.now() + COOLDOWN_MS, outcome="")
        raise provider_down(retry_after_s=COOLDOWN_MS // 1000)
    lost = job.claim.taken_over or job.connection.reason == "ambiguous"
    reason = LOST if lost else "grant_invalid"
    with gateway.store.transaction() as tx:
        connection = connections.move(
            tx,
            gateway.vault,
            job.connection,
            ConnectionState.NEEDS_REAUTH,
            fence=job.claim.fence,
            columns={"reason": reason},
        )
        append(tx, entry_of(connection, reason, attempt=job.claim.fence))


def _give_back(gateway: Gateway, claim: Claim, *, next_attempt_at: int, outcome: str) -> None:
    """Give the claim back: the current token is served while it lives. Nothing to do where the claim was lost.

    After an unknown outcome the first intent stays, because a provider's grace counts from there.
    """
    connection = claim.connection
    unknown = outcome == "ambiguous" or (connection.reason == "ambiguous" and outcome in {"try_later", ""})
    columns: dict[str, str | int | None] = {
        "next_attempt_at": next_attempt_at,
        "reason": "ambiguous" if unknown else outcome or None,
        "intent_at": connection.intent_at if unknown else None,
    }
    with gateway.store.transaction() as tx:
        alive = connection.expires_at is None or connection.expires_at > tx.now()
        connections.move(
            tx,
            gateway.vault,
            connection,
            ConnectionState.ACTIVE if alive else ConnectionState.EXPIRED,
            fence=claim.fence,
            columns=columns,
        )
        if outcome:
            connections.note_outcome(tx, connection.integration_id, outcome)
        append(tx, entry_of(connection, outcome or "not_sent", attempt=claim.fence))
