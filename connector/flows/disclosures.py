"""Who got what of a person, when, and under which clause: the ledger's entries in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connector import inbox, ledger
from connector.clients import clients_of
from connector.flows.gateway import Gateway
from connector.flows.outside_requests import title_of
from connector.ledger import Recorded
from connector.model.errors import NotFound
from connector.model.tags import Account
from connector.people import find_user
from connector.storage import Transaction

PAGE = 200
_READ_AT_ONCE = 500

_WHAT: Mapping[str, str] = {
    "token_handout": "A provider's access token",
    "release": "Values",
    "push_outcome": "A change you made",
    "exported": "A copy of everything",
}
_RECIPIENTS: Mapping[str, str] = {
    "us": "the app",
    "owner": "the person",
    "provider": "the provider",
    "authority": "an authority",
    "acquirer": "whoever takes the business over",
    "agent": "an agent of ours",
    "affiliate": "an affiliate of ours",
}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One time something left. `at` in ms; `entry` is its place in the ledger."""

    entry: int
    at: int
    what: str
    recipient: str
    purpose: str
    clause: str
    categories: tuple[str, ...]
    count: int | None
    connection: str | None
    outcome: str | None
    release: str | None = None
    field_group: str = ""


def disclosures_of(
    gateway: Gateway, tenant_id: str, sub: str, *, before: int | None = None, limit: int = PAGE
) -> list[Disclosure]:
    """What left, newest first. `before`: the ledger id of the last one on the page before.

    Raises:
        NotFound: no such user, or a deleted one: nothing leads from them to the ledger any more.
    """
    found: list[Disclosure] = []
    with gateway.store.read() as tx:
        user = find_user(tx, gateway.vault, tenant_id, sub)
        if user is None or user.account is not Account.OPEN or user.pseudonym is None:
            raise NotFound("user", code="unknown_user")
        names = {client.id: client.name for client in clients_of(tx, gateway.vault, tenant_id)}
        names |= _outsiders(gateway, tx, tenant_id, sub)
        hidden = inbox.hidden_of(tx, tenant_id, sub)
        while len(found) < limit:
            entries = ledger.show(tx, user.pseudonym, _READ_AT_ONCE, before, tenant_id=tenant_id)
            told = [entry for entry in entries if entry.facts.get("release") not in hidden]
            found += [_disclosure(entry, names) for entry in told if _is_disclosure(entry)]
            if len(entries) < _READ_AT_ONCE:
                break
            before = entries[-1].id
    return found[:limit]


def received_by(found: Iterable[Disclosure]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Who got values of a kind, as names: by (category, connection that they came through, or empty).

    What was sent on to an account is by ("sent", field group), as the ids of its connections.
    """
    who: dict[tuple[str, str], list[str]] = {}
    for one in found:
        keys = [(category, one.connection or "") for category in one.categories if one.what == _WHAT["release"]]
        name = one.recipient
        if one.what == _WHAT["push_outcome"] and one.outcome == "written":
            keys, name = [("sent", one.field_group)], one.connection or ""
        for key in keys:
            if name not in who.setdefault(key, []):
                who[key].append(name)
    return {key: tuple(names) for key, names in who.items()}


def _is_disclosure(entry: Recorded) -> bool:
    """Whether somebody got something. What a person looks at, or is written to about, is given to nobody else."""
    if entry.kind == "release" and entry.facts.get("recipient") == "owner":
        return False
    letter = entry.kind == "release" and entry.facts.get("purpose") == "contact" and entry.facts.get("client") is None
    return entry.kind in _WHAT and not (letter and entry.facts.get("recipient") == "us")


def _outsiders(gateway: Gateway, tx: Transaction, tenant_id: str, sub: str) -> dict[str, str]:
    """The names of those outside who got something, by release."""
    found = inbox.releases_of(tx, gateway.vault, tenant_id, sub)
    return {one.id: title_of(gateway, one.recipient, one.name) for one in found}


def _disclosure(entry: Recorded, names: Mapping[str, str]) -> Disclosure:
    facts: Mapping[str, Any] = entry.facts
    client = facts.get("client")
    recipient = names.get(client, "an app that is gone") if client else _recipient(entry)
    recipient = names.get(facts.get("release") or "", recipient)
    return Disclosure(
        entry=entry.id,
        at=entry.at,
        what=_WHAT[entry.kind],
        recipient=recipient,
        purpose=facts.get("purpose") or ("sync" if entry.kind == "push_outcome" else ""),
        clause=facts.get("clause") or "",
        categories=tuple(facts.get("categories") or ()),
        count=facts.get("count"),
        connection=facts.get("connection"),
        outcome=facts.get("outcome"),
        release=facts.get("release"),
        field_group=facts.get("field_group") or "",
    )


def _recipient(entry: Recorded) -> str:
    if entry.kind == "push_outcome":
        return _RECIPIENTS["provider"]
    return _RECIPIENTS.get(entry.facts.get("recipient") or "us", "the app")
