"""Revoked means revoked: here at once, at the provider until confirmed or truthfully not, in the vault by its keys.

    one transaction: no more handouts, queued work void, consents withdrawn, feed told, revocation written down, receipt
    then: the provider is told, with retries, unless a live connection shares the grant
    then: the token key is destroyed; the imported data's key at the end of the window, or at once

Who revokes twice gets the same revocation. Nothing here waits for the provider while the person waits.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog

from connector import connections, consent, people, tokens, work
from connector.connections import Connection, Outcome, Revocation
from connector.flows import evidence
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.ledger import Entry, append, newest
from connector.ledger.kinds import Fact
from connector.model.errors import ConnectorError, NotFound
from connector.model.states import ConnectionState, Ended, WorkState
from connector.records import ending
from connector.storage import Transaction
from connector.tokens import TokenOwner
from connector.work import Claimed
from providers.capabilities import Grant, Revokes
from providers.errors import ProviderError
from vault import Owner, VaultError

BATCH = 20
LEASE_MS = 30_000
DEADLINE_S = 10.0
SHARED_SCOPES = frozenset({"grant", "account"})
_WHO = {
    Ended.PERSON: "subject",
    Ended.APP: "app",
    Ended.OPERATOR: "operator",
    Ended.PROVIDER: "provider",
    Ended.DELETION: "subject",
}
_OVER = frozenset({ConnectionState.REVOKED, ConnectionState.SHREDDED})

_log = structlog.get_logger("revoke")
_draw = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Revoked:
    """What the caller learns: the revocation and its newest receipt."""

    revocation: Revocation
    receipt_id: str


def revoke(
    gateway: Gateway,
    tenant_id: str,
    connection_id: str,
    *,
    by: Ended,
    reason: connections.RevocationReason = "revoked",
    erase_now: bool = False,
) -> Revoked:
    """End a connection. Idempotent; a second call may bring the erasure forward.

    Args:
        by: who asked.
        erase_now: destroy the imported data's key at once instead of at the end of the export window.

    Raises:
        NotFound: no such connection in this tenant.
    """
    with gateway.store.transaction() as tx:
        connection = connections.find_for_update(tx, gateway.vault, connection_id)
        if connection is None or connection.tenant_id != tenant_id:
            raise NotFound("connection", code="unknown_connection")
        return revoke_in(gateway, tx, connection, by=by, reason=reason, erase_now=erase_now)


def revoke_in(
    gateway: Gateway,
    tx: Transaction,
    connection: Connection,
    *,
    by: Ended,
    reason: connections.RevocationReason = "revoked",
    erase_now: bool = False,
) -> Revoked:
    """The same inside a transaction that does more (deletion of a person)."""
    if connection.state in _OVER:
        return _again(gateway, tx, connection, erase_now=erase_now)
    now = tx.now()
    refreshing = connection.state is ConnectionState.REFRESHING
    ended = connections.move(
        tx,
        gateway.vault,
        connection,
        ConnectionState.REVOKED,
        take_over=True,
        columns={"revoked_at": now, "ended_by": by.value, "reason": reason, "refresh_at": None, "import_at": None},
    )
    ending.void_work(tx, ended.id)
    ending.close_feed(tx, ended.tenant_id, ended.sub, ended.id)
    for given in consent.of_connection(tx, gateway.vault, ended.id):
        consent.withdraw(tx, gateway.vault, given, by=_WHO[by], method="revocation")
    asked = connections.ask_revocation(
        tx,
        ended,
        asked_by=by.value,
        reason=reason,
        data_key_due_at=now if erase_now else now + window_ms(gateway),
        not_before=(connection.lease_until or now) if refreshing else now,
    )
    receipt_id = evidence.note_revocation(gateway, tx, asked, ended, kind="revoked")
    tx.after_commit(gateway.wakeup.notify)
    return Revoked(asked, receipt_id)


def tell_providers(gateway: Gateway) -> int:
    """One round of revocations that providers have not heard of yet; how many were worked on."""
    with gateway.store.transaction() as tx:
        claimed = work.claim(tx, "revocations", gateway.worker_id, BATCH, LEASE_MS)
    for one in claimed:
        try:
            _tell(gateway, one)
        except (ConnectorError, VaultError) as problem:  # one that cannot be told must not keep the others waiting
            _log.error("revoke.failed", revocation=one.id, kind=type(problem).__name__)
            _later(gateway, one, 0)
    return len(claimed)


def destroy_due_keys(gateway: Gateway) -> int:
    """One round of imported data whose window is over; how many connections lost their data."""
    with gateway.store.transaction() as tx:
        due = connections.due_for_erasure(tx, limit=BATCH)
        for revocation in due:
            destroy_data(gateway, tx, revocation)
    if due:
        gateway.store.scrub()
    return len(due)


def retire(gateway: Gateway) -> int:
    """One round of connections that lay dead for longer than they are kept; how many were ended for good."""
    kept = gateway.settings.policy.retention
    ended = 0
    with gateway.store.transaction() as tx:
        now = tx.now()
        for state, age in (
            (ConnectionState.REVOKED_BY_PROVIDER, kept.revoked_by_provider),
            (ConnectionState.NEEDS_REAUTH, kept.needs_reauth),
        ):
            before = now - int(age.total_seconds() * 1000)
            for connection in connections.lying_in(tx, gateway.vault, state, since_before=before, limit=BATCH):
                revoke_in(gateway, tx, connection, by=Ended.OPERATOR, reason="abandoned", erase_now=True)
                ended += 1
    return ended


def window_ms(gateway: Gateway) -> int:
    """How long the person may still export what was imported, in ms."""
    return int(gateway.settings.policy.export_window.total_seconds() * 1000)


def _again(gateway: Gateway, tx: Transaction, connection: Connection, *, erase_now: bool) -> Revoked:
    found = connections.revocation_of(tx, connection.id)
    if found is None:
        raise NotFound("revocation", detail=f"{connection.id} ended without one")
    if erase_now:
        connections.bring_forward(tx, found)
        tx.after_commit(gateway.wakeup.notify)
    kept = newest(tx, found.id)
    return Revoked(found, "" if kept is None else kept.id)


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
    try:
        for grant in grants:
            _send(gateway, whole, grant)
    except ProviderError as problem:
        _after_failure(gateway, job, problem)
    else:
        _finish(gateway, job, "confirmed", orphans)


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


def _send(gateway: Gateway, whole: Integrated, grant: Grant) -> None:
    """One revocation. Raises ProviderError; an adapter that knows the grant to be gone says so without one."""
    adapter = whole.adapter
    if not isinstance(adapter, Revokes):
        raise ProviderError("unsupported", "no_revocation", f"{whole.entry.title} has no way to revoke.")
    gateway.egress.drive(
        adapter.revoke(whole.registration, grant), provider=whole.integration.id, deadline_s=DEADLINE_S
    )


def _after_failure(gateway: Gateway, job: _Job, problem: ProviderError) -> None:
    if problem.kind == "unsupported":
        _finish(gateway, job, "unsupported")
        return
    if problem.kind == "rejected" or gateway.clock.now() >= job.asked.deadline_at:
        _finish(gateway, job, "gave_up")  # our token is dead there, which does not prove that the grant is
        return
    _log.info("revoke.later", revocation=job.asked.id, kind=problem.kind, code=problem.code)
    _later(gateway, job.claimed, problem.retry_after_s or 0)


def _later(gateway: Gateway, claimed: Claimed, at_least_s: int) -> None:
    wait_ms = max(at_least_s * 1000, connections.backoff_ms(claimed.attempts, _draw()))
    with gateway.store.transaction() as tx:
        work.retry(tx, "revocations", claimed.id, claimed.fence, wait_ms)


def _finish(gateway: Gateway, job: _Job, outcome: Outcome, orphans: int | None = None) -> None:
    """The provider has been told, or never can be: tokens and their key go, and the receipt becomes final.

    `orphans`: how many were told; one that arrived meanwhile is told in another round. None: they do not matter.
    """
    with gateway.store.transaction() as tx:
        now = tx.now()
        if orphans is not None and tokens.count_orphans(tx, job.asked.connection_id) > orphans:
            work.retry(tx, "revocations", job.claimed.id, job.claimed.fence, 0)
            return
        settled = work.settle(
            tx,
            "revocations",
            job.claimed.id,
            job.claimed.fence,
            WorkState.DONE,
            outcome=outcome,
            confirmed_at=now if outcome == "confirmed" else None,
            token_key_destroyed_at=now,
            finished_at=now,
        )
        if not settled:
            return
        gateway.vault.destroy(tx, job.owner)
        tokens.drop(tx, job.asked.connection_id)
        done = connections.revocation(tx, job.asked.id)
        if job.connection is not None and done is not None:
            evidence.note_revocation(gateway, tx, done, job.connection, kind="revocation_outcome")
            _entomb(gateway, tx, done)


def destroy_data(gateway: Gateway, tx: Transaction, asked: Revocation) -> None:
    """What was imported goes, and its key first: the rows with it, the receipt after it."""
    owner = Owner(asked.tenant_id, "connection_data", asked.connection_id)
    count = gateway.vault.destroy(tx, owner)
    ending.forget_connection(tx, asked.connection_id)
    connections.mark_data_key_destroyed(tx, asked.id)
    connection = connections.find_for_update(tx, gateway.vault, asked.connection_id)
    done = connections.revocation(tx, asked.id)
    if connection is None or done is None:
        return
    evidence.note_erasure(gateway, tx, done, connection, keys=count)
    _entomb(gateway, tx, done)


def _entomb(gateway: Gateway, tx: Transaction, done: Revocation) -> None:
    """Both keys are gone: only the tombstone remains, and not even that of a person who was erased."""
    if done.token_key_destroyed_at is None or done.data_key_destroyed_at is None:
        return
    connection = connections.find_for_update(tx, gateway.vault, done.connection_id)
    if connection is None or connection.state is not ConnectionState.REVOKED:
        return
    if connection.pseudonym is None:
        connections.forget(tx, connection.id)
        if connections.newest_of_identity(tx, gateway.vault, connection.identity_id) is None:
            people.forget_identity(tx, connection.identity_id)
    else:
        connections.move(tx, gateway.vault, connection, ConnectionState.SHREDDED)


def _intent(job: _Job) -> Entry:
    facts: dict[str, Fact] = {
        "revocation": job.asked.id,
        "integration": job.asked.integration_id,
        "attempt": job.claimed.attempts,
    }
    pseudonym = None if job.connection is None else job.connection.pseudonym
    return Entry("revocation_intent", job.asked.tenant_id, pseudonym, facts)
