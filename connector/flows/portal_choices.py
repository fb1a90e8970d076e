"""A person lets something be sent on: the provider's policy and the very requests first, then the record."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from connector import connections, consent, people, records
from connector.connections import Connection
from connector.consent import Consent, Direction, Given, Party, Process
from connector.consent import Notice as ShownNotice
from connector.flows import choices
from connector.flows.consent_evidence import enter_choice
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.portal import AccountView, account
from connector.flows.preview_push import Preview, preview_group
from connector.flows.signup_link.notice import LANGUAGE
from connector.flows.withdraw_consent import withdraw_in
from connector.ledger import Entry, append
from connector.ledger.kinds import Fact
from connector.model.errors import Conflict, NotFound
from connector.model.tags import Category, Choice
from connector.people import PortalSession, User
from connector.storage import Transaction
from providers.capabilities import FIELD_GROUPS

_PROFILE_GROUPS = frozenset({"name", "work", "about", "picture"})


def offered(gateway: Gateway, session: PortalSession, connection_id: str, group: str) -> tuple[AccountView, Preview]:
    """What switching a group on would mean: the account, and the very requests.

    Raises:
        NotFound: no such account. Conflict: it cannot take this group, or was revoked.
    """
    view = account(gateway, session, connection_id)
    if view.connection.ended or group not in {switch.word for switch in view.pushes}:
        raise Conflict("not_offered", "This account does not take that, so there is nothing to switch on.")
    if view.moved_in_by is not None:
        raise Conflict("not_confirmed", "Look at this account and confirm it first; then it can be switched on.")
    found = preview_group(gateway, session.tenant_id, session.sub, connection_id, group)
    return view, found or Preview(view.connection, view.provider, "")


def switch_on(gateway: Gateway, session: PortalSession, connection_id: str, group: str) -> None:
    """The person lets a field group be sent on from now on. Raises as `offered`."""
    view, shown = offered(gateway, session, connection_id, group)
    with gateway.store.transaction() as tx:
        user = people.find_user(tx, gateway.vault, session.tenant_id, session.sub)
        connection = connections.find_for_update(tx, gateway.vault, connection_id)
        if user is None or connection is None or connection.ended:
            raise Conflict("not_offered", "This account was disconnected meanwhile.")
        if choices.standing(gateway, tx, connection, Direction.PUSH, group) is Choice.GIVEN:
            return
        whole = integrated(gateway, tx, session.tenant_id, connection.integration_id)
        kept = consent.give(tx, gateway.vault, _given(gateway, tx, user, connection, whole, group, _hash(view, shown)))
        event = "given" if kept.generation == 1 else "renewed"
        enter_choice(gateway, tx, user, kept, {"event": event, "method": "portal", "by": "subject"})


def withdraw(gateway: Gateway, session: PortalSession, consent_id: str) -> Consent:
    """The person takes a choice back, in one click. Raises NotFound for anybody else's."""
    with gateway.store.transaction() as tx:
        found = consent.find(tx, gateway.vault, session.tenant_id, consent_id)
        if found is None or found.sub != session.sub:
            raise NotFound("choice", code="unknown_consent")
        return withdraw_in(gateway, tx, found, by="subject", method="portal")


def drop_older_copies(gateway: Gateway, session: PortalSession) -> int:
    """The person drops the older copies of what they typed in; how many."""
    with gateway.store.transaction() as tx:
        dropped = records.drop_unrevised(tx, session.tenant_id, session.sub)
        user = people.find_user(tx, gateway.vault, session.tenant_id, session.sub)
        if dropped and user is not None:
            facts: dict[str, Fact] = {"action": "drop_older", "sources": ["given"], "count": dropped}
            append(tx, Entry("records_changed", user.tenant_id, user.pseudonym, facts))
    return dropped


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
        opened=choices.opened_by(gateway, Direction.PUSH.value, (category,), tx.now()),
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
