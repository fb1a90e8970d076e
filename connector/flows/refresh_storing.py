"""Where a provider's answer to a refresh goes: into the row if the claim still stands, else wherever loses nothing.

An answer that comes after somebody else took over lands where nobody landed since; else it is kept sealed as an orphan
until its grant is revoked. Asked again about an answer that is stored already, all of this does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from connector import connections, tokens
from connector.connections import Claim, Connection, Landed
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.flows.observed import Observed
from connector.ledger import Entry, append
from connector.ledger.kinds import Fact
from connector.model.errors import TryLater
from connector.model.states import ConnectionState
from connector.storage import Transaction
from connector.tokens import TokenOwner
from providers.capabilities import Grant, Revokes
from providers.errors import ProviderError
from vault import DataKey, KeyDestroyed

DEADLINE_S = 10.0
LOST = "refresh_lost"
_FOR_WANT_OF_IT = frozenset({LOST, "restore"})  # why a connection was given up that this very answer brings back
_NOBODY_ASKS = frozenset({ConnectionState.ACTIVE, ConnectionState.EXPIRED})

_log = structlog.get_logger("refresh")


class NotYet(Exception):
    """Somebody else asks the provider about this very generation: its answer, if one comes, is the newer one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider gave for a claim, and all that storing it needs."""

    claim: Claim
    whole: Integrated | None  # None where it comes from the journal: there nobody can be told
    whose: TokenOwner
    key: DataKey
    landed: Landed
    spent: tuple[str, ...]  # marks of refresh tokens that were replaced
    observed: Observed  # the requests that it took


def store_in_time(gateway: Gateway, answer: Answer) -> None:
    """Land under the claim. Raises LostClaim where it is somebody else's by now, or the connection ended."""
    with gateway.store.transaction() as tx:
        _write(gateway, tx, answer, answer.claim.connection, fence=answer.claim.fence)
        failpoints.reached(gateway, "before_land")
    failpoints.reached(gateway, "after_land")


def store_late(gateway: Gateway, answer: Answer) -> None:
    """Land late, or be kept as an orphan. Raises NotYet while somebody else's claim on these tokens lives."""
    with gateway.store.transaction() as tx:
        place = _place(gateway, tx, answer)
    if place == "nowhere":
        _hand_back(gateway, answer)
    _log.warning("refresh.late", connection=answer.claim.connection.id, stored=place)


def entry_of(connection: Connection, outcome: str, *, attempt: int) -> Entry:
    """The ledger's line about a refresh. `attempt`: the claim's fence, which the intent named."""
    return Entry(
        "refresh",
        connection.tenant_id,
        connection.pseudonym,
        {"connection": connection.id, "generation": connection.generation, "outcome": outcome, "attempt": attempt},
    )


def intent_of(claim: Claim) -> Entry:
    """The line before it: written with the claim, so that a refresh that is cut off shows."""
    connection = claim.connection
    facts: dict[str, Fact] = {
        "connection": connection.id,
        "integration": connection.integration_id,
        "generation": connection.generation,
        "attempt": claim.fence,
    }
    return Entry("refresh_intent", connection.tenant_id, connection.pseudonym, facts)


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
    answer.observed.record(tx, after, {"action": "refresh"})
    append(tx, entry_of(after, "landed", attempt=answer.claim.fence))


def _place(gateway: Gateway, tx: Transaction, answer: Answer) -> Literal["landed", "orphaned", "nowhere"]:
    then = answer.claim.connection
    now = connections.find_for_update(tx, gateway.vault, then.id)
    if now is not None and _is_stored(gateway, tx, answer, now):
        return "landed"
    if now is not None and _may_land(tx, answer, now):
        _write(gateway, tx, answer, now, fence=None)  # whoever took over gave up: this is the newest there is
        return "landed"
    answer.observed.record(tx, then, {"action": "refresh"})
    try:
        gateway.vault.key(tx, answer.whose.owner)
    except KeyDestroyed:
        append(tx, entry_of(then, "nowhere", attempt=answer.claim.fence))
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
    append(tx, entry_of(then, "orphaned", attempt=answer.claim.fence))
    return "orphaned"


def _is_stored(gateway: Gateway, tx: Transaction, answer: Answer, now: Connection) -> bool:
    """Whether these very tokens are there: a commit whose confirmation was lost on its way had come through."""
    held = tokens.held(tx, now.tenant_id, now.id)
    if now.generation <= answer.claim.connection.generation or held is None:
        return False
    try:
        return tokens.is_held(tokens.token_key(tx, gateway.vault, held), held, answer.landed.access)
    except KeyDestroyed:
        return False


def _may_land(tx: Transaction, answer: Answer, now: Connection) -> bool:
    """Whether nobody landed since, and nobody's word stands against it. Raises NotYet."""
    claim = answer.claim
    if now.generation > claim.connection.generation:
        return False
    if now.state is ConnectionState.REFRESHING:
        if now.fence != claim.fence and (now.lease_until or 0) > tx.now():
            raise NotYet
        return True
    lost = now.state is ConnectionState.NEEDS_REAUTH and now.reason in _FOR_WANT_OF_IT
    return lost or now.state in _NOBODY_ASKS


def _hand_back(gateway: Gateway, answer: Answer) -> None:
    """Revoked and shredded meanwhile: nothing can be kept, so the provider is told at once, as well as that goes."""
    whole = answer.whole
    if whole is None or not isinstance(whole.adapter, Revokes):
        return
    grant = Grant(access_token=answer.landed.access, refresh_token=answer.landed.refresh)
    try:
        gateway.egress.drive(
            whole.adapter.revoke(whole.registration, grant),
            provider=whole.integration.id,
            deadline_s=DEADLINE_S,
            observe=answer.observed,
        )
    except (ProviderError, TryLater) as problem:
        _log.error("refresh.not_handed_back", connection=answer.claim.connection.id, code=problem.code)
    with gateway.store.transaction() as tx:
        answer.observed.record(tx, answer.claim.connection, {"action": "revoke"})
