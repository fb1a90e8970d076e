"""The profile at GitHub: read, with every field sorted, and written back where the scope `user` allows it.

Source: docs.github.com, "REST API endpoints for users". GitHub has one place for each field, and no precondition for
writes: what is read just before decides what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from providers import cards
from providers.capabilities import Grant, Item, Page, ProfileChange, Registration, WriteOutcome
from providers.exchange import Exchange
from providers.github.oauth import EMAIL_SCOPES
from providers.github.rest import api_url, bearer, failure, get_user, request, verified_emails
from providers.oauth2 import send_once

GROUPS = frozenset({"name", "emails", "addresses", "links", "work", "about"})

_IGNORED = frozenset(
    {
        "id",
        "node_id",
        "gravatar_id",
        "url",
        "html_url",
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
        "type",
        "user_view_type",
        "site_admin",
        "hireable",
        "email",
        "notification_email",
        "public_repos",
        "public_gists",
        "followers",
        "following",
        "created_at",
        "updated_at",
        "private_gists",
        "total_private_repos",
        "owned_private_repos",
        "disk_usage",
        "collaborators",
        "two_factor_authentication",
        "plan",
        "business_plus",
        "ldap_dn",
        "suspended_at",
    }
)


def profile(registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
    """The profile as one item; verified addresses where the scope opens them."""
    user = yield from get_user(registration, grant)
    emails: tuple[str, ...] = ()
    if "contact" in categories and EMAIL_SCOPES & set(grant.scopes or ()):
        emails = yield from verified_emails(registration, grant)
    return Page((sorted_profile(user, emails, categories),))


def sorted_profile(user: Mapping[str, Any], emails: tuple[str, ...], categories: frozenset[str]) -> Item:
    """One answer of `GET /user`, and the addresses, as an item."""
    seen = cards.Sorting(categories=categories)

    def put(pointer: str, name: str, entry: Callable[[str], dict[str, Any]]) -> Callable[[Any], None]:
        def take(value: Any) -> None:
            text = seen.text(name, value)
            if text:
                seen.take(pointer, entry(text), name)

        return take

    taken = {
        "name": put("/name", "name", lambda text: {"full": text}),
        "company": put("/organizations/company", "company", lambda text: {"name": text}),
        "blog": put("/links/blog", "blog", lambda text: {"uri": text if "://" in text else f"https://{text}"}),
        "location": put("/addresses/location", "location", lambda text: {"full": text}),
        "bio": put("/notes/bio", "bio", lambda text: {"note": text}),
        "avatar_url": put("/media/photo", "avatar_url", lambda text: {"kind": "photo", "uri": text}),
        "twitter_username": put("/onlineServices/x", "twitter_username", lambda text: {"service": "X", "user": text}),
        "login": put("/onlineServices/github", "login", lambda text: {"service": "GitHub", "user": text}),
    }
    seen.fields(user, taken, _IGNORED)
    for number, address in enumerate(emails, 1):
        seen.take(f"/emails/e{number}", {"address": address}, "emails.email")
    return seen.item("")


# ---- writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change means here: fields by GitHub's names, which pointers they come from, and what has no place."""

    fields: Mapping[str, str]
    pointers: Mapping[str, str]  # pointer → GitHub's field
    refused: Mapping[str, str]


def writable(grant: Grant) -> frozenset[str]:
    """Everything GitHub has a place for, with the scope `user`."""
    return GROUPS if "user" in (grant.scopes or ()) else frozenset()


def plan(change: ProfileChange) -> Plan:
    """Which of GitHub's fields a change touches. Only names listed here ever leave."""
    card = cards.nested(change.values)
    readers: Mapping[str, tuple[str, Callable[[], str]]] = {
        "name": ("name", lambda: cards.full_name(card)),
        "organizations": ("company", lambda: _text(card, "organizations", "company", "name")),
        "links": ("blog", lambda: _text(card, "links", "blog", "uri")),
        "addresses": ("location", lambda: _location(card)),
        "notes": ("bio", lambda: _text(card, "notes", "bio", "note")),
        "emails": ("email", lambda: cards.first_text(card, "emails", "address")),
        "onlineServices": ("twitter_username", lambda: _text(card, "onlineServices", "x", "user")),
    }
    fields: dict[str, str] = {}
    pointers: dict[str, str] = {}
    refused: dict[str, str] = {}
    for pointer in change.values:
        head = cards.head(pointer)
        if head not in readers or (head == "onlineServices" and not pointer.startswith("/onlineServices/x")):
            refused[pointer] = "GitHub has no place for this."
            continue
        name, reader = readers[head]
        fields[name], pointers[pointer] = reader(), name
    if fields.get("email") == "":
        fields.pop("email")
        refused |= dict.fromkeys(_of(pointers, "email"), "GitHub keeps an address until another takes its place.")
        pointers = {pointer: name for pointer, name in pointers.items() if name != "email"}
    return Plan(fields, pointers, refused)


def preview(registration: Registration, change: ProfileChange) -> tuple[dict[str, Any], ...]:
    """The read and the write; what does not differ from what is read is left out of the write."""
    planned = plan(change)
    if not planned.fields:
        return ()
    url = api_url(registration, "user")
    return (
        {"method": "GET", "url": url, "body": None},
        {"method": "PATCH", "url": url, "body": _sent(planned.fields)},
    )


def write(registration: Registration, grant: Grant, change: ProfileChange) -> Exchange[WriteOutcome]:
    """Read, then write what differs, once. An address that is not verified there is refused in words."""
    planned = plan(change)
    refused = dict(planned.refused)
    if not planned.fields:
        return WriteOutcome(refused=refused)
    user = yield from get_user(registration, grant)
    differing = {name: value for name, value in planned.fields.items() if (user.get(name) or "") != value}
    if "email" in differing and differing["email"] not in (yield from verified_emails(registration, grant)):
        del differing["email"]
        refused |= dict.fromkeys(_of(planned.pointers, "email"), "GitHub takes only an address that is verified there.")
    if differing:
        sent = request("PATCH", api_url(registration, "user"), bearer(grant.access_token), _sent(differing))
        response = yield from send_once(sent)
        if response.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            named = {p: "GitHub does not take this value." for p, name in planned.pointers.items() if name in differing}
            return WriteOutcome(refused=refused | named)
        if not response.ok:
            raise failure(response)
    written = tuple(p for p, name in planned.pointers.items() if name in differing)
    return WriteOutcome(written, refused, tuple(p for p in planned.pointers if p not in written and p not in refused))


def _sent(fields: Mapping[str, str]) -> dict[str, str | None]:
    """As GitHub wants it: an empty user name is null, every other empty field is empty text."""
    return {name: None if name == "twitter_username" and not value else value for name, value in fields.items()}


def _of(pointers: Mapping[str, str], name: str) -> list[str]:
    return [pointer for pointer, field in pointers.items() if field == name]


def _text(card: Mapping[str, Any], name: str, own: str, part: str) -> str:
    """The text for GitHub's one place: of the entry that came from there, else of the first that has one."""
    entries = cards.entries(card, name)
    if own in entries:
        return str((entries[own] or {}).get(part) or "")
    return cards.first_text(card, name, part)


def _location(card: Mapping[str, Any]) -> str:
    entries = cards.entries(card, "addresses")
    entry = entries["location"] if "location" in entries else next(filter(None, entries.values()), None)
    return cards.full_address(entry) if entry else ""
