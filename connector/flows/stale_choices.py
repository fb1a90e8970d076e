"""Choices that a newer policy made stale: marked as such, and asked again on the person's own pages.

What counts is worked out at each use (`choices.choice_now`); the mark is for the record, the person and the app.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from connector import connections, consent, people, publications
from connector.connections import Connection
from connector.consent import Consent, Direction, Given
from connector.flows.choices import categories_of, choice_now, opened_by
from connector.flows.consent_evidence import enter_choice
from connector.flows.gateway import Gateway
from connector.flows.provider_terms import terms_of
from connector.flows.signup_link.notice import LANGUAGE
from connector.model.errors import Conflict, NotFound
from connector.model.tags import Choice
from connector.people import PortalSession
from connector.policy.boxes import boxes_by_use
from connector.policy.carried import carried
from connector.policy.words import phrase
from connector.storage import Transaction

BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked again.

    Attributes:
        reach: what it would newly allow, as (sentence, phrases), in plain words.
        text_sha256: over these words, as they stand in the new record.
    """

    given: Consent
    connection: Connection
    version: str
    reach: tuple[tuple[str, tuple[str, ...]], ...]
    text_sha256: str


def step(gateway: Gateway) -> int:
    """Mark a batch of what the version in effect made stale; how many were looked at. Goes on after a crash."""
    with gateway.store.read() as tx:
        version = gateway.policy.in_effect(tx.now())
        known = publications.in_force(tx)
    if version is None or version.name not in known or known[version.name].consents_checked:
        return 0
    looked, after = 0, ""
    while True:
        with gateway.store.transaction() as tx:
            batch = consent.given_before(tx, gateway.vault, version.name, after, BATCH)
            for given in batch:
                _mark(gateway, tx, given, version.name)
            if not batch:
                publications.consents_checked(tx, version.name)
                return looked
        looked, after = looked + len(batch), batch[-1].id


def asked_again(gateway: Gateway, session: PortalSession, consent_id: str) -> Asked:
    """What agreeing again would mean. Raises NotFound for anybody else's choice, Conflict where it is not stale."""
    with gateway.store.read() as tx:
        return _asked(gateway, tx, session, consent_id)


def agree_again(gateway: Gateway, session: PortalSession, consent_id: str) -> Consent:
    """The person agrees to what the policy says now: a new record that supersedes the old. Raises as `asked_again`."""
    with gateway.store.transaction() as tx:
        asked = _asked(gateway, tx, session, consent_id)
        user = people.find_user(tx, gateway.vault, session.tenant_id, session.sub)
        kept = consent.give(tx, gateway.vault, _again(gateway, tx, asked))
        enter_choice(gateway, tx, user, kept, {"event": "renewed", "method": "portal", "by": "subject"})
        return kept


def _mark(gateway: Gateway, tx: Transaction, given: Consent, version: str) -> None:
    connection = connections.find_for_update(tx, gateway.vault, given.connection_id)
    if choice_now(gateway, given, connection, tx.now()) is not Choice.STALE:
        return
    stale = consent.invalidate(tx, gateway.vault, given, policy_version=version)
    facts: dict[str, Any] = {"event": "invalidated", "method": "policy", "by": "system", "policy_version": version}
    enter_choice(gateway, tx, connection, stale, facts)


def _asked(gateway: Gateway, tx: Transaction, session: PortalSession, consent_id: str) -> Asked:
    given = consent.find(tx, gateway.vault, session.tenant_id, consent_id)
    if given is None or given.sub != session.sub:
        raise NotFound("choice", code="unknown_consent")
    connection = connections.find(tx, gateway.vault, given.tenant_id, given.connection_id)
    now = given.choice if given.choice is Choice.STALE else choice_now(gateway, given, connection, tx.now())
    version = gateway.policy.in_effect(tx.now())
    if connection is None or connection.ended or version is None or now is not Choice.STALE:
        raise Conflict("not_stale", "There is nothing to ask again about this choice.")
    reach = tuple(_reach(gateway, tx, given, connection))
    words = "\n".join(line for sentence, phrases in reach for line in (sentence, *phrases))
    return Asked(given, connection, version.name, reach, hashlib.sha256(words.encode()).hexdigest())


def _reach(
    gateway: Gateway, tx: Transaction, given: Consent, connection: Connection
) -> list[tuple[str, tuple[str, ...]]]:
    version = gateway.policy.in_effect(tx.now())
    older = gateway.policy.known(given.policy_version)
    if version is None:
        return []
    found: dict[str, list[str]] = {}
    for category in sorted(categories_of(given.direction, given.field_group), key=lambda word: word.rank):
        about = (given.direction.value, frozenset({category}), terms_of(gateway.policy, connection, category))
        cells = carried(version, *about)
        for use, boxes in boxes_by_use(cells if older is None else cells - carried(older, *about)).items():
            said = found.setdefault(version.book.flows.get(str(use), str(use)), [])
            said += [phrase(box) for box in boxes]
    return [(sentence, tuple(phrases)) for sentence, phrases in found.items()]


def _again(gateway: Gateway, tx: Transaction, asked: Asked) -> Given:
    given, connection = asked.given, asked.connection
    version = gateway.policy.known(asked.version)
    categories = tuple(sorted(categories_of(given.direction, given.field_group), key=lambda word: word.rank))
    fingerprint = consent.fingerprint(
        direction=given.direction.value,
        field_group=given.field_group,
        provider=connection.provider,
        opened=opened_by(gateway, given.direction.value, categories, tx.now()),
    )
    record: dict[str, Any] = consent.record_of(tx, gateway.vault, given)
    record.pop("events", None)
    record["notice"] = {
        "policy_version": asked.version,
        "policy_sha256": "" if version is None else version.sha256,
        "text_sha256": asked.text_sha256,
        "lang": LANGUAGE,
        "shown": ["provider_policy_link"] if given.direction is Direction.PUSH else [],
    }
    record["fingerprint"] = fingerprint.hex()
    record["supersedes"] = f"{given.id}/{given.generation}"
    return Given(
        id=given.id,
        tenant_id=given.tenant_id,
        sub=given.sub,
        connection_id=given.connection_id,
        integration_id=given.integration_id,
        direction=given.direction,
        field_group=given.field_group,
        policy_version=asked.version,
        fingerprint=fingerprint,
        record=record,
        method="portal",
    )
