"""Telling a provider that a grant is over: every token that is held, retried until it is confirmed or truthfully not.

Then the tokens and their key go. What cannot even be read any more is destroyed when its time is over.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog

from connector import connections, people, tokens, work
from connector.connections import Connection, Outcome, Revocation
from connector.flows import evidence, failpoints
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.observed import Observed
from connector.flows.revoke_keys import entomb
from connector.ledger import Entry, append
from connector.ledger.kinds import Fact
from connector.model.errors import ConnectorError, NotFound, TryLater
from connector.model.states import WorkState
from connector.storage import Transaction
from connector.tokens import TokenOwner
from connector.work import Claimed
from providers.capabilities import Grant, Revokes
from providers.errors import ProviderError
from vault import Owner, VaultError

BATCH = 20
LEASE_MS = 30_000
DEADLINE_S = 10.0
SHARED_SCOPES = frozenset({"grant", "account", "unknown"})  # where nobody says, the careful guess

_log = structlog.get_logger("revoke")
_draw = random.SystemRandom().random


def tell_providers(gateway: Gateway) -> int:
    """One round of revocations that providers have not heard of yet; how many were worked on."""
    with gateway.store.transaction() as tx:
        claimed = work.claim(tx, "revocations", gateway.worker_id, BATCH, LEASE_MS)
    for one in claimed:
        try:
            _tell(gateway, one)
        except (ConnectorError, VaultError) as problem:  # one that cannot be told must not keep the others waiting
            _log.error("revoke.failed", revocation=one.id, kind=type(problem).__name__)
            _after_mishap(gateway, one)
    return len(claimed)


@dataclass(frozen=True, slots=True)
class _Job:
    """One revocation while a provider is told.

    `connection` None: the grant never became one. `whole` None: its integration was removed.
    """

    claimed: Claimed
    asked: Revocation
    connection: Connection | None
    whole: Integrated | None
    shared: bool

    @property
    def owner(self) -> Owner:
        """Whose key the tokens are under."""
        return Owner(self.asked.tenant_id, "connection_tokens", self.asked.connection_id)


def _tell(gateway: Gateway, claimed: Claimed) -> None:
    job = _read(gateway, claimed)
    if job.whole is None:
        _finish(gateway, job, "gave_up")
    elif job.shared and job.whole.entry.revocation_scope in SHARED_SCOPES:
        _finish(gateway, job, "shared")
    elif not isinstance(job.whole.adapter, Revokes):
        _finish(gateway, job, "unsupported")
    else:
        _ask(gateway, job, job.whole)


def _read(gateway: Gateway, claimed: Claimed) -> _Job:
    with gateway.store.read() as tx:
        asked = connections.revocation(tx, claimed.id)
        if asked is None:
            raise NotFound("revocation", detail=claimed.id)
        connection = connections.find(tx, gateway.vault, asked.tenant_id, asked.connection_id)
        shared = connection is not None and bool(connections.sharing_grant(tx, gateway.vault, connection))
        try:
            whole = integrated(gateway, tx, asked.tenant_id, asked.integration_id)
        except NotFound:  # the operator removed the integration, and its secret with it
            whole = None
        return _Job(claimed, asked, connection, whole, shared)


def _ask(gateway: Gateway, job: _Job, whole: Integrated) -> None:
    """Tell the provider about every token that is held, those included that came too late to be used."""
    grants, orphans = _grants(gateway, job, whole.entry.name)
    with gateway.store.transaction() as tx:
        append(tx, _intent(job))
    failpoints.reached(gateway, "revoke_intended")
    observed = Observed()
    try:
        for grant in grants:
            _send(gateway, whole, grant, observed)
    except ProviderError as problem:
        _after_failure(gateway, job, problem, observed)
    except TryLater as problem:  # too many at once: this one was not sent
        _later(gateway, job, problem.retry_after_s, problem.code, observed)
    else:
        failpoints.reached(gateway, "revoke_sent")
        _finish(gateway, job, "confirmed", orphans, observed)


def _grants(gateway: Gateway, job: _Job, provider: str) -> tuple[list[Grant], int]:
    """What is held, and how many of it are orphans."""
    with gateway.store.read() as tx:
        found: list[Grant] = []
        held = tokens.held(tx, job.asked.tenant_id, job.asked.connection_id)
        if job.connection is not None and held is not None and held.row["token_access"] is not None:
            key = tokens.token_key(tx, gateway.vault, held)
            erased = job.connection.pseudonym is None  # the account's name is forgotten; its tokens are enough here
            account = {} if erased else people.account_claims(tx, gateway.vault, job.connection.identity_id)
            found.append(tokens.opened_grant(key, held, job.connection.granted_scopes, account, now=tx.now()))
        whose = TokenOwner(job.asked.tenant_id, job.asked.connection_id, provider)
        key = gateway.vault.key(tx, whose.owner)
        orphans = [
            Grant(access_token=access, refresh_token=refresh)
            for _id, access, refresh in tokens.orphans_of(tx, key, whose)
        ]
        return [*found, *orphans], len(orphans)


def _send(gateway: Gateway, whole: Integrated, grant: Grant, observed: Observed) -> None:
    """One revocation. Raises ProviderError; an adapter that knows the grant to be gone says so without one."""
    adapter = whole.adapter
    if not isinstance(adapter, Revokes):
        raise ProviderError("unsupported", "no_revocation", f"{whole.entry.title} has no way to revoke.")
    gateway.egress.drive(
        adapter.revoke(whole.registration, grant),
        provider=whole.integration.id,
        deadline_s=DEADLINE_S,
        observe=observed,
    )


def _after_failure(gateway: Gateway, job: _Job, problem: ProviderError, observed: Observed) -> None:
    if problem.kind == "unsupported":
        _finish(gateway, job, "unsupported", observed=observed)
        return
    if problem.kind == "rejected" or gateway.clock.now() >= job.asked.deadline_at:
        # Our token is dead there, which does not prove that the grant is.
        _finish(gateway, job, "gave_up", observed=observed)
        return
    _log.info("revoke.later", revocation=job.asked.id, kind=problem.kind, code=problem.code)
    _later(gateway, job, problem.retry_after_s or 0, problem.kind, observed)


def _later(gateway: Gateway, job: _Job, at_least_s: int, reason: str, observed: Observed) -> None:
    claimed = job.claimed
    wait_ms = max(at_least_s * 1000, connections.backoff_ms(claimed.attempts, _draw()))
    with gateway.store.transaction() as tx:
        work.retry(tx, "revocations", claimed.id, claimed.fence, wait_ms)
        _enter(tx, job, observed, "later", reason)


def _finish(
    gateway: Gateway, job: _Job, outcome: Outcome, orphans: int | None = None, observed: Observed | None = None
) -> None:
    """The provider has been told, or never can be: tokens and their key go, and the receipt becomes final.

    `orphans`: how many were told; one that arrived meanwhile is told in another round. None: they do not matter.
    `observed`: the requests of this attempt, where there was one.
    """
    with gateway.store.transaction() as tx:
        if orphans is not None and tokens.count_orphans(tx, job.asked.connection_id) > orphans:
            work.retry(tx, "revocations", job.claimed.id, job.claimed.fence, 0)
            _enter(tx, job, observed, "later", "more_to_tell")
            return
        if not _settle(tx, job.claimed, outcome):
            _enter(tx, job, observed, outcome, "lost")
            return
        gateway.vault.destroy(tx, job.owner)
        tokens.drop(tx, job.asked.connection_id)
        done = connections.revocation(tx, job.asked.id)
        if job.connection is None or done is None:
            _enter(tx, job, observed, outcome, None)
            return
        if observed is not None:
            observed.enter(tx, job.asked.tenant_id, job.connection.pseudonym, _places(job))
        evidence.note_revocation(
            gateway, tx, done, job.connection, kind="revocation_outcome", attempt=job.claimed.attempts
        )
        entomb(gateway, tx, done)


def _enter(tx: Transaction, job: _Job, observed: Observed | None, outcome: str, reason: str | None) -> None:
    """What an attempt that ends nothing asked and came to. Every intent has its outcome."""
    if observed is None:
        return
    pseudonym = None if job.connection is None else job.connection.pseudonym
    observed.enter(tx, job.asked.tenant_id, pseudonym, _places(job))
    facts: dict[str, Fact] = {
        "revocation": job.asked.id,
        "integration": job.asked.integration_id,
        "outcome": outcome,
        "reason": reason,
        "attempt": job.claimed.attempts,
    }
    append(tx, Entry("revocation_outcome", job.asked.tenant_id, pseudonym, facts))


def _places(job: _Job) -> dict[str, Fact]:
    return {
        "connection": job.asked.connection_id,
        "integration": job.asked.integration_id,
        "revocation": job.asked.id,
        "action": "revoke",
    }


def _after_mishap(gateway: Gateway, claimed: Claimed) -> None:
    """It could not even be read. Until its deadline it is tried again; then its key goes without a word to anybody."""
    with gateway.store.transaction() as tx:
        asked = connections.revocation(tx, claimed.id)
        if asked is None or tx.now() < asked.deadline_at:
            work.retry(tx, "revocations", claimed.id, claimed.fence, connections.backoff_ms(claimed.attempts, _draw()))
            return
        if not _settle(tx, claimed, "gave_up"):
            return
        gateway.vault.destroy(tx, Owner(asked.tenant_id, "connection_tokens", asked.connection_id))
        tokens.drop(tx, asked.connection_id)
        facts: dict[str, Fact] = {
            "revocation": asked.id,
            "outcome": "gave_up",
            "reason": "unreadable",
            "attempt": claimed.attempts,
        }
        append(tx, Entry("revocation_outcome", asked.tenant_id, None, facts))


def _settle(tx: Transaction, claimed: Claimed, outcome: Outcome) -> bool:
    now = tx.now()
    return work.settle(
        tx,
        "revocations",
        claimed.id,
        claimed.fence,
        WorkState.DONE,
        outcome=outcome,
        confirmed_at=now if outcome == "confirmed" else None,
        token_key_destroyed_at=now,
        finished_at=now,
    )


def _intent(job: _Job) -> Entry:
    facts: dict[str, Fact] = {
        "revocation": job.asked.id,
        "integration": job.asked.integration_id,
        "attempt": job.claimed.attempts,
    }
    pseudonym = None if job.connection is None else job.connection.pseudonym
    return Entry("revocation_intent", job.asked.tenant_id, pseudonym, facts)
