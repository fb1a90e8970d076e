"""What a person's own access token opens about them, at the moment it is shown.

The claims are read from the person's records: what they typed in, and what came from their accounts. Of an account only
what the ID token may say of it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.clients import Caller
from connector.consent import Direction
from connector.flows.gateway import Gateway
from connector.flows.person_claims import SCOPES, ScopeClaims, may_learn
from connector.flows.read_records import read_claims
from connector.flows.standings import Ground
from connector.model.errors import NotFound, Unauthenticated
from connector.records import SealedValue

CLAIMS = (
    "name",
    "given_name",
    "middle_name",
    "family_name",
    "nickname",
    "profile",
    "website",
    "picture",
    "birthdate",
    "locale",
    "email",
)
_NAME_PARTS = {"given": "given_name", "given2": "middle_name", "surname": "family_name"}
_LEAST_PREFERRED = 101  # RFC 9553 section 1.5.3: from 1, preferred most, to 100


def userinfo_claims(gateway: Gateway, caller: Caller) -> dict[str, Any]:
    """The claims for a person's token: who they are here, and what its scopes and the policy open.

    Raises:
        Unauthenticated: the person's account here was deleted; the token stands for nobody any more.
    """
    sub = caller.sub or ""
    asked = [claims for scope, claims in SCOPES.items() if scope in caller.scopes]

    def wanted(ground: Ground, stored: SealedValue) -> bool:
        return any(_opens(gateway, ground, claims, stored) for claims in asked)

    try:
        card = read_claims(gateway, caller.client, sub, wanted).composed
    except NotFound:
        raise Unauthenticated(
            "invalid_token", "The access token is unknown, expired or revoked; get a new one."
        ) from None
    known = _claims_of(card)
    names = {name for claims in asked for name in claims.names}
    return {"sub": sub} | {name: value for name, value in known.items() if name in names and value}


def _opens(gateway: Gateway, ground: Ground, claims: ScopeClaims, stored: SealedValue) -> bool:
    """Whether a value is for these claims and, where it came from an account, the app may learn it from there."""
    if stored.tags.category is not claims.category or stored.pointer.split("/")[1] not in _READ:
        return False
    if stored.imported_from is None:
        return True
    connection = ground.connections.get(stored.imported_from)
    if connection is None:
        return False
    decision = may_learn(
        gateway,
        ground.user,
        connection,
        claims,
        choice=lambda group: ground.choice(connection.id, Direction.IMPORT, group),
        at=ground.at,
    )
    return decision.allowed


def _claims_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """The standard claims (OpenID Connect Core 1.0 section 5.1) that a JSContact card holds."""
    found: dict[str, Any] = {}
    for head, read in _READ.items():
        if head in card:
            found |= read(card[head])
    return found


def _name(value: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, list[str]] = {}
    for component in value.get("components", ()):
        if component["kind"] in _NAME_PARTS:
            parts.setdefault(_NAME_PARTS[component["kind"]], []).append(component["value"])
    named = {claim: " ".join(words) for claim, words in parts.items()}
    joined = " ".join(named[claim] for claim in ("given_name", "middle_name", "family_name") if claim in named)
    return {"name": value.get("full") or joined, **named}


def _first(claim: str, member: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def read(entries: Mapping[str, Any]) -> dict[str, Any]:
        best = min(entries.values(), key=lambda entry: entry.get("pref", _LEAST_PREFERRED))
        return {claim: best.get(member, "")}

    return read


def _links(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entries[name].get("uri", "") for name in ("profile", "website") if name in entries}


def _picture(entries: Mapping[str, Any]) -> dict[str, Any]:
    photos = [entry["uri"] for entry in entries.values() if entry["kind"] == "photo"]
    return {"picture": next((uri for uri in photos if uri.startswith("https://")), "")}


def _birthdate(entries: Mapping[str, Any]) -> dict[str, Any]:
    dates = [entry["date"] for entry in entries.values() if entry["kind"] == "birth"]
    return {"birthdate": _date(dates[0])} if dates else {}


def _date(date: Mapping[str, Any]) -> str:
    """As Core 1.0 section 5.1 writes it: 0000 for a year that is not known, the year alone where nothing else is."""
    if "utc" in date:
        return str(date["utc"])[:10]
    year, month, day = date.get("year", 0), date.get("month"), date.get("day")
    if month is None or day is None:
        return f"{year:04}" if year else ""
    return f"{year:04}-{month:02}-{day:02}"


_READ: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "name": _name,
    "nicknames": _first("nickname", "name"),
    "links": _links,
    "media": _picture,
    "anniversaries": _birthdate,
    "preferredLanguages": _first("locale", "language"),
    "emails": _first("email", "address"),
}
