"""Contact details of a Page that the person manages: the one thing Facebook lets apps write.

A personal profile cannot be written by any app; that is said in words, with a link for the person. A Page is written
with its own token and that token's own proof. Where no Page is named, the only one that the person may change is meant;
among several nothing is guessed. Lists are replaced as a whole there, so they are read first. Facebook has no
precondition for writes: what is read just before is the nearest thing to one.

Source: developers.facebook.com, Pages API "Manage Pages", Graph API reference "Page" (v25.0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers import cards
from providers.capabilities import Grant, ProfileChange, Registration, WriteOutcome
from providers.errors import ProviderError
from providers.exchange import Exchange
from providers.facebook.graph import graph_url, read_node, write_node
from providers.secret import Secret

GROUPS = frozenset({"emails", "phones", "addresses", "links", "about"})
NEEDED = ("pages_show_list", "pages_manage_metadata")
PROFILE_HINT = (
    "Facebook lets apps update Pages, not personal profiles. "
    "The person can change their profile at https://www.facebook.com/settings?tab=account."
)

ONE_PAGE = "{the-only-page}"  # stands in a preview for an id that is looked up when it is written

_TASKS = frozenset({"MANAGE", "CREATE_CONTENT", "MODERATE"})
_READ = "emails,phone,website,about,location"
_MAX_PAGES_OF_PAGES = 20


@dataclass(frozen=True, slots=True)
class ManagedPage:
    """A Page of this person's, with its own token."""

    id: str
    name: str = field(repr=False)
    token: Secret
    tasks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change means for a Page: fields by Facebook's names, and the pointers that have no place there."""

    fields: Mapping[str, Any]
    emails: Mapping[str, dict[str, Any] | None]
    pointers: Mapping[str, str]  # pointer → Facebook's field
    refused: Mapping[str, str]


def target(registration: Registration, change: ProfileChange | None = None) -> str:
    """The Page to write to: the change's, else the one in the settings (`page_id`); "" where none is named.

    Raises:
        ProviderError: misconfigured, for what is no id of a Page; another Page is not taken instead.
    """
    found = (change.target if change else "") or registration.settings.get("page_id", "")
    if found and not (found.isascii() and found.isdecimal()):
        raise ProviderError("misconfigured", "page_id", "Write page_id as the Page's id, which is a number.")
    return found


def writable(registration: Registration, grant: Grant) -> frozenset[str]:  # noqa: ARG001  which Page is not asked here
    """The groups a Page takes, where the permissions reach Pages; else nothing."""
    return GROUPS if _reaches_pages(grant) else frozenset()


def preview(registration: Registration, change: ProfileChange) -> tuple[dict[str, Any], ...]:
    """The reads and the write, without tokens; e-mail addresses are merged into those that are read.

    Where no Page is named, `ONE_PAGE` stands for the one that is found when it is written.
    """
    page = target(registration, change) or ONE_PAGE
    planned = plan(change)
    body = {**planned.fields, **({"emails": _merged([], planned.emails)} if planned.emails else {})}
    first: tuple[dict[str, Any], ...] = (
        {"method": "GET", "url": graph_url(registration, "me/accounts"), "body": None},
        {"method": "GET", "url": f"{graph_url(registration, page)}?fields={_READ}", "body": None},
    )
    return (*first, {"method": "POST", "url": graph_url(registration, page), "body": body}) if body else ()


def write(registration: Registration, grant: Grant, change: ProfileChange) -> Exchange[WriteOutcome]:
    """Find the Page, read it, write what differs, once.

    Raises:
        ProviderError: unsupported without the permissions for Pages, or where one of several Pages must be named;
            insufficient_scope where the person does not manage it, or none.
    """
    if not _reaches_pages(grant):
        raise ProviderError("unsupported", "personal_profile", PROFILE_HINT)
    page_id = target(registration, change)
    planned = plan(change)
    if not planned.pointers:
        return WriteOutcome(refused=planned.refused)
    pages = yield from managed_pages(registration, grant)
    page = _named(pages, page_id) if page_id else _only(pages)
    now = yield from read_node(registration, page.token, page.id, [("fields", _READ)])
    body = _differing(now, planned)
    if body:
        answer = yield from write_node(registration, page.token, page.id, body)
        if answer.get("success") is not True:
            raise ProviderError("ambiguous", "not_confirmed", "Facebook answered, but not that the Page was changed.")
    written = tuple(pointer for pointer, name in planned.pointers.items() if name in body)
    return WriteOutcome(written, planned.refused, tuple(p for p, name in planned.pointers.items() if name not in body))


def managed_pages(registration: Registration, grant: Grant) -> Exchange[tuple[ManagedPage, ...]]:
    """Every Page that the person let this app see."""
    found: list[ManagedPage] = []
    after = ""
    for _ in range(_MAX_PAGES_OF_PAGES):
        params = [("fields", "id,name,access_token,tasks"), ("limit", "100"), *([("after", after)] if after else [])]
        answer = yield from read_node(registration, grant.access_token, "me/accounts", params)
        rows = answer.get("data")
        found += [_page_of(row) for row in rows if _is_page(row)] if isinstance(rows, list) else []
        after = _after(answer.get("paging"))
        if not after:
            break
    return tuple(found)


def plan(change: ProfileChange) -> Plan:
    """Which of Facebook's fields a change touches. Only names listed here ever leave."""
    card = cards.nested(change.values)
    fields: dict[str, Any] = {}
    pointers: dict[str, str] = {}
    refused: dict[str, str] = {}
    names = {"emails": "emails", "phones": "phone", "links": "website", "notes": "about", "addresses": "location"}
    for pointer in change.values:
        name = names.get(cards.head(pointer))
        if name is None:
            refused[pointer] = "A Facebook Page has no place for this."
        else:
            pointers[pointer] = name
    readers: Mapping[str, Callable[[], Any]] = {
        "phone": lambda: cards.first_text(card, "phones", "number"),
        "website": lambda: cards.first_text(card, "links", "uri"),
        "about": lambda: cards.first_text(card, "notes", "note"),
        "location": lambda: _location(card),
    }
    for name, reader in readers.items():
        if name in pointers.values():
            fields[name] = reader()
    return Plan(fields, cards.entries(card, "emails"), pointers, refused)


def _location(card: Mapping[str, Any]) -> dict[str, str]:
    entry = next((entry for entry in cards.entries(card, "addresses").values() if entry), None)
    parts = {
        "street": " ".join(filter(None, (cards.component(entry, "name"), cards.component(entry, "number")))),
        "city": cards.component(entry, "locality"),
        "state": cards.component(entry, "region"),
        "zip": cards.component(entry, "postcode"),
        "country": cards.component(entry, "country"),
    }
    return {name: value for name, value in parts.items() if value}


def _reaches_pages(grant: Grant) -> bool:
    return set(NEEDED) <= set(grant.scopes or ())


def _named(pages: tuple[ManagedPage, ...], page_id: str) -> ManagedPage:
    page = next((page for page in pages if page.id == page_id), None)
    if page is None:
        raise ProviderError("insufficient_scope", "page_not_managed", "The person did not let us manage this Page.")
    if not page.tasks & _TASKS:
        raise ProviderError("insufficient_scope", "page_task", "The person's role on this Page does not allow changes.")
    return page


def _only(pages: tuple[ManagedPage, ...]) -> ManagedPage:
    able = [page for page in pages if page.tasks & _TASKS]
    if len(able) > 1:
        raise ProviderError(
            "unsupported",
            "choose_page",
            "The person manages several Pages. Name one in the integration's setting page_id.",
        )
    if not able:
        raise ProviderError(
            "insufficient_scope", "no_page", "The person let us see no Page that they may change. They can share one."
        )
    return able[0]


def _differing(now: Mapping[str, Any], planned: Plan) -> dict[str, Any]:
    wanted = dict(planned.fields)
    if "emails" in planned.pointers.values():
        before = now.get("emails")
        wanted["emails"] = _merged(before if isinstance(before, list) else [], planned.emails)
    return {name: value for name, value in wanted.items() if _plain(now.get(name)) != _plain(value)}


def _plain(value: Any) -> Any:
    """Absent and empty are the same thing there; of a place only the parts that we write count."""
    if isinstance(value, dict):
        return {
            name: part for name, part in value.items() if name in ("street", "city", "state", "zip", "country")
        } or ""
    return value or ""


def _merged(before: list[Any], change: Mapping[str, dict[str, Any] | None]) -> list[str]:
    """The Page's addresses with ours put in: entry e1 is its first address, e2 its second, and so on."""
    listed = {f"e{number}": text for number, text in enumerate(before, 1) if isinstance(text, str)}
    for key, entry in change.items():
        text = str(entry.get("address") or "") if entry else ""
        if text:
            listed[key] = text
        else:
            listed.pop(key, None)
    return list(dict.fromkeys(listed.values()))


def _is_page(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("id", "access_token"))


def _page_of(row: Mapping[str, Any]) -> ManagedPage:
    tasks = row.get("tasks")
    named = frozenset(task for task in tasks if isinstance(task, str)) if isinstance(tasks, list) else frozenset()
    return ManagedPage(row["id"], str(row.get("name", "")), Secret(row["access_token"]), named)


def _after(paging: Any) -> str:
    """The cursor of the next page; "" on the last. The `next` address itself is not followed: it carries a token."""
    if not isinstance(paging, dict) or not paging.get("next") or not isinstance(paging.get("cursors"), dict):
        return ""
    after = paging["cursors"].get("after")
    return after if isinstance(after, str) else ""
