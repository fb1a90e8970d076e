"""The end of a sign-up: one transaction makes everything, or nothing.

Who the account is decides: a user that is there, a new one, or the one that the app named. An account that is somebody
else's, a wrong one, or a child's ends the flow instead; then the grant is handed back where nobody shares it.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector import authorizations, connections, people, records
from connector.authorizations import Kind
from connector.clients import issue_access_token
from connector.clients.access_tokens import LIFETIME_S
from connector.connections import Connection, LostClaim
from connector.flows import stances
from connector.flows.gateway import Gateway
from connector.flows.signup_link import agreeing, claims, connecting, gate, handing_back
from connector.flows.signup_link.arrival import Arrival, Landing
from connector.flows.signup_link.endings import fail_in
from connector.flows.signup_link.id_token import IdToken, issue
from connector.flows.signup_link.problems import GrantRefused
from connector.flows.signup_link.results import SignedIn
from connector.ledger import Kind as EntryKind
from connector.model.tags import Age
from connector.people import Identity, User
from connector.storage.errors import UniqueViolation

ATTEMPTS = 5
AUTH_TIME_LEEWAY_S = 60


@dataclass(frozen=True, slots=True)
class _Person:
    """Who it is. `identity` is None where the account is new to us."""

    user: User | None
    identity: Identity | None
    age: Age


def land(gateway: Gateway, arrival: Arrival) -> SignedIn:
    """Make everything, in one transaction.

    Raises:
        GrantRefused: the account may not end here. The flow is over, and nothing but that was written.
        DatabaseUnavailable: nothing was written; the caller still holds the answer.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with gateway.store.transaction() as tx:
                outcome = _settle(Landing(gateway, tx, arrival))
        except (UniqueViolation, LostClaim):
            # Another sign-in of the same account, or a refresh of the same connection, committed first: look again.
            if attempt == ATTEMPTS:
                raise
        else:
            if isinstance(outcome, GrantRefused):
                raise outcome
            return outcome
    raise AssertionError("unreachable: the last attempt returns or raises")


def _settle(landing: Landing) -> SignedIn | GrantRefused:
    authorization = landing.arrival.authorization
    current = authorizations.by_id(landing.tx, landing.gateway.vault, authorization.id)
    if current is None or current.generation != authorization.generation:
        _hand_back(landing, "abandoned")
        return GrantRefused("code_expired", "The sign-in took too long and was given up. Start again.")
    found = _who(landing)
    if isinstance(found, GrantRefused):
        return _end_refused(landing, found)
    return _make(landing, found)


def _who(landing: Landing) -> _Person | GrantRefused:
    """The person that this account stands for, or may stand for; or why it may not."""
    arrival, tx = landing.arrival, landing.tx
    tenant, link_user = arrival.client.tenant_id, arrival.authorization.request.link_user
    identity = people.find_identity(tx, landing.gateway.vault, tenant, arrival.named)
    problem = _check_max_age(arrival) or _check_kind(landing, identity)
    if problem is not None:
        return problem
    sub = link_user or (None if identity is None else identity.sub)
    user = None if sub is None else people.find_user(tx, landing.gateway.vault, tenant, sub)
    age = gate.check(landing, user)
    return age if isinstance(age, GrantRefused) else _Person(user, identity, age)


def _check_kind(landing: Landing, identity: Identity | None) -> GrantRefused | None:
    arrival = landing.arrival
    request = arrival.authorization.request
    if arrival.authorization.kind is Kind.REAUTHORIZE:
        connection = connections.find(
            landing.tx, landing.gateway.vault, arrival.client.tenant_id, request.connection_id or ""
        )
        if connection is None or connection.ended:
            return GrantRefused("revoked", "The connection ended meanwhile; connect the account anew.")
        if identity is None or identity.id != connection.identity_id:
            return GrantRefused(
                "account_mismatch", "Another account was used than the one that this connection belongs to."
            )
    if request.link_user and identity is not None and identity.sub != request.link_user:
        return GrantRefused("account_already_linked", "This account is connected to another user already.")
    return None


def _check_max_age(arrival: Arrival) -> GrantRefused | None:
    max_age, said = arrival.authorization.request.max_age, arrival.grant.id_claims.get("auth_time")
    if max_age is None or not isinstance(said, int):
        return None
    if arrival.sent_at // 1000 - said > max_age + AUTH_TIME_LEEWAY_S:
        return GrantRefused("login_too_old", "The person signed in at the provider longer ago than max_age allows.")
    return None


def _end_refused(landing: Landing, problem: GrantRefused) -> GrantRefused:
    arrival, tx = landing.arrival, landing.tx
    arrival.observed.record(tx, arrival.authorization)
    under_age = problem.code == "under_age"
    if under_age:
        people.remember_refused(tx, landing.gateway.vault, arrival.client.tenant_id, arrival.named)
    _hand_back(landing, "under_age" if under_age else "abandoned")
    fail_in(landing.gateway, tx, arrival.authorization, reason=problem.code, step="redeeming")
    return problem


def _hand_back(landing: Landing, reason: str) -> None:
    arrival = landing.arrival
    handing_back.hand_back(
        landing.gateway,
        landing.tx,
        arrival.authorization,
        arrival.whole,
        arrival.grant,
        named=arrival.named,
        reason=reason,
    )


def _make(landing: Landing, person: _Person) -> SignedIn | GrantRefused:
    arrival, tx = landing.arrival, landing.tx
    authorization = arrival.authorization
    user = _user(landing, person)
    identity = person.identity or _link(landing, user)
    connection = connecting.connect(landing, user, identity)
    agreed = agreeing.record(landing, user, connection)
    if connections.confirm_adoption(tx, landing.gateway.vault, connection.id):
        landing.note(user, EntryKind.ADOPTION_CONFIRMED, {"connection": connection.id, "method": "page"})
    if authorization.progress.gpc:
        stances.record_gpc(landing.gateway, tx, user.tenant_id, user.sub)
    if agreed.imports:
        records.queue_import(tx, connection.tenant_id, connection.id, "sign_in")
    arrival.observed.record(tx, authorization, pseudonym=user.pseudonym)
    reused = authorizations.was_reused(tx, authorization.id)
    authorizations.end(tx, landing.gateway.vault, authorization, sub=user.sub, connection_id=connection.id)
    if reused:
        return GrantRefused("code_used", "The code was used twice. The account is connected; sign in again.")
    return _answer(landing, user, connection)


def _answer(landing: Landing, user: User, connection: Connection) -> SignedIn:
    arrival = landing.arrival
    request = arrival.authorization.request
    access_token = issue_access_token(
        landing.tx,
        landing.gateway.vault,
        arrival.client,
        kind="person",
        scopes=request.scopes,
        sub=user.sub,
        authorization_id=arrival.authorization.id,
    )
    said = IdToken(
        sub=user.sub,
        client_id=arrival.client.id,
        provider=arrival.whole.entry.name,
        connection_id=connection.id,
        nonce=request.nonce,
        auth_time=_auth_time(arrival),
        access_token=access_token,
        claims=claims.allowed(landing, user, connection),
    )
    id_token = issue(landing.gateway, landing.tx, said)
    return SignedIn(access_token, id_token, LIFETIME_S, request.scopes, connection.id, user.sub)


def _user(landing: Landing, person: _Person) -> User:
    if person.user is not None:
        return people.visit(landing.tx, landing.gateway.vault, person.user)
    tenant = landing.arrival.client.tenant_id
    user = people.create_user(landing.tx, landing.gateway.vault, tenant, age=person.age)
    if person.age is Age.CHILD_PARENT_OK:
        _carry_approval(landing, user)
    landing.note(user, EntryKind.USER_CREATED, {"age": person.age.value})
    return user


def _carry_approval(landing: Landing, user: User) -> None:
    """The parent's consent that let this account in stands for the new user."""
    vault, kept = landing.gateway.vault, landing.gateway.settings.policy.retention
    ground = people.approval_of(landing.tx, vault, user.tenant_id, landing.arrival.named) or {}
    people.approve_user(landing.tx, vault, user, ground, kept_ms=int(kept.child_account.total_seconds() * 1000))


def _link(landing: Landing, user: User) -> Identity:
    identity = people.link_identity(landing.tx, landing.gateway.vault, user, landing.arrival.named)
    landing.note(user, EntryKind.IDENTITY_LINKED, {"identity": identity.id})
    return identity


def _auth_time(arrival: Arrival) -> int:
    """When the person was authenticated, in seconds: as the provider says, else when they came back from there."""
    said = arrival.grant.id_claims.get("auth_time")
    latest = arrival.sent_at // 1000 + AUTH_TIME_LEEWAY_S
    if isinstance(said, int) and 0 < said <= latest:
        return said
    return (arrival.authorization.progress.returned_at or arrival.sent_at) // 1000
