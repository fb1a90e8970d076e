"""A person looks at an account that an app moved in: the notice and the choices of a sign-up, on their own pages.

Nobody is sent to the provider: the grant is there. What comes in and what goes out opens by what they tick, and only
then. Whoever says that they are under 13 ends the account instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector import connections, people, records
from connector.authorizations import Authorization, AuthorizationRequest, Kind, Progress
from connector.clients import find_client
from connector.connections import Connection
from connector.flows import revoke
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.signup_link.agreeing import Said, record_said
from connector.flows.signup_link.notice import Notice, notice_of
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.model.errors import BadInput, Conflict, NotFound
from connector.model.states import AuthorizationState, ConnectionState, Ended
from connector.model.tags import Account, Age
from connector.people import PortalSession, User
from connector.storage import Transaction
from providers.capabilities import FIELD_GROUPS


@dataclass(frozen=True, slots=True)
class Choices:
    """What the person sent back.

    Attributes:
        notice_hash: of the notice that they saw.
        age: `yes`, `no` or "".
        imports, push: what they ticked.
    """

    notice_hash: str
    age: str
    imports: frozenset[str] = frozenset()
    push: frozenset[str] = frozenset()


def shown_notice(gateway: Gateway, session: PortalSession, connection_id: str) -> Notice:
    """What the person is to see. Raises NotFound for anybody else's, Conflict where nothing is left to confirm."""
    with gateway.store.read() as tx:
        connection = _unconfirmed(gateway, tx, session, connection_id)
        whole = integrated(gateway, tx, session.tenant_id, connection.integration_id)
        return _notice(gateway, tx, session, connection, whole)


def confirm(gateway: Gateway, session: PortalSession, connection_id: str, choices: Choices) -> bool:
    """Take the choices. False where the person is under 13: then the account is ended.

    Raises:
        NotFound, Conflict: as `shown_notice`; Conflict too where the notice has changed meanwhile.
        BadInput: no age was said.
    """
    with gateway.store.transaction() as tx:
        connection = _unconfirmed(gateway, tx, session, connection_id)
        user = people.find_user(tx, gateway.vault, session.tenant_id, session.sub)
        if user is None or user.account is not Account.OPEN:
            raise NotFound("user", code="unknown_user")
        whole = integrated(gateway, tx, session.tenant_id, connection.integration_id)
        notice = _notice(gateway, tx, session, connection, whole)
        if notice.hash != choices.notice_hash:
            raise Conflict("notice_changed", "Something changed meanwhile; please read this again.")
        if choices.age == "no":
            _end(gateway, tx, user)
            return False
        if choices.age != "yes":
            raise BadInput("age_missing", "Please say whether you are 13 or older.")
        _record(gateway, tx, session, user, connection, whole, notice, choices)
        tx.after_commit(gateway.wakeup.notify)
        return True


def _unconfirmed(gateway: Gateway, tx: Transaction, session: PortalSession, connection_id: str) -> Connection:
    connection = connections.find(tx, gateway.vault, session.tenant_id, connection_id)
    if connection is None or connection.sub != session.sub:
        raise NotFound("account", code="unknown_connection")
    if connection.ended or not connections.is_unconfirmed(tx, gateway.vault, connection_id):
        raise Conflict("nothing_to_confirm", "There is nothing to confirm about this account any more.")
    return connection


def _notice(
    gateway: Gateway, tx: Transaction, session: PortalSession, connection: Connection, whole: Integrated
) -> Notice:
    """The notice of a reauthorisation for what the connection holds; kept nowhere, as no browser leaves."""
    client = find_client(tx, gateway.vault, session.client_id)
    request = AuthorizationRequest("", (), "", connection_id=connection.id, offer_push=tuple(FIELD_GROUPS))
    flow = Authorization(
        id="",
        tenant_id=connection.tenant_id,
        client_id=client.id,
        integration_id=connection.integration_id,
        kind=Kind.REAUTHORIZE,
        state=AuthorizationState.CHOOSING,
        generation=0,
        browser_hash=None,
        redeemer=None,
        intent_at=None,
        created_at=tx.now(),
        expires_at=tx.now(),
        request=request,
        progress=Progress(),
    )
    return notice_of(gateway, client, whole, flow, tx.now(), granted=connection.granted_scopes)


def _record(  # noqa: PLR0917  a confirmation is about all of these
    gateway: Gateway,
    tx: Transaction,
    session: PortalSession,
    user: User,
    connection: Connection,
    whole: Integrated,
    notice: Notice,
    choices: Choices,
) -> None:
    def note(of: User, kind: EntryKind, facts: dict[str, Fact]) -> None:
        places: dict[str, Fact] = {
            "client": session.client_id,
            "integration": whole.integration.id,
            "provider": whole.entry.name,
            "policy_version": notice.policy_version,
        }
        append(tx, Entry(kind, of.tenant_id, of.pseudonym, places | facts))

    said = Said(
        gateway=gateway,
        tx=tx,
        whole=whole,
        scopes=(),
        progress=Progress(
            policy_version=notice.policy_version,
            notice_hash=notice.hash,
            imports=tuple(word for word in notice.import_words if word in choices.imports),
            push=tuple(group for group in notice.push_groups if group in choices.push),
            age_stated=True,
            scopes=connection.granted_scopes,
        ),
        note=note,
        method="portal",
    )
    people.visit(tx, gateway.vault, user)
    agreed = record_said(said, user, connection)
    connections.confirm_adoption(tx, gateway.vault, connection.id)
    note(user, EntryKind.ADOPTION_CONFIRMED, {"connection": connection.id, "method": "portal"})
    if agreed.imports:
        records.queue_import(tx, connection.tenant_id, connection.id, "sign_in")


def _end(gateway: Gateway, tx: Transaction, user: User) -> None:
    """Everything of a child goes at once, and the providers are told."""
    people.set_age(tx, gateway.vault, user, Age.CHILD)
    for held in connections.of_user(tx, gateway.vault, user.tenant_id, user.sub):
        locked = connections.find_for_update(tx, gateway.vault, held.id)
        if locked is not None and locked.state is not ConnectionState.SHREDDED:
            revoke.revoke_in(gateway, tx, locked, by=Ended.OPERATOR, reason="under_age", erase_now=True)
