"""A provider's answer to a refresh, held until it is stored.

Nothing but a commit ends the holding: a new refresh token exists nowhere else in the world. An answer that comes after
somebody else took over lands where nobody landed since; else it is kept sealed as an orphan until its grant is revoked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from connector import connections, tokens
from connector.connections import Claim, Connection, Landed, LostClaim
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.ledger import Entry, append
from connector.model.errors import TryLater
from connector.model.states import ConnectionState
from connector.storage import Transaction
from connector.tokens import TokenOwner
from providers.capabilities import Grant, Revokes
from providers.errors import ProviderError
from vault import DataKey, KeyDestroyed

HOLD_FIRST_S = 0.05
HOLD_MOST_S = 1.0
DEADLINE_S = 10.0
_NOBODY_ASKS = frozenset({ConnectionState.ACTIVE, ConnectionState.EXPIRED})

_log = structlog.get_logger("refresh")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider gave for a claim, and all that storing it needs."""

    claim: Claim
    whole: Integrated
    whose: TokenOwner
    key: DataKey
    landed: Landed
    spent: tuple[str, ...]  # marks of refresh tokens that were replaced


def land(gateway: Gateway, answer: Answer) -> None:
    """Store the answer, for as long as it takes."""
    pause_s = HOLD_FIRST_S
    store = _store
    with gateway.flights.holding():
        while True:
            try:
                store(gateway, answer)
            except LostClaim:
                store = _store_late
            except Exception as problem:  # noqa: BLE001  whatever is wrong, dropping the answer would lose the grant
                detail = problem.detail if isinstance(problem, TryLater) else type(problem).__name__
                _log.warning("refresh.holding", connection=answer.claim.connection.id, detail=detail)
                gateway.clock.sleep(pause_s)
                pause_s = min(HOLD_MOST_S, pause_s * 2)
            else:
                return


def entry_of(connection: Connection, outcome: str) -> Entry:
    """The ledger's line about a refresh."""
    return Entry(
        "refresh",
        connection.tenant_id,
        connection.pseudonym,
        {"connection": connection.id, "generation": connection.generation, "outcome": outcome},
    )


def _store(gateway: Gateway, answer: Answer) -> None:
    with gateway.store.transaction() as tx:
        _write(gateway, tx, answer, answer.claim.connection, fence=answer.claim.fence)
        failpoints.reached(gateway, "before_land")
    failpoints.reached(gateway, "after_land")


def _write(gateway: Gateway, tx: Transaction, answer: Answer, connection: Connection, *, fence: int | None) -> None:
    landed = answer.landed
    after = connections.reland(tx, gateway.vault, connection, landed, now=tx.now(), authorized=False, fence=fence)
    tokens.store(
        tx,
        answer.key,
        answer.whose,
        access=landed.access,
        refresh=landed.refresh,
        token_type=landed.token_type,
        generation=after.generation,
        spent=answer.spent,
    )
    connections.note_outcome(tx, after.integration_id, "landed")
    append(tx, entry_of(after, "landed"))


def _store_late(gateway: Gateway, answer: Answer) -> None:
    """The claim is somebody else's by now, or the connection ended."""
    with gateway.store.transaction() as tx:
        place = _place_for_late(gateway, tx, answer)
    if place == "nowhere":
        _hand_back(gateway, answer)
    _log.warning("refresh.late", connection=answer.claim.connection.id, stored=place)


def _place_for_late(gateway: Gateway, tx: Transaction, answer: Answer) -> Literal["landed", "orphaned", "nowhere"]:
    then = answer.claim.connection
    now = connections.find_for_update(tx, gateway.vault, then.id)
    if now is not None and now.state in _NOBODY_ASKS and now.generation == then.generation:
        _write(gateway, tx, answer, now, fence=None)  # whoever took over gave up: this is the newest there is
        return "landed"
    try:
        gateway.vault.key(tx, answer.whose.owner)
    except KeyDestroyed:
        return "nowhere"
    tokens.put_orphan(
        tx,
        answer.key,
        answer.whose,
        access=answer.landed.access,
        refresh=answer.landed.refresh,
        generation=then.generation + 1,
        reason="lost_claim",
    )
    append(tx, entry_of(then, "orphaned"))
    return "orphaned"


def _hand_back(gateway: Gateway, answer: Answer) -> None:
    """Revoked and shredded meanwhile: nothing can be kept, so the provider is told at once, as well as that goes."""
    adapter = answer.whole.adapter
    if not isinstance(adapter, Revokes):
        return
    grant = Grant(access_token=answer.landed.access, refresh_token=answer.landed.refresh)
    try:
        gateway.egress.drive(
            adapter.revoke(answer.whole.registration, grant),
            provider=answer.whole.integration.id,
            deadline_s=DEADLINE_S,
        )
    except (ProviderError, TryLater) as problem:
        _log.error("refresh.not_handed_back", connection=answer.claim.connection.id, code=problem.code)
