"""A choice in the ledger, and with it a receipt for the person: the record as it now stands, signed and provable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector import consent
from connector.connections import Connection
from connector.consent import Consent
from connector.flows.evidence import About, keep_sealed
from connector.flows.gateway import Gateway
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.people import User
from connector.storage import Transaction
from vault import VaultError

_WHAT: Mapping[str, str] = {
    "given": "You agreed to this.",
    "renewed": "You agreed to this again.",
    "withdrawn": "You took this back. From this moment it permits nothing.",
    "invalidated": "A newer policy would allow more by this than you agreed to, so it permits nothing until you agree.",
}


def enter_choice(
    gateway: Gateway, tx: Transaction, whose: User | Connection | None, kept: Consent, facts: Mapping[str, Fact]
) -> str | None:
    """Enter what became of a choice, and keep its receipt; the receipt's id. None where the person is erased.

    `facts` name the event and where it happened. To be called after the event itself was written.
    """
    event = str(facts["event"])
    everything: dict[str, Fact] = {
        "consent": kept.id,
        "connection": kept.connection_id,
        "direction": kept.direction.value,
        "field_group": kept.field_group,
        "fingerprint": kept.fingerprint.hex(),
        "integration": kept.integration_id,
        "policy_version": kept.policy_version,
        **facts,
    }
    pseudonym = None if whose is None else whose.pseudonym
    record = None if pseudonym is None or event not in _WHAT else _record(gateway, tx, kept)
    if whose is None or record is None:
        append(tx, Entry(EntryKind.CONSENT, kept.tenant_id, pseudonym, everything))
        return None
    about = About("consent", f"{kept.id}/{len(record['events'])}", "final")
    body = {
        "what": _WHAT[event],
        "event": event,
        "connection": kept.connection_id,
        "direction": kept.direction.value,
        "field_group": kept.field_group,
        "withdraw": f"{gateway.settings.server.public_url}/portal",
        "record": consent.as_jsonld(record),
    }
    return keep_sealed(gateway, tx, whose, about=about, entry_kind=EntryKind.CONSENT.value, facts=everything, body=body)


def _record(gateway: Gateway, tx: Transaction, kept: Consent) -> dict[str, Any] | None:
    """The record as it stands; None where it cannot be vouched for, which must not keep anybody from withdrawing."""
    try:
        return consent.record_of(tx, gateway.vault, kept)
    except VaultError:
        return None
