"""A person on their own pages: who they are there, what they see, and what they switch on or off.

The link comes from the app, works once, and is used up only by a click. Connecting an account is not possible from
here: that begins and ends at the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connector import connections, consent, inbox, ledger, people, records
from connector.clients import Client, find_client
from connector.connections import Connection, Revocation
from connector.consent import Consent, Direction
from connector.flows import stances
from connector.flows.choices import choice_now
from connector.flows.gateway import Gateway
from connector.flows.integrations import integrated
from connector.flows.preview_push import writable_groups
from connector.flows.signup_link.notice import PUSH_TITLES
from connector.ledger import Entry, Kept, append
from connector.model.errors import BadInput, Forbidden, NotFound, Unauthenticated
from connector.model.tags import Account, Choice
from connector.people import NewLink, PortalSession, User
from connector.records import Import
from connector.storage import Transaction
from providers import catalogue
from providers.capabilities import FIELD_GROUPS
from providers.secret import Secret

IMPORT_TITLES: Mapping[str, str] = {
    "profile": "Your profile",
    "contacts": "Your contacts",
    "claims_profile": "Name and picture, told to the app as you sign in",
    "claims_email": "E-mail address, told to the app as you sign in",
}


@dataclass(frozen=True, slots=True)
class Switch:
    """One choice on the page: to import something, or to send a field group on. `stale`: it has to be asked again."""

    word: str
    title: str
    on: bool
    consent_id: str | None
    since: int | None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class AccountView:
    """One connected account as its person sees it.

    Attributes:
        imports, pushes: what comes in and what goes out, each with its choice.
        held: how many cards came from it, by kind (self, contact).
        last_import: the newest run, if any. revocation: where it was ended.
        only_one: no other account is connected.
        moved_in_by: the app that moved it in and when (ms), until its person has confirmed it; None for all others.
    """

    connection: Connection
    provider: str
    policy_url: str
    imports: tuple[Switch, ...]
    pushes: tuple[Switch, ...]
    held: Mapping[str, int]
    last_import: Import | None
    revocation: Revocation | None
    only_one: bool
    moved_in_by: tuple[str, int] | None = None


def whole_person(gateway: Gateway, client: Client, sub: str) -> User:
    """The person, for a client that may see every account of theirs: less would be half a person.

    Raises:
        NotFound: no such user, or a deleted one. Forbidden: the client was granted only some of the integrations.
    """
    with gateway.store.read() as tx:
        user = people.find_user(tx, gateway.vault, client.tenant_id, sub)
        if user is None:
            raise NotFound("user", code="unknown_user")
        held = connections.of_user(tx, gateway.vault, client.tenant_id, sub)
    if not all(client.may_use(one.integration_id) for one in held):
        raise Forbidden(
            "not_the_whole_person",
            "This person has accounts at integrations that this client was not granted; use a client that has them.",
        )
    return user


def portal_link(gateway: Gateway, client: Client, sub: str, return_url: str) -> Secret:
    """The secret of a one-use link to the person's own pages.

    Raises:
        BadInput: the return URL is not registered for this client. NotFound, Forbidden: as `whole_person`.
    """
    if return_url not in client.return_uris:
        raise BadInput(
            "unregistered_return_url", "return_url is not registered for this client; register it, to the letter."
        )
    user = whole_person(gateway, client, sub)
    if user.account is not Account.OPEN:
        raise NotFound("user", code="unknown_user")
    with gateway.store.transaction() as tx:
        return people.make_link(tx, gateway.vault, NewLink(client.tenant_id, client.id, sub, return_url))


def enter(gateway: Gateway, link: Secret, *, gpc: bool = False) -> tuple[Secret, PortalSession]:
    """The person clicked: the link is used up, a session begins, and this counts as their own visit.

    `gpc`: their browser says Global Privacy Control, which is kept.

    Raises:
        Unauthenticated: the link is unknown, used or over.
    """
    with gateway.store.transaction() as tx:
        entered = people.consume_link(tx, gateway.vault, link)
        user = None if entered is None else people.find_user(tx, gateway.vault, entered[1].tenant_id, entered[1].sub)
        if entered is None or user is None or user.account is not Account.OPEN:
            raise Unauthenticated("link_over", "This link was used already, or it is over. Ask the app for a new one.")
        people.visit(tx, gateway.vault, user)
        append(tx, Entry("portal_opened", user.tenant_id, user.pseudonym, {"client": entered[1].client_id}))
        if gpc:
            stances.record_gpc(gateway, tx, user.tenant_id, user.sub)
        return entered


def session_of(gateway: Gateway, secret: Secret) -> PortalSession:
    """Who is here. Raises Unauthenticated where the session is over or never was, or its person is gone."""
    with gateway.store.read() as tx:
        session = people.open_session(tx, gateway.vault, secret)
        user = None if session is None else people.find_user(tx, gateway.vault, session.tenant_id, session.sub)
    if session is None or user is None or user.account is not Account.OPEN:
        raise Unauthenticated("signed_off", "You are signed off here. Go back to the app and open your pages again.")
    return session


def leave(gateway: Gateway, secret: Secret) -> None:
    """Sign off."""
    with gateway.store.transaction() as tx:
        people.end_session(tx, secret)


def app_name(gateway: Gateway, session: PortalSession) -> str:
    """What the app is called that the person came from."""
    with gateway.store.read() as tx:
        try:
            return find_client(tx, gateway.vault, session.client_id).name
        except NotFound:
            return "the app"


def accounts(gateway: Gateway, session: PortalSession) -> list[AccountView]:
    """Every connected account, the live ones first."""
    with gateway.store.read() as tx:
        held = connections.of_user(tx, gateway.vault, session.tenant_id, session.sub)
        given = consent.of_user(tx, gateway.vault, session.tenant_id, session.sub)
        live = [one for one in held if not one.ended]
        views = [_view(gateway, tx, one, given, only_one=live == [one]) for one in held]
    return sorted(views, key=lambda view: (view.connection.ended, -view.connection.created_at))


def account(gateway: Gateway, session: PortalSession, connection_id: str) -> AccountView:
    """One of them. Raises NotFound for anybody else's."""
    for view in accounts(gateway, session):
        if view.connection.id == connection_id:
            return view
    raise NotFound("account", code="unknown_connection")


def receipts(gateway: Gateway, session: PortalSession) -> list[Kept]:
    """The person's receipts, newest first; of each only the newest version."""
    with gateway.store.read() as tx:
        hidden = inbox.hidden_of(tx, session.tenant_id, session.sub)
        found = [one for one in ledger.of_person(tx, session.tenant_id, session.sub) if one.about not in hidden]
    newest: dict[str, Kept] = {}
    for kept in found:
        newest[kept.about] = max(newest.get(kept.about, kept), kept, key=lambda one: one.version)
    return list(newest.values())


def _view(
    gateway: Gateway, tx: Transaction, connection: Connection, given: Sequence[Consent], *, only_one: bool
) -> AccountView:
    entry = catalogue.entry(connection.provider)
    mine = [
        replace(one, choice=choice_now(gateway, one, connection, tx.now()))
        for one in given
        if one.connection_id == connection.id
    ]
    runs = records.imports_of(tx, connection.id, limit=1)
    return AccountView(
        connection=connection,
        provider=entry.title,
        policy_url=entry.policy_url,
        imports=tuple(
            _switch(one.field_group, IMPORT_TITLES.get(one.field_group, one.field_group), one)
            for one in mine
            if one.direction is Direction.IMPORT
        ),
        pushes=tuple(_pushes(gateway, tx, connection, mine)),
        held=_held(tx, connection),
        last_import=runs[0] if runs else None,
        revocation=connections.revocation_of(tx, connection.id),
        only_one=only_one,
        moved_in_by=_moved_in_by(gateway, tx, connection),
    )


def _moved_in_by(gateway: Gateway, tx: Transaction, connection: Connection) -> tuple[str, int] | None:
    adoption = None if connection.ended else connections.adoption_of(tx, gateway.vault, connection.id)
    if adoption is None or adoption.confirmed_at is not None:
        return None
    if adoption.client_id is None:
        return gateway.settings.policy.controller.name, adoption.adopted_at
    try:
        return find_client(tx, gateway.vault, adoption.client_id).name, adoption.adopted_at
    except NotFound:
        return "an app that is gone", adoption.adopted_at


def _pushes(gateway: Gateway, tx: Transaction, connection: Connection, mine: Sequence[Consent]) -> list[Switch]:
    chosen = {one.field_group: one for one in mine if one.direction is Direction.PUSH}
    try:
        whole = integrated(gateway, tx, connection.tenant_id, connection.integration_id)
    except NotFound:  # the operator removed the integration
        return [_switch(group, PUSH_TITLES[group], one) for group, one in chosen.items()]
    groups = set() if connection.ended else writable_groups(connection, whole)
    return [
        _switch(group, PUSH_TITLES[group], chosen.get(group)) for group in FIELD_GROUPS if group in {*groups, *chosen}
    ]


def _switch(word: str, title: str, chosen: Consent | None) -> Switch:
    if chosen is None:
        return Switch(word, title, on=False, consent_id=None, since=None)
    stale = chosen.choice is Choice.STALE
    return Switch(word, title, chosen.choice is Choice.GIVEN, chosen.id, chosen.updated_at, stale)


def _held(tx: Transaction, connection: Connection) -> dict[str, int]:
    """How many cards came from it."""
    return {
        kind: sum(
            card.connection_id == connection.id
            for card in records.of_person(tx, connection.tenant_id, connection.sub, kind=kind)
        )
        for kind in ("self", "contact")
    }
