"""What a provider tells us about a grant: signature first, once each, and only about grants older than the signal.

A deauthorization ends the connection here; a request to delete data is a revocation by the person; session signals ask
the person to sign in again. None of them destroys anything by itself but the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from connector import connections, people
from connector.clients import integration_with_id
from connector.connections import Connection, Revocation
from connector.flows import revoke
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.ledger import Entry, append
from connector.model.errors import BadInput, NotFound
from connector.model.ids import new_secret
from connector.model.states import ConnectionState, Ended
from connector.people import NewIdentity
from connector.records import ending
from connector.storage import Transaction
from connector.storage.errors import UniqueViolation
from providers import catalogue
from providers.capabilities import SendsSignals, Signal, SignalRequest
from providers.errors import ProviderError

Effect = Literal["applied", "unknown_account", "newer_grant", "nothing_live"]

_log = structlog.get_logger("signals")


@dataclass(frozen=True, slots=True)
class Received:
    """How a signal was taken. `code` names the status page of a request to delete data."""

    effect: Effect
    code: str | None
    duplicate: bool = False


def receive(gateway: Gateway, integration_id: str, request: SignalRequest) -> Received:
    """Take a provider's signal. A duplicate changes nothing and gets the same answer.

    Raises:
        NotFound: no such integration, or its provider sends no signal of this kind.
        BadInput: not signed for us, too old, or unreadable (`bad_signal`).
    """
    with gateway.store.read() as tx:
        whole = _whole(gateway, tx, integration_id)
    signal = _checked(gateway, whole, request)
    try:
        return _once(gateway, whole, request.kind, signal)
    except UniqueViolation:  # the same signal twice at the same moment: the other one was first
        return _once(gateway, whole, request.kind, signal)


@dataclass(frozen=True, slots=True)
class Deletion:
    """How a request to delete data, or a revocation, stands. Times in ms since the epoch.

    `revocation` None: there was nothing of that account here, or it had gone before.
    """

    asked_at: int
    revocation: Revocation | None
    provider: str


def deletion_with(gateway: Gateway, code: str) -> Deletion:
    """What a status page shows. Raises NotFound for a code that nobody was given."""
    with gateway.store.read() as tx:
        found = connections.revocation_with_code(tx, code)
        if found is not None:
            provider = _provider_of(gateway, tx, found.integration_id)
            return Deletion(found.created_at, found, provider)
        signal = tx.one("SELECT received_at, integration_id FROM signals WHERE code = :code", code=code)
        if signal is None:
            raise NotFound("request", code="unknown_code")
        return Deletion(signal["received_at"], None, _provider_of(gateway, tx, signal["integration_id"]))


def _provider_of(gateway: Gateway, tx: Transaction, integration_id: str) -> str:
    try:
        return catalogue.entry(integration_with_id(tx, gateway.vault, integration_id).provider).title
    except NotFound:
        return "the provider"


def _once(gateway: Gateway, whole: Integrated, kind: str, signal: Signal) -> Received:
    with gateway.store.transaction() as tx:
        before = _before(tx, whole.integration.id, signal.signal_id)
        if before is not None:
            return before
        received = _apply(gateway, tx, whole, signal)
        _remember(tx, whole.integration.id, kind, signal, received)
        return received


def _whole(gateway: Gateway, tx: Transaction, integration_id: str) -> Integrated:
    found = integration_with_id(tx, gateway.vault, integration_id)
    return integrated(gateway, tx, found.tenant_id, integration_id)


def _checked(gateway: Gateway, whole: Integrated, request: SignalRequest) -> Signal:
    adapter = whole.adapter
    if not isinstance(adapter, SendsSignals) or request.kind not in adapter.signal_kinds:
        raise NotFound("signal")
    try:
        return adapter.signal(whole.registration, request, now=gateway.clock.now())
    except ProviderError as problem:
        _log.warning("signal.refused", integration=whole.integration.id, code=problem.code)
        raise BadInput("bad_signal", "The signal is not signed for this integration, too old, or unreadable.") from None


def _apply(gateway: Gateway, tx: Transaction, whole: Integrated, signal: Signal) -> Received:
    connection, effect = _meant(gateway, tx, whole, signal)
    code = None
    if signal.means == "delete_data":
        code = new_secret()
    if connection is not None:
        if signal.means == "delete_data":
            code = revoke.revoke_in(gateway, tx, connection, by=Ended.DELETION).revocation.code
        elif signal.means in {"deauthorized", "account_purged"}:
            _end(gateway, tx, connection)
        else:
            _ask_again(gateway, tx, connection)
    pseudonym = None if connection is None else connection.pseudonym
    facts = {
        "integration": whole.integration.id,
        "connection": None if connection is None else connection.id,
        "signal": signal.means,
        "effect": effect,
    }
    append(tx, Entry("signal", whole.integration.tenant_id, pseudonym, facts))
    return Received(effect, code)


def _meant(gateway: Gateway, tx: Transaction, whole: Integrated, signal: Signal) -> tuple[Connection | None, Effect]:
    """The live connection that the signal is about, where the grant is older than the signal."""
    account = NewIdentity(whole.integration.id, whole.entry.name, signal.issuer, signal.subject)
    identity = people.find_identity(tx, gateway.vault, whole.integration.tenant_id, account)
    if identity is None:
        return None, "unknown_account"
    found = connections.newest_of_identity(tx, gateway.vault, identity.id)
    if found is None or found.state in {ConnectionState.REVOKED, ConnectionState.SHREDDED}:
        return None, "nothing_live"
    if found.authorized_at > signal.issued_at:
        return None, "newer_grant"
    return found, "applied"


def _end(gateway: Gateway, tx: Transaction, connection: Connection) -> None:
    if connection.state is ConnectionState.REVOKED_BY_PROVIDER:
        return
    connections.move(
        tx,
        gateway.vault,
        connection,
        ConnectionState.REVOKED_BY_PROVIDER,
        take_over=True,
        columns={
            "reason": "signal",
            "ended_by": Ended.PROVIDER.value,
            "revoked_at": tx.now(),
            "refresh_at": None,
            "import_at": None,
        },
    )
    ending.void_work(tx, connection.id)


def _ask_again(gateway: Gateway, tx: Transaction, connection: Connection) -> None:
    if connection.state in {ConnectionState.NEEDS_REAUTH, ConnectionState.REVOKED_BY_PROVIDER}:
        return
    connections.move(
        tx,
        gateway.vault,
        connection,
        ConnectionState.NEEDS_REAUTH,
        take_over=True,
        columns={"reason": "signal", "refresh_at": None},
    )


def _before(tx: Transaction, integration_id: str, signal_id: str) -> Received | None:
    row = tx.one(
        "SELECT effect, code FROM signals WHERE integration_id = :integration AND signal_id = :signal",
        integration=integration_id,
        signal=signal_id,
    )
    return None if row is None else Received(row["effect"], row["code"], duplicate=True)


def _remember(tx: Transaction, integration_id: str, kind: str, signal: Signal, received: Received) -> None:
    tx.run(
        """INSERT INTO signals (integration_id, signal_id, kind, effect, code, received_at)
           VALUES (:integration, :signal, :kind, :effect, :code, :now)""",
        integration=integration_id,
        signal=signal.signal_id,
        kind=kind,
        effect=received.effect,
        code=received.code,
        now=tx.now(),
    )
