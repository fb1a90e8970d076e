"""The consents that a sign-up makes, in its own transaction: what the notice named, and the groups that were ticked.

What the app learns by the sign-in itself stands in the notice too, so it is a consent of its own for each scope.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector import consent
from connector.connections import Connection
from connector.consent import Direction, Given, Party, Process
from connector.consent import Notice as ShownNotice
from connector.flows.gateway import Gateway
from connector.flows.person_claims import GROUPS, SCOPES
from connector.flows.signup_link.arrival import Arrival, Landing
from connector.flows.signup_link.notice import CATEGORIES_OF, LANGUAGE, opened_by
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.model.tags import Category, Choice
from connector.people import User
from providers.capabilities import FIELD_GROUPS

_OF_PROFILE = frozenset({"name", "work", "about", "picture"})


@dataclass(frozen=True, slots=True)
class Agreed:
    """What may be imported now, by the choices that stand."""

    imports: tuple[str, ...]


def record(landing: Landing, user: User, connection: Connection) -> Agreed:
    """Write the consents. Who went straight on chose nothing anew: what they withdrew stays withdrawn."""
    progress, request = landing.arrival.authorization.progress, landing.arrival.authorization.request
    for scope, claims in SCOPES.items():
        if scope in request.scopes:
            _agree(landing, user, connection, Direction.IMPORT, claims.group)
    for word in progress.imports:
        _agree(landing, user, connection, Direction.IMPORT, word)
    for group in progress.push:
        _agree(landing, user, connection, Direction.PUSH, group)
    given = [
        word for word in progress.imports if _standing(landing, connection, Direction.IMPORT, word) is Choice.GIVEN
    ]
    return Agreed(tuple(given))


def _standing(landing: Landing, connection: Connection, direction: Direction, group: str) -> Choice:
    return consent.standing(landing.tx, landing.gateway.vault, connection.id, direction, group)


def _agree(landing: Landing, user: User, connection: Connection, direction: Direction, group: str) -> None:
    straight_on = landing.arrival.authorization.progress.straight_on
    if straight_on and _standing(landing, connection, direction, group) is not Choice.NONE:
        return
    categories = _categories(landing.arrival, direction, group)
    if not categories:
        return  # no scope that was asked for opens any of it, so the notice named nothing
    given = _given(landing, user, connection, direction, group, categories=categories)
    kept = consent.give(landing.tx, landing.gateway.vault, given)
    facts: dict[str, Fact] = {
        "consent": kept.id,
        "connection": connection.id,
        "event": "given" if kept.generation == 1 else "renewed",
        "direction": direction.value,
        "field_group": group,
        "method": given.method,
        "fingerprint": given.fingerprint.hex(),
    }
    landing.note(user, EntryKind.CONSENT, facts)


def _given(
    landing: Landing,
    user: User,
    connection: Connection,
    direction: Direction,
    group: str,
    *,
    categories: tuple[Category, ...],
) -> Given:
    gateway, tx, arrival = landing.gateway, landing.tx, landing.arrival
    progress = arrival.authorization.progress
    fingerprint = consent.fingerprint(
        direction=direction.value,
        field_group=group,
        provider=connection.provider,
        opened=opened_by(gateway, direction.value, categories, tx.now()),
    )
    consent_id, supersedes = consent.new_consent_id(tx, connection.id, direction, group)
    record = consent.new_record(
        record_id=consent_id,
        pseudonym=user.pseudonym or "",
        notice=_shown(gateway, arrival, direction),
        process=[_process(gateway, arrival, direction, group, categories)],
        parties=_parties(gateway, arrival),
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
        method="accepted_before" if progress.straight_on else "page",
    )


def _categories(arrival: Arrival, direction: Direction, group: str) -> tuple[Category, ...]:
    """What the notice named under this heading: for an import, only what the scopes that were asked for open."""
    if direction is Direction.PUSH:
        return (Category.PROFILE if group in _OF_PROFILE else Category.CONTACT,)
    if group in GROUPS:
        return (GROUPS[group].category,)
    known = arrival.whole.entry.scopes
    asked = [known[scope] for scope in arrival.authorization.progress.scopes if scope in known]
    opened = {word for scope in asked for word in scope.imports}
    return tuple(category for category in CATEGORIES_OF[group] if category.value in opened)


def _shown(gateway: Gateway, arrival: Arrival, direction: Direction) -> ShownNotice:
    progress = arrival.authorization.progress
    hashes = {version.name: version.sha256 for version in gateway.policy.versions}
    return ShownNotice(
        policy_version=progress.policy_version,
        policy_sha256=hashes.get(progress.policy_version, ""),
        text_sha256=progress.notice_hash,
        lang=LANGUAGE,
        shown=("provider_policy_link",) if direction is Direction.PUSH and arrival.whole.entry.policy_url else (),
    )


def _process(
    gateway: Gateway, arrival: Arrival, direction: Direction, group: str, categories: tuple[Category, ...]
) -> Process:
    retention, title = gateway.settings.policy.retention, arrival.whole.entry.title
    kept = 0 if group in GROUPS else min(getattr(retention, category.value).days for category in categories)
    imports = direction is Direction.IMPORT
    collects = ("collect", "us", "account" if group in GROUPS else "service")
    return Process(
        flow=collects if imports else ("push", "provider", "sync"),
        provider=arrival.whole.entry.name,
        categories=tuple(category.value for category in categories),
        fields=() if imports else FIELD_GROUPS[group],
        source="imported" if imports else "given",
        clause="2a" if imports else "3a",
        storage=f"P{kept}D",
        recipients=(gateway.settings.policy.controller.name,) if imports else (title,),
    )


def _parties(gateway: Gateway, arrival: Arrival) -> list[Party]:
    controller, entry = gateway.settings.policy.controller, arrival.whole.entry
    return [
        Party("controller", controller.name, controller.postal_address, controller.contact),
        Party("third_party", entry.title, "as its own policy says", entry.policy_url),
    ]
