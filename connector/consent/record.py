"""The record of a consent, with the sections of ISO/IEC TS 27560 in the words of the DPV profile.

Header, notice, processing and parties are written once; the events stand in their own rows and join when it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#record"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the person saw: which policy version, the hash of the notice's content, its language, what stood with it."""

    policy_version: str
    policy_sha256: str
    text_sha256: str
    lang: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """What the consent is about.

    Attributes:
        flow: action, recipient, purpose in the policy's words.
        categories: the policy's words.
        fields: JSON Pointers where it is about single fields.
        source: given or imported.
        storage: how long, as an ISO 8601 duration.
    """

    flow: tuple[str, str, str]
    provider: str
    categories: tuple[str, ...]
    fields: tuple[str, ...]
    source: str
    clause: str
    storage: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Party:
    """Who takes part, with a postal address as the profile demands."""

    role: str
    name: str
    postal: str
    contact: str


def new_record(
    *,
    record_id: str,
    pseudonym: str,
    notice: Notice,
    process: Sequence[Process],
    parties: Sequence[Party],
    jurisdiction: str,
    withdraw_url: str,
    scopes: Mapping[str, Sequence[str]],
    fingerprint: bytes,
    supersedes: str | None,
) -> dict[str, Any]:
    """The record without its events. It holds ids and words, and nothing that the provider sent."""
    return {
        "schema": SCHEMA,
        "id": record_id,
        "subject": pseudonym,
        "notice": _plain(asdict(notice)),
        "process": [_plain(asdict(each)) for each in process],
        "parties": [asdict(each) for each in parties],
        "jurisdiction": jurisdiction,
        "scopes": {name: list(values) for name, values in scopes.items()},
        "withdraw": {"url": withdraw_url, "method": "one click on the person's own pages, or by the app"},
        "supersedes": supersedes,
        "fingerprint": fingerprint.hex(),
    }


def fingerprint(*, direction: str, field_group: str, provider: str, opened: Sequence[str]) -> bytes:
    """SHA-256 over what the consent opened: a new policy version that opens the same leaves it untouched."""
    document = {
        "direction": direction,
        "field_group": field_group,
        "provider": provider,
        "opened": sorted(opened),
    }
    return hashlib.sha256(rfc8785.dumps(document)).digest()


def event_entry(event: str, by: str, method: str, policy_version: str, at: int) -> dict[str, str]:
    """One event as the record shows it."""
    states = {
        "requested": "ConsentRequested",
        "given": "ConsentGiven",
        "renewed": "RenewedConsentGiven",
        "refused": "ConsentRefused",
        "withdrawn": "ConsentWithdrawn",
        "expired": "ConsentExpired",
        "invalidated": "ConsentInvalidated",
    }
    moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "state": states[event],
        "type": "ExpressedConsent",
        "at": moment,
        "duration": "until withdrawn" if event in {"given", "renewed"} else "final",
        "by": by,
        "method": method,
        "policy_version": policy_version,
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
