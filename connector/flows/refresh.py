"""Refresh: the one place that could lose a grant, so it is written as steps that survive each other's death.

    join the flight in this process → claim (durable intent) → send once → hold until stored → land (fenced) → answer

This file says who flies and when: a caller who waits, the background before expiry, and recovery after a death. What
one flight does is in `refresh_attempt`, how its answer is held and stored in `refresh_landing`. Where workers alone
refresh (`refresh.process`), the caller only waits: `refresh_waiting`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import structlog

from connector import connections
from connector.connections import Claim, Connection
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.refresh_attempt import COOLDOWN_MS, try_refresh
from connector.flows.refresh_storing import intent_of
from connector.flows.refresh_waiting import WAIT_S, ask_worker, not_too_early, still_under_way, wait_for_other
from connector.ledger import append, append_all
from connector.model.errors import ConnectorError, TryLater
from connector.model.states import ConnectionState
from connector.storage import Transaction
from connector.tokens import Flight
from vault import VaultError

LEASE_MS = 15_000
BATCH = 100
AT_ONCE = 16
CHUNK = 8
WANTED_AT_ONCE = 32
TAKEN_AT_ONCE = 32

_log = structlog.get_logger("refresh")


def refresh_now(gateway: Gateway, connection: Connection) -> None:
    """A caller waits: refresh this connection unless somebody does or did. Returns once its row moved on.

    Raises:
        TryLater: the provider or the database is down, it is too early to ask again, or the one who holds the claim
            takes too long.
    """
    if gateway.flights.draining:
        raise TryLater("This process is going down; ask again.", retry_after_s=1, code="draining")
    if connection.state is not ConnectionState.REFRESHING:
        not_too_early(gateway, connection)
    fly = _for_caller if gateway.refreshes else ask_worker
    try:
        gateway.flights.join(connection.id, partial(fly, gateway, connection), timeout_s=WAIT_S)
    except TimeoutError as error:
        raise still_under_way() from error


def due(gateway: Gateway) -> int:
    """One round of background refreshes; how many were tried. None right after the machine's clock was set.

    What is taken over from the dead goes first: while that fills this process, nothing new is begun.
    """
    if gateway.watch.jumped:
        return 0
    with gateway.store.read() as tx:
        ids = connections.due_refreshes(tx, limit=BATCH)
    # In random order, so that several workers that read the same list do not meet at its head.
    waiting = random.SystemRandom().sample(ids, len(ids))
    done = 0
    while waiting and not gateway.flights.draining and gateway.flights.under_way < AT_ONCE:
        chunk = [waiting.pop() for _ in range(min(len(waiting), CHUNK))]
        try:
            done += sum(_outcome(one, flight) for one, flight in _start(gateway, chunk, frozenset()))
        except TryLater as problem:  # the database is away or full: nothing more can be begun in this round
            _log.warning("refresh.nothing_claimed", code=problem.code, detail=problem.detail)
            return 0
    return done


def wanted(gateway: Gateway) -> int:
    """Start a flight for each connection that a caller of another process waits for; how many. Waits for none."""
    if gateway.flights.draining or gateway.flights.under_way >= WANTED_AT_ONCE:
        return 0
    with gateway.store.read() as tx:
        ids = connections.wanted_refreshes(tx, limit=WANTED_AT_ONCE)
    return len(_start(gateway, ids, frozenset()))


def recover(gateway: Gateway, dead_owners: frozenset[str]) -> int:
    """Take over refreshes whose owner died or overran; how many flights were started. Waits for none.

    To be run more often than any grace is long: what is left over is there again at the next look.
    """
    if gateway.flights.draining:
        return 0
    with gateway.store.read() as tx:
        ids = _abandoned(gateway, tx, dead_owners, limit=BATCH)
    # In random order, so that several workers that find the same dead do not meet at the head of the list.
    drawn = random.SystemRandom().sample(ids, len(ids))
    return len(_start(gateway, drawn[: TAKEN_AT_ONCE - gateway.flights.under_way], dead_owners))


def holds_refreshes(gateway: Gateway, tx: Transaction, dead_owners: frozenset[str]) -> bool:
    """Whether there is still a refresh of theirs to take over. Until then they must not be forgotten."""
    return bool(_abandoned(gateway, tx, dead_owners, limit=1))


def _abandoned(gateway: Gateway, tx: Transaction, dead_owners: frozenset[str], *, limit: int) -> list[str]:
    return connections.abandoned_claims(tx, dead_owners=dead_owners, limit=limit, leases_count=not gateway.watch.jumped)


def _start(gateway: Gateway, ids: Sequence[str], dead_owners: frozenset[str]) -> list[tuple[str, Flight]]:
    """A flight for each that has none in this process; one transaction claims for all of them.

    Raises:
        TryLater: nothing could be claimed; the flights came to nothing.
    """
    claims: Future[dict[str, Claim]] = Future()
    begun = [
        (one, flight)
        for one in ids
        if (flight := gateway.flights.begin(one, partial(_logged, gateway, one, partial(_fly, gateway, one, claims))))
    ]
    try:
        claims.set_result(_claim_all(gateway, [one for one, _ in begun], dead_owners) if begun else {})
    except BaseException:
        claims.set_result({})
        raise  # once, not by every flight: whoever runs this rests a while
    return begun


def _fly(gateway: Gateway, connection_id: str, claims: Future[dict[str, Claim]]) -> bool:
    claim = claims.result().get(connection_id)
    if claim is None:
        return False
    failpoints.reached(gateway, "after_claim")
    try_refresh(gateway, claim)
    return True


def _outcome(connection_id: str, flight: Flight) -> bool:
    """How a flight that nobody waits for ended: one that takes too long must not keep the others on the ground."""
    try:
        return flight.result(WAIT_S)
    except TimeoutError:
        _log.warning("refresh.slow", connection=connection_id)
    return True


def _logged(gateway: Gateway, connection_id: str, fly: Callable[[], bool]) -> bool:
    """Fly, and say in the log why it came to nothing. What cannot be tried is left alone for a while."""
    try:
        return fly()
    except TryLater as problem:
        _log.info("refresh.later", connection=connection_id, code=problem.code, detail=problem.detail)
    except (ConnectorError, VaultError) as problem:
        _log.error("refresh.cannot_try", connection=connection_id, error=type(problem).__name__)
        with gateway.store.transaction() as tx:
            connections.postpone(tx, connection_id, tx.now() + COOLDOWN_MS)
    return True


def _for_caller(gateway: Gateway, connection: Connection) -> bool:
    claim = _claim(gateway, connection)
    if claim is None:
        wait_for_other(gateway, connection)
        return False
    try_refresh(gateway, claim)
    return True


def _claim(gateway: Gateway, connection: Connection) -> Claim | None:
    """The intent, committed. If the database cannot be written, this raises and nothing is sent."""
    with gateway.store.transaction() as tx:
        claim = connections.claim_refresh(
            tx,
            gateway.vault,
            connection.id,
            worker=gateway.worker_id,
            lease_ms=LEASE_MS,
            seen_generation=connection.generation,
            leases_count=not gateway.watch.jumped,
        )
        if claim is not None:
            append(tx, intent_of(claim))
    if claim is not None:
        failpoints.reached(gateway, "after_claim")
    return claim


def _claim_all(gateway: Gateway, ids: Sequence[str], dead_owners: frozenset[str]) -> dict[str, Claim]:
    """The same for many of whom nobody waits, in one commit."""
    with gateway.store.transaction() as tx:
        claims = connections.claim_refreshes(
            tx,
            gateway.vault,
            ids,
            worker=gateway.worker_id,
            lease_ms=LEASE_MS,
            dead_owners=dead_owners,
            leases_count=not gateway.watch.jumped,
            set_aside_ms=COOLDOWN_MS,
        )
        append_all(tx, [intent_of(claim) for claim in claims])
    return {claim.connection.id: claim for claim in claims}
