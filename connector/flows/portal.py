"""A person on their own pages: who they are there, what they see, and what they switch on or off.

The link comes from the app, works once, and is used up only by a click. Connecting an account is not possible from
here: that begins and ends at the app.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from connector import connections, consent, ledger, people, records
from connector.clients import Client, find_client
from connector.connections import Connection, Revocation
from connector.consent import Consent, Direction, Given, Party, Process
from connector.consent import Notice as ShownNotice
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.preview_push import Preview, preview_group, writable_groups
from connector.flows.signup_link.notice import LANGUAGE, PUSH_TITLES, opened_by
from connector.flows.withdraw_consent import withdraw_in
from connector.ledger import Entry, Kept, append
from connector.model.errors import BadInput, Conflict, Forbidden, NotFound, Unauthenticated
from connector.model.tags import Account, Category, Choice
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
_PROFILE_GROUPS = frozenset({"name", "work", "about", "picture"})


@dataclass(frozen=True, slots=True)
class Switch:
    """One choice on the page: to import something, or to send a field group on."""

    word: str
    title: str
    on: bool
    consent_id: str | None
    since: int | None


@dataclass(frozen=True, slots=True)
class AccountView:
    """One connected account as its person sees it.

    Attributes:
        imports, pushes: what comes in and what goes out, each with its choice.
        held: how many cards came from it, by kind (self, contact).
        last_import: the newest run, if any. revocation: where it was ended.
        only_one: no other account is connected.
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


def whole_person(gateway: Gateway, client: Client, sub: str) -> User:
    """The person, for a client that may see every account of theirs: less would be half a person.

    Raises:
        NotFound: no such user, or a deleted one. Forbidden: the client was granted only some of the integrations.
    """
    with gateway.store.read() as tx:
        user = people.find_user(tx, client.tenant_id, sub)
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


def enter(gateway: Gateway, link: Secret) -> tuple[Secret, PortalSession]:
    """The person clicked: the link is used up, a session begins, and this counts as their own visit.

    Raises:
        Unauthenticated: the link is unknown, used or over.
    """
    with gateway.store.transaction() as tx:
        entered = people.consume_link(tx, gateway.vault, link)
        user = None if entered is None else people.find_user(tx, entered[1].tenant_id, entered[1].sub)
        if entered is None or user is None or user.account is not Account.OPEN:
            raise Unauthenticated("link_over", "This link was used already, or it is over. Ask the app for a new one.")
        people.visit(tx, user)
        append(tx, Entry("portal_opened", user.tenant_id, user.pseudonym, {"client": entered[1].client_id}))
        return entered


def session_of(gateway: Gateway, secret: Secret) -> PortalSession:
    """Who is here. Raises Unauthenticated where the session is over or never was, or its person is gone."""
    with gateway.store.read() as tx:
        session = people.open_session(tx, gateway.vault, secret)
        user = None if session is None else people.find_user(tx, session.tenant_id, session.sub)
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
        found = ledger.of_person(tx, session.tenant_id, session.sub)
    newest: dict[str, Kept] = {}
    for kept in found:
        newest[kept.about] = max(newest.get(kept.about, kept), kept, key=lambda one: one.version)
    return list(newest.values())


def offered(gateway: Gateway, session: PortalSession, connection_id: str, group: str) -> tuple[AccountView, Preview]:
    """What switching a group on would mean: the account, and the very requests.

    Raises:
        NotFound: no such account. Conflict: it cannot take this group, or was revoked.
    """
    view = account(gateway, session, connection_id)
    if view.connection.ended or group not in {switch.word for switch in view.pushes}:
        raise Conflict("not_offered", "This account does not take that, so there is nothing to switch on.")
    found = preview_group(gateway, session.tenant_id, session.sub, connection_id, group)
    return view, found or Preview(view.connection, view.provider, "")


def switch_on(gateway: Gateway, session: PortalSession, connection_id: str, group: str) -> None:
    """The person lets a field group be sent on from now on. Raises as `offered`."""
    view, shown = offered(gateway, session, connection_id, group)
    with gateway.store.transaction() as tx:
        user = people.find_user(tx, session.tenant_id, session.sub)
        connection = connections.find_for_update(tx, gateway.vault, connection_id)
        if user is None or connection is None or connection.ended:
            raise Conflict("not_offered", "This account was disconnected meanwhile.")
        if consent.standing(tx, gateway.vault, connection.id, Direction.PUSH, group) is Choice.GIVEN:
            return
        whole = integrated(gateway, tx, session.tenant_id, connection.integration_id)
        kept = consent.give(tx, gateway.vault, _given(gateway, tx, user, connection, whole, group, _hash(view, shown)))
        _note(tx, user, kept)


def withdraw(gateway: Gateway, session: PortalSession, consent_id: str) -> Consent:
    """The person takes a choice back, in one click. Raises NotFound for anybody else's."""
    with gateway.store.transaction() as tx:
        found = consent.find(tx, gateway.vault, session.tenant_id, consent_id)
        if found is None or found.sub != session.sub:
            raise NotFound("choice", code="unknown_consent")
        return withdraw_in(gateway, tx, found, by="subject", method="portal")


def _view(
    gateway: Gateway, tx: Transaction, connection: Connection, given: Sequence[Consent], *, only_one: bool
) -> AccountView:
    entry = catalogue.entry(connection.provider)
    mine = [one for one in given if one.connection_id == connection.id]
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
    )


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
    return Switch(word, title, chosen.choice is Choice.GIVEN, chosen.id, chosen.updated_at)


def _held(tx: Transaction, connection: Connection) -> dict[str, int]:
    """How many cards came from it."""
    return {
        kind: sum(
            card.connection_id == connection.id
            for card in records.of_person(tx, connection.tenant_id, connection.sub, kind=kind)
        )
        for kind in ("self", "contact")
    }


def _hash(view: AccountView, shown: Preview) -> str:
    """What the person saw when they chose, as a hash: provider, its policy and the form of the requests, no values."""
    document: dict[str, Any] = {
        "provider": view.provider,
        "policy_url": view.policy_url,
        "requests": [[request["method"], request["url"]] for request in shown.requests],
    }
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def _given(  # noqa: PLR0917  a consent is about all of these
    gateway: Gateway,
    tx: Transaction,
    user: User,
    connection: Connection,
    whole: Integrated,
    group: str,
    text_hash: str,
) -> Given:
    category = Category.PROFILE if group in _PROFILE_GROUPS else Category.CONTACT
    version = gateway.policy.in_effect(tx.now())
    policy = ("", "") if version is None else (version.name, version.sha256)
    fingerprint = consent.fingerprint(
        direction=Direction.PUSH.value,
        field_group=group,
        provider=connection.provider,
        opened=opened_by(gateway, Direction.PUSH.value, (category,), tx.now()),
    )
    consent_id, supersedes = consent.new_consent_id(tx, connection.id, Direction.PUSH, group)
    record = consent.new_record(
        record_id=consent_id,
        pseudonym=user.pseudonym or "",
        notice=ShownNotice(*policy, text_hash, LANGUAGE, ("provider_policy_link", "exact_request")),
        process=[_process(gateway, whole, group, category)],
        parties=_parties(gateway, whole),
        jurisdiction=gateway.settings.policy.controller.jurisdiction,
        withdraw_url=f"{gateway.settings.server.public_url}/portal",
        scopes={"granted": connection.granted_scopes},
        fingerprint=fingerprint,
        supersedes=supersedes,
    )
    return Given(
        id=consent_id,
        tenant_id=user.tenant_id,
        sub=user.sub,
        connection_id=connection.id,
        integration_id=connection.integration_id,
        direction=Direction.PUSH,
        field_group=group,
        policy_version=policy[0],
        fingerprint=fingerprint,
        record=record,
        method="portal",
    )


def _process(gateway: Gateway, whole: Integrated, group: str, category: Category) -> Process:
    kept = getattr(gateway.settings.policy.retention, category.value)
    return Process(
        flow=("push", "provider", "sync"),
        provider=whole.entry.name,
        categories=(category.value,),
        fields=FIELD_GROUPS[group],
        source="given",
        clause="3a",
        storage=f"P{kept.days}D",
        recipients=(whole.entry.title,),
    )


def _parties(gateway: Gateway, whole: Integrated) -> list[Party]:
    controller = gateway.settings.policy.controller
    return [
        Party("controller", controller.name, controller.postal_address, controller.contact),
        Party("third_party", whole.entry.title, "as its own policy says", whole.entry.policy_url),
    ]


def _note(tx: Transaction, user: User, kept: Consent) -> None:
    facts = {
        "connection": kept.connection_id,
        "consent": kept.id,
        "event": "given" if kept.generation == 1 else "renewed",
        "direction": kept.direction.value,
        "field_group": kept.field_group,
        "method": "portal",
        "fingerprint": kept.fingerprint.hex(),
    }
    append(tx, Entry("consent", user.tenant_id, user.pseudonym, facts))
