"""Moving connections in: asked of the provider, weighed, and made in one transaction, or refused with a way to mend it.

Who the account stands for decides, exactly as at a sign-in: a user who is there, one that the app named, or a new one.
What a person ended is never begun again by this; only they can do that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from connector import connections, people, tokens
from connector.clients import Client
from connector.connections import Adoption, Connection, Landed, LostClaim, NewConnection
from connector.flows.adopt.asked import Wanted
from connector.flows.adopt.landing import is_newer, landed_of, same
from connector.flows.adopt.verifying import account_of
from connector.flows.adopt.weighing import Case, Person, weigh
from connector.flows.first_tokens import store_first
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.model.errors import Conflict, ConnectorError, Gone, NotFound, TryLater
from connector.model.ids import new_id
from connector.model.states import ConnectionState
from connector.people import NewIdentity, User
from connector.storage import Transaction
from connector.storage.errors import DatabaseUnavailable, UniqueViolation
from providers.capabilities import Account

Outcome = Literal["adopted", "renewed", "unchanged", "kept"]
ATTEMPTS = 5
_draw = random.SystemRandom().random
_log = structlog.get_logger("adopt")


@dataclass(frozen=True, slots=True)
class Mover:
    """Who moves connections in: an app, or the operator (`client` None) for a tenant."""

    tenant_id: str
    client: Client | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """How it ended.

    Attributes:
        outcome: adopted (made now), renewed (newer tokens for one that lives), unchanged (the very tokens are held),
            kept (newer ones are held).
        connection_id: None only in a trial, for one that would be made.
        sub: the person; None only in a trial, for one who would be made.
    """

    outcome: Outcome
    connection_id: str | None
    sub: str | None
    verified: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """What is known before the transaction: the integration, and whose the token is."""

    wanted: Wanted
    whole: Integrated
    account: Account

    @property
    def named(self) -> NewIdentity:
        """The account, by exact bytes."""
        whole = self.whole
        return NewIdentity(whole.integration.id, whole.entry.name, self.account.issuer, self.account.subject)

    def for_user(self, sub: str) -> Arrived:
        """The same, to be linked to this user."""
        return replace(self, wanted=replace(self.wanted, user=sub))


def adopt(gateway: Gateway, mover: Mover, wanted: Wanted) -> Adopted:
    """Move one connection in.

    Raises:
        NotFound: no such integration or user for this mover.
        BadInput: the provider does not take the token, or too little is known.
        Conflict: `account_mismatch`, `account_already_linked`, `verify_to_replace`.
        Gone: the person ended this connection. RefusedByPolicy: a child's account, or the policy says no.
        TryLater: the provider cannot be asked, or the connection is being refreshed.
    """
    outcome = adopt_all(gateway, mover, [arrived(gateway, mover, wanted)], trial=False)[0]
    if isinstance(outcome, ConnectorError):
        raise outcome
    return outcome


def arrived(gateway: Gateway, mover: Mover, wanted: Wanted) -> Arrived:
    """Find the integration and ask the provider. Raises as `adopt`."""
    with gateway.store.read() as tx:
        whole = integrated(gateway, tx, mover.tenant_id, wanted.integration)
    if mover.client is not None and not mover.client.may_use(whole.integration.id):
        raise NotFound("integration")
    return Arrived(wanted, whole, account_of(gateway, whole, wanted))


def adopt_all(
    gateway: Gateway, mover: Mover, found: Sequence[Arrived], *, trial: bool
) -> list[Adopted | ConnectorError]:
    """Several in one transaction; each is made or refused by itself. `trial` weighs all and writes nothing."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with gateway.store.transaction() as tx:
                return [_one(gateway, tx, mover, each, trial=trial) for each in found]
        except (UniqueViolation, LostClaim):
            # A sign-in of the same account, or a refresh of the same connection, committed first: look again.
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _one(gateway: Gateway, tx: Transaction, mover: Mover, found: Arrived, *, trial: bool) -> Adopted | ConnectorError:
    """Everything is weighed before the first write, so that a refusal leaves the rest of the transaction whole."""
    try:
        person = weigh(Case(gateway, tx, mover.tenant_id, found.named, found.account, found.wanted), learn=not trial)
        landed = landed_of(found.wanted, found.whole.entry.refresh, now=tx.now(), draw=_draw())
        held = None if person.identity is None else _held(gateway, tx, person.identity.id)
    except DatabaseUnavailable:
        raise
    except ConnectorError as refusal:
        return refusal
    move = _Move(gateway, tx, mover, found, landed)
    if held is None:
        return _trial(found, "adopted", person) if trial else move.establish(person)
    return move.renew(held, trial=trial)


def _held(gateway: Gateway, tx: Transaction, identity_id: str) -> Connection | None:
    """The live connection of the account. Raises Gone where there was one that ended."""
    newest = connections.newest_of_identity(tx, gateway.vault, identity_id)
    live = connections.of_identity(tx, gateway.vault, identity_id)
    if live is None and newest is not None:
        raise Gone("revoked", "This connection was ended; only its person can begin again, by signing in.")
    if live is not None and live.state is ConnectionState.REFRESHING:
        raise TryLater("The connection is being refreshed; hand it over again in a moment.", retry_after_s=5)
    return live


def _trial(found: Arrived, outcome: Outcome, person: Person) -> Adopted:
    return Adopted(outcome, None, None if person.user is None else person.user.sub, found.wanted.verify)


@dataclass(frozen=True, slots=True)
class _Move:
    """One connection on its way in, weighed already."""

    gateway: Gateway
    tx: Transaction
    mover: Mover
    found: Arrived
    landed: Landed

    def establish(self, person: Person) -> Adopted:
        """A connection that was not there."""
        user = person.user or self._new_user(person)
        identity = person.identity or people.link_identity(self.tx, self.gateway.vault, user, self.found.named)
        if person.identity is None:
            self._note(user, EntryKind.IDENTITY_LINKED, {"identity": identity.id})
        new = NewConnection(
            id=new_id("con"),
            tenant_id=user.tenant_id,
            sub=user.sub,
            pseudonym=user.pseudonym or "",
            identity_id=identity.id,
            integration_id=self.found.whole.integration.id,
            provider=self.found.whole.entry.name,
            issuer=self.found.account.issuer,
        )
        connection = connections.establish(
            self.tx, self.gateway.vault, new, self.landed, now=self.tx.now(), authorized_at=self._authorized_at()
        )
        store_first(self.tx, self.gateway.vault, connection, self.landed)
        self._adopted(user, connection, None)
        return Adopted("adopted", connection.id, user.sub, self.found.wanted.verify)

    def renew(self, held: Connection, *, trial: bool) -> Adopted | ConnectorError:
        """Newer tokens for a connection that lives; older ones and the same change nothing."""
        row = tokens.held(self.tx, held.tenant_id, held.id)
        if row is None or row.row["landed_at"] is None:
            return Gone("revoked", "This connection was ended; only its person can begin again, by signing in.")
        verified = self.found.wanted.verify
        stored = tokens.opened_grant(tokens.token_key(self.tx, self.gateway.vault, row), row, held.granted_scopes)
        if same(self.found.wanted, stored.access_token, stored.refresh_token):
            return Adopted("unchanged", held.id, held.sub, verified)
        adoption = connections.adoption_of(self.tx, self.gateway.vault, held.id)
        if not is_newer(self.found.wanted, held, adoption, row.row["landed_at"]):
            return Adopted("kept", held.id, held.sub, verified)
        if not verified:
            return Conflict(
                "verify_to_replace", "Tokens of a connection that lives are replaced only by verified ones."
            )
        if not trial:
            self._renew(held, adoption, connections.keep_refresh(self.landed, stored.refresh_token))
        return Adopted("renewed", held.id, held.sub, verified)

    def _renew(self, held: Connection, adoption: Adoption | None, landed: Landed) -> None:
        user = people.find_user(self.tx, self.gateway.vault, held.tenant_id, held.sub)
        if user is None:
            raise NotFound("user", detail=f"{held.id} has no user")
        connection = connections.reland(self.tx, self.gateway.vault, held, landed, now=self.tx.now(), authorized=False)
        store_first(self.tx, self.gateway.vault, connection, landed)
        self._adopted(user, connection, adoption, renewed=True)

    def _new_user(self, person: Person) -> User:
        user = people.create_user(self.tx, self.gateway.vault, self.mover.tenant_id, age=person.age)
        self._note(user, EntryKind.USER_CREATED, {"age": user.age.value})
        return user

    def _adopted(self, user: User, connection: Connection, before: Adoption | None, *, renewed: bool = False) -> None:
        """Say how it came in. One that its person made here stays theirs: nothing is left to confirm."""
        if before is not None or not renewed:
            fresh = Adoption(
                connection.id,
                connection.tenant_id,
                None if self.mover.client is None else self.mover.client.id,
                self.found.wanted.verify,
                connection.generation,
                self.found.wanted.obtained_at,
                self.tx.now(),
            )
            kept = fresh if before is None else replace(fresh, confirmed_at=before.confirmed_at)
            connections.note_adoption(self.tx, self.gateway.vault, kept)
        facts: dict[str, Fact] = {
            "connection": connection.id,
            "identity": connection.identity_id,
            "generation": connection.generation,
            "verified": self.found.wanted.verify,
            "renewed": renewed,
        }
        self._note(user, EntryKind.CONNECTION_ADOPTED, facts)
        _log.info("adopt.adopted", connection=connection.id, renewed=renewed, verified=self.found.wanted.verify)

    def _note(self, user: User, kind: EntryKind, facts: dict[str, Fact]) -> None:
        client = self.mover.client
        places: dict[str, Fact] = {
            "client": None if client is None else client.id,
            "by": "operator" if client is None else "app",
            "integration": self.found.whole.integration.id,
            "provider": self.found.whole.entry.name,
        }
        append(self.tx, Entry(kind, user.tenant_id, user.pseudonym, places | facts))

    def _authorized_at(self) -> int:
        """No later than the tokens: what the provider signals since then is about this grant."""
        return min(self.found.wanted.obtained_at or self.tx.now(), self.tx.now())
