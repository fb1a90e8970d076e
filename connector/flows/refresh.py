"""Refresh: the one place that could lose a grant, so it is written as steps that survive each other's death.

    join the flight in this process → claim (durable intent) → send once → hold until stored → land (fenced) → answer

The claim is committed before a byte leaves: no database, no call. The answer is kept in memory until it is stored,
however long the database is away. A landing names its fence: whoever lost the claim stores
nothing over somebody else's.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from connector import connections, people, tokens
from connector.connections import Claim, Connection, Landed, LostClaim
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.ledger import Entry, append
from connector.model.errors import TryLater
from connector.model.states import ConnectionState
from connector.storage.errors import DatabaseUnavailable
from connector.tokens import Held
from providers.capabilities import Grant, Refreshes
from providers.errors import ProviderError
from vault import DataKey

LEASE_MS = 15_000
DEADLINE_S = 10.0
WAIT_S = 12.0
POLL_S = 0.05
COOLDOWN_MS = 30_000
HOLD_FIRST_S = 0.05
HOLD_MOST_S = 1.0
BATCH = 100

_log = structlog.get_logger("refresh")
_draw = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class _Job:
    """A claimed refresh with everything it needs, so that no key service stands between the answer and its commit."""

    claim: Claim
    whole: Integrated
    held: Held
    key: DataKey
    account: Mapping[str, str]

    @property
    def connection(self) -> Connection:
        """The connection as it was claimed."""
        return self.claim.connection


def refresh_now(gateway: Gateway, connection: Connection) -> None:
    """A caller waits: refresh this connection unless somebody does or did. Returns once its row moved on.

    Raises:
        TryLater: the provider or the database is down, or the one who holds the claim takes too long.
    """
    if gateway.flights.draining:
        raise TryLater("This process is going down; ask again.", retry_after_s=1, code="draining")
    try:
        gateway.flights.join(connection.id, lambda: _fly(gateway, connection), timeout_s=WAIT_S)
    except TimeoutError as error:
        raise _still_under_way() from error


def due(gateway: Gateway) -> int:
    """One round of background refreshes; how many were done."""
    with gateway.store.read() as tx:
        ids = connections.due_refreshes(tx, limit=BATCH)
    return _each_in_background(gateway, _spread(ids), frozenset())


def recover(gateway: Gateway, dead_owners: frozenset[str]) -> int:
    """Take over refreshes whose owner died or overran; how many. To be run more often than any grace is long."""
    with gateway.store.read() as tx:
        ids = connections.abandoned_claims(tx, dead_owners=dead_owners, limit=BATCH)
    return _each_in_background(gateway, ids, dead_owners)


def _each_in_background(gateway: Gateway, ids: list[str], dead_owners: frozenset[str]) -> int:
    return sum(_in_background(gateway, connection_id, dead_owners) for connection_id in ids)


def _in_background(gateway: Gateway, connection_id: str, dead_owners: frozenset[str]) -> bool:
    if gateway.flights.draining:
        return False
    worked = False

    def fly() -> None:
        nonlocal worked
        claim = _claim(gateway, connection_id, dead_owners=dead_owners, ignore_wait=False)
        if claim is not None:
            worked = True
            _carry_out(gateway, claim)

    try:
        gateway.flights.join(connection_id, fly, timeout_s=WAIT_S)
    except TryLater as problem:
        _log.info("refresh.later", connection=connection_id, code=problem.code)
    return worked


def _fly(gateway: Gateway, connection: Connection) -> None:
    claim = _claim(gateway, connection.id, dead_owners=frozenset(), ignore_wait=_is_over(gateway, connection))
    if claim is None:
        _wait_for_other(gateway, connection)
    else:
        _carry_out(gateway, claim)


def _claim(gateway: Gateway, connection_id: str, *, dead_owners: frozenset[str], ignore_wait: bool) -> Claim | None:
    with gateway.store.transaction() as tx:
        return connections.claim_refresh(
            tx,
            gateway.vault,
            connection_id,
            worker=gateway.worker_id,
            lease_ms=LEASE_MS,
            dead_owners=dead_owners,
            ignore_wait=ignore_wait,
        )


def _is_over(gateway: Gateway, connection: Connection) -> bool:
    return connection.expires_at is not None and connection.expires_at <= gateway.clock.now()


def _wait_for_other(gateway: Gateway, seen: Connection) -> None:
    """Somebody else holds the claim, or it is not time yet: wait until the row moves on."""
    deadline = gateway.clock.monotonic() + WAIT_S
    while gateway.clock.monotonic() < deadline:
        with gateway.store.read() as tx:
            now = connections.find(tx, gateway.vault, seen.tenant_id, seen.id)
        if now is None or now.generation != seen.generation or now.ended or now.state is ConnectionState.NEEDS_REAUTH:
            return
        if now.state is not ConnectionState.REFRESHING:
            raise TryLater(
                "The provider did not give a fresh token; it will be asked again.",
                retry_after_s=max(1, (now.next_attempt_at - gateway.clock.now()) // 1000),
                code="provider_unavailable",
            )
        gateway.clock.sleep(POLL_S)
    raise _still_under_way()


def _still_under_way() -> TryLater:
    return TryLater("The token is being refreshed; ask again.", retry_after_s=2, code="refresh_under_way")


def _carry_out(gateway: Gateway, claim: Claim) -> None:
    """From claim to landing. Whatever happens, the claim is settled; what the provider gave is never dropped."""
    job = _prepared(gateway, claim)
    wait_until = _too_early_after_loss(job, gateway.clock.now())
    if wait_until is not None:
        _give_back(gateway, job, next_attempt_at=wait_until, outcome="ambiguous")
        raise _provider_down(None)
    sent_at = gateway.clock.now()
    grant = tokens.opened_grant(job.key, job.held, job.connection.granted_scopes, job.account, now=sent_at)
    try:
        fresh = _send(gateway, job.whole, grant, sent_at)
    except ProviderError as problem:
        _after_failure(gateway, job, problem)
        return
    facts = job.whole.entry.refresh
    landed = connections.landed_from(
        fresh,
        asked=job.connection.granted_scopes,
        sent_at=sent_at,
        refresh_model=facts.model,
        access_ttl_s=facts.access_ttl_s,
        draw=_draw(),
    )
    _land(gateway, job, connections.keep_refresh(landed, grant.refresh_token))


def _prepared(gateway: Gateway, claim: Claim) -> _Job:
    with gateway.store.read() as tx:
        held = tokens.held(tx, claim.connection.tenant_id, claim.connection.id)
        if held is None:
            raise LostClaim(claim.connection.id)
        whole = integrated(gateway, tx, claim.connection.tenant_id, claim.connection.integration_id)
        key = tokens.token_key(tx, gateway.vault, held)
        account = people.account_claims(tx, gateway.vault, claim.connection.identity_id)
        return _Job(claim, whole, held, key, account)


def _send(gateway: Gateway, whole: Integrated, grant: Grant, sent_at: int) -> Grant:
    adapter = whole.adapter
    if not isinstance(adapter, Refreshes):
        raise ProviderError("unsupported", "no_refresh", f"{whole.entry.title} does not refresh tokens.")
    return gateway.egress.drive(
        adapter.refresh(whole.registration, grant, now=sent_at), provider=whole.integration.id, deadline_s=DEADLINE_S
    )


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


def _land(gateway: Gateway, job: _Job, landed: Landed) -> None:
    """Store the answer, for as long as it takes. Only a commit, or the proof that it must not land, ends this."""
    pause = HOLD_FIRST_S
    with gateway.flights.holding():
        while True:
            try:
                _store(gateway, job, landed)
            except DatabaseUnavailable as problem:
                _log.warning("refresh.holding", connection=job.connection.id, detail=problem.detail)
                gateway.clock.sleep(pause)
                pause = min(HOLD_MOST_S, pause * 2)
            except LostClaim:
                _keep_orphan(gateway, job, landed)
                return
            else:
                return


def _store(gateway: Gateway, job: _Job, landed: Landed) -> None:
    with gateway.store.transaction() as tx:
        connection = connections.reland(
            tx, gateway.vault, job.connection, landed, now=tx.now(), authorized=False, fence=job.claim.fence
        )
        tokens.store(
            tx,
            job.key,
            job.held.whose,
            access=landed.access,
            refresh=landed.refresh,
            token_type=landed.token_type,
            generation=connection.generation,
        )
        connections.note_outcome(tx, connection.integration_id, "landed")
        append(tx, _entry(connection, "landed"))


def _keep_orphan(gateway: Gateway, job: _Job, landed: Landed) -> None:
    """The connection moved on while the provider answered. The answer is kept sealed until it is revoked there."""
    with gateway.store.transaction() as tx:
        tokens.put_orphan(
            tx,
            job.key,
            job.held.whose,
            access=landed.access,
            refresh=landed.refresh,
            generation=job.connection.generation + 1,
            reason="lost_claim",
        )
        append(tx, _entry(job.connection, "orphaned"))
    _log.warning("refresh.orphaned", connection=job.connection.id)


def _after_failure(gateway: Gateway, job: _Job, problem: ProviderError) -> None:
    """Sort the failure: gone for good, try later, ours to mend, or unknown. Only the first ends the connection."""
    if problem.kind == "rejected":
        _rejected(gateway, job)
        return
    now = gateway.clock.now()
    jittered = now + connections.backoff_ms(job.connection.attempts, _draw())
    if problem.kind == "ambiguous":
        _step, at = _next_step(job, now)
        _give_back(gateway, job, next_attempt_at=at, outcome="ambiguous")
    elif problem.kind == "try_later":
        earliest = now + (problem.retry_after_s or 0) * 1000
        _give_back(gateway, job, next_attempt_at=max(earliest, jittered), outcome="try_later")
    else:
        _log.error("refresh.misconfigured", integration=job.whole.integration.id, code=problem.code)
        _give_back(gateway, job, next_attempt_at=now + COOLDOWN_MS, outcome="misconfigured")
    raise _provider_down(problem)


def _rejected(gateway: Gateway, job: _Job) -> None:
    """The provider says the grant is gone. True for one connection; not believed when everybody's fails at once."""
    with gateway.store.transaction() as tx:
        connections.note_outcome(tx, job.whole.integration.id, "rejected")
        braked = connections.braked(tx, job.whole.integration.id)
    if braked:
        _log.error("refresh.braked", integration=job.whole.integration.id)
        _give_back(gateway, job, next_attempt_at=gateway.clock.now() + COOLDOWN_MS, outcome="")
        raise _provider_down(None)
    lost = job.claim.taken_over or job.connection.reason == "ambiguous"
    reason = "refresh_lost" if lost else "grant_invalid"
    with gateway.store.transaction() as tx:
        connection = connections.move(
            tx,
            gateway.vault,
            job.connection,
            ConnectionState.NEEDS_REAUTH,
            fence=job.claim.fence,
            columns={"reason": reason},
        )
        append(tx, _entry(connection, reason))


def _give_back(gateway: Gateway, job: _Job, *, next_attempt_at: int, outcome: str) -> None:
    """Give the claim back: the current token is served while it lives. Nothing to do where the claim was lost.

    After an unknown outcome the first intent stays, because a provider's grace counts from there.
    """
    connection = job.connection
    unknown = outcome == "ambiguous"
    columns = {"next_attempt_at": next_attempt_at, "reason": outcome or None}
    try:
        with gateway.store.transaction() as tx:
            alive = connection.expires_at is None or connection.expires_at > tx.now()
            connections.move(
                tx,
                gateway.vault,
                connection,
                ConnectionState.ACTIVE if alive else ConnectionState.EXPIRED,
                fence=job.claim.fence,
                columns={**columns, "intent_at": connection.intent_at} if unknown else columns,
            )
            if outcome:
                connections.note_outcome(tx, connection.integration_id, outcome)
    except LostClaim:
        _log.info("refresh.claim_lost", connection=connection.id)


def _provider_down(problem: ProviderError | None) -> TryLater:
    retry_after_s = (problem.retry_after_s if problem else None) or 5
    return TryLater(
        "The provider did not give a fresh token; it will be asked again.",
        retry_after_s=retry_after_s,
        code="provider_unavailable",
        detail="" if problem is None else f"{problem.kind}/{problem.code}",
    )


def _entry(connection: Connection, outcome: str) -> Entry:
    return Entry(
        "refresh",
        connection.tenant_id,
        connection.pseudonym,
        {"connection": connection.id, "generation": connection.generation, "outcome": outcome},
    )


def _spread(ids: list[str]) -> list[str]:
    """In random order, so that several workers that read the same list do not meet at its head."""
    return random.SystemRandom().sample(ids, len(ids))
