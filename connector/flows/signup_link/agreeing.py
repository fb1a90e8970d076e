"""The consents that a sign-up makes, in its own transaction: what the notice named, and the groups that were ticked.

What the app learns by the sign-in itself stands in the notice too, so it is a consent of its own for each scope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connector import consent
from connector.authorizations import Progress
from connector.connections import Connection
from connector.consent import Direction, Given, Party, Process
from connector.consent import Notice as ShownNotice
from connector.flows import choices
from connector.flows.consent_evidence import enter_choice
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.flows.person_claims import GROUPS, SCOPES
from connector.flows.signup_link.arrival import Landing
from connector.flows.signup_link.notice import CATEGORIES_OF, LANGUAGE
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.model.tags import Category, Choice
from connector.people import User
from connector.storage import Transaction
from providers.capabilities import FIELD_GROUPS

_OF_PROFILE = frozenset({"name", "work", "about", "picture"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said about one account, and where it is written down.

    Attributes:
        scopes: what the app learns by the sign-in, as scopes of the gateway.
        progress: the notice that was shown, and what was chosen under it.
        note: enters a fact in the ledger.
        method: how they said it.
        places: where in the ledger it belongs: the flow and the app that asked.
    """

    gateway: Gateway
    tx: Transaction
    whole: Integrated
    scopes: tuple[str, ...]
    progress: Progress
    note: Callable[[User, EntryKind, dict[str, Fact]], None]
    method: str
    places: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What may be imported now, by the choices that stand."""

    imports: tuple[str, ...]


def record(landing: Landing, user: User, connection: Connection) -> Agreed:
    """Write the consents of a sign-up."""
    authorization = landing.arrival.authorization
    said = Said(
        gateway=landing.gateway,
        tx=landing.tx,
        whole=landing.arrival.whole,
        scopes=authorization.request.scopes,
        progress=authorization.progress,
        note=landing.note,
        method="accepted_before" if authorization.progress.straight_on else "page",
        places={"authorization": authorization.id, "client": landing.arrival.client.id},
    )
    return record_said(said, user, connection)


def record_said(said: Said, user: User, connection: Connection) -> Agreed:
    """Write the consents. Who went straight on chose nothing anew: what they withdrew stays withdrawn."""
    progress = said.progress
    for scope, claims in SCOPES.items():
        if scope in said.scopes:
            _agree(said, user, connection, Direction.IMPORT, claims.group)
    for word in progress.imports:
        _agree(said, user, connection, Direction.IMPORT, word)
    for group in progress.push:
        _agree(said, user, connection, Direction.PUSH, group)
    given = [word for word in progress.imports if _standing(said, connection, Direction.IMPORT, word) is Choice.GIVEN]
    return Agreed(tuple(given))


def _standing(said: Said, connection: Connection, direction: Direction, group: str) -> Choice:
    return choices.standing(said.gateway, said.tx, connection, direction, group)


def _agree(said: Said, user: User, connection: Connection, direction: Direction, group: str) -> None:
    straight_on = said.progress.straight_on
    if straight_on and _standing(said, connection, direction, group) is not Choice.NONE:
        return
    categories = _categories(said, direction, group)
    if not categories:
        return  # no scope that was asked for opens any of it, so the notice named nothing
    given = _given(said, user, connection, direction, group, categories=categories)
    kept = consent.give(said.tx, said.gateway.vault, given)
    event = "given" if kept.generation == 1 else "renewed"
    enter_choice(said.gateway, said.tx, user, kept, {**said.places, "event": event, "method": given.method})


def _given(
    said: Said,
    user: User,
    connection: Connection,
    direction: Direction,
    group: str,
    *,
    categories: tuple[Category, ...],
) -> Given:
    gateway, tx, progress = said.gateway, said.tx, said.progress
    fingerprint = consent.fingerprint(
        direction=direction.value,
        field_group=group,
        provider=connection.provider,
        opened=choices.opened_by(gateway, direction.value, categories, tx.now()),
    )
    consent_id, supersedes = consent.new_consent_id(tx, connection.id, direction, group)
    record = consent.new_record(
        record_id=consent_id,
        pseudonym=user.pseudonym or "",
        notice=_shown(said, direction),
        process=[_process(said, direction, group, categories)],
        parties=_parties(said),
        jurisdiction=gateway.settings.policy.controller.jurisdiction,
        withdraw_url=f"{gateway.settings.server.public_url}/portal",
        scopes={"requested": progress.scopes, "granted": connection.granted_scopes},
        fingerprint=fingerprint,
        supersedes=supersedes,
    )
    return Given(
        id=consent_id,
        tenant_id=user.tenant_id,
        sub=user.sub,
        connection_id=connection.id,
        integration_id=connection.integration_id,
        direction=direction,
        field_group=group,
        policy_version=progress.policy_version,
        fingerprint=fingerprint,
        record=record,
        method=said.method,
    )


def _categories(said: Said, direction: Direction, group: str) -> tuple[Category, ...]:
    """What the notice named under this heading: for an import, only what the scopes that were asked for open."""
    if direction is Direction.PUSH:
        return (Category.PROFILE if group in _OF_PROFILE else Category.CONTACT,)
    if group in GROUPS:
        return (GROUPS[group].category,)
    opened = said.whole.entry.opens(*said.progress.scopes)
    return tuple(category for category in CATEGORIES_OF[group] if category.value in opened)


def _shown(said: Said, direction: Direction) -> ShownNotice:
    progress = said.progress
    hashes = {version.name: version.sha256 for version in said.gateway.policy.versions}
    return ShownNotice(
        policy_version=progress.policy_version,
        policy_sha256=hashes.get(progress.policy_version, ""),
        text_sha256=progress.notice_hash,
        lang=LANGUAGE,
        shown=("provider_policy_link",) if direction is Direction.PUSH and said.whole.entry.policy_url else (),
    )


def _process(said: Said, direction: Direction, group: str, categories: tuple[Category, ...]) -> Process:
    retention, title = said.gateway.settings.policy.retention, said.whole.entry.title
    kept = 0 if group in GROUPS else min(getattr(retention, category.value).days for category in categories)
    imports = direction is Direction.IMPORT
    collects = ("collect", "us", "account" if group in GROUPS else "service")
    return Process(
        flow=collects if imports else ("push", "provider", "sync"),
        provider=said.whole.entry.name,
        categories=tuple(category.value for category in categories),
        fields=() if imports else FIELD_GROUPS[group],
        source="imported" if imports else "given",
        clause="2a" if imports else "3a",
        storage=f"P{kept}D",
        recipients=(said.gateway.settings.policy.controller.name,) if imports else (title,),
    )


def _parties(said: Said) -> list[Party]:
    controller, entry = said.gateway.settings.policy.controller, said.whole.entry
    return [
        Party("controller", controller.name, controller.postal_address, controller.contact),
        Party("third_party", entry.title, "as its own policy says", entry.policy_url),
    ]
