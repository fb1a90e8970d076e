"""Rehearsal's profile and contacts as JSContact values, and changes of the profile on their way back.

Its lists carry an id for each entry; that id is the key in the card, so a change finds its entry again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers import cards
from providers.capabilities import Item
from providers.cards import Sorting

NO_PLACE = "Rehearsal has no place for this."

# Where each part of a card goes: the one list of what may be written.
_PLACES: Mapping[str, str] = {
    "name": "display_name",
    "nicknames": "nickname",
    "emails": "mail",
    "phones": "phones",
    "addresses": "places",
    "links": "links",
    "organizations": "work",
    "titles": "work",
    "notes": "about",
}

_IGNORED = ("id", "internal_rank")
_CONTACT_IGNORED = ("id", "gone")


def profile_item(me: Mapping[str, Any], categories: frozenset[str]) -> Item:
    """One answer of `GET /me` as an item, only the wanted categories taken."""
    seen = Sorting(categories=categories)

    def name(_: Any) -> None:
        value = cards.name_value(*(seen.text(part, me.get(part)) for part in ("display_name", "given", "family")))
        if value:
            seen.take("/name", value, "display_name")

    taken: dict[str, Callable[[Any], None]] = {
        "display_name": name,
        "given": lambda _: None,  # read with display_name
        "family": lambda _: None,
        "nickname": _text(seen, "/nicknames/n1", "name", "nickname"),
        "about": _text(seen, "/notes/about", "note", "about"),
        "locale": _text(seen, "/preferredLanguages/l1", "language", "locale"),
        "born": lambda value: _take_birthday(seen, value),
        "links": lambda value: _take_rows(seen, "links", value, "/links", parts={"url": "uri"}),
        "work": lambda value: _take_work(seen, value),
        **_contact_details(seen),
    }
    seen.fields(me, taken, _IGNORED)
    return seen.item("", birthdate=_birthdate(me))


def contact_item(raw: Mapping[str, Any], external_id: str) -> Item:
    """One entry of `GET /contacts` as an item."""
    if raw.get("gone") is True:
        return Item(external_id, deleted=True)
    seen = Sorting(people=True)

    def name(_: Any) -> None:
        value = cards.name_value("", *(seen.text(part, raw.get(part)) for part in ("first", "last")))
        if value:
            seen.take("/name", value, "first")

    taken: dict[str, Callable[[Any], None]] = {
        "first": name,
        "last": lambda value: None if raw.get("first") else name(value),
        "company": _text(seen, "/organizations/w1", "name", "company"),
        "born": lambda value: _take_birthday(seen, value),
        **_contact_details(seen),
    }
    seen.fields(raw, taken, _CONTACT_IGNORED)
    return seen.item(external_id, birthdate=_birthdate(raw))


def _contact_details(seen: Sorting) -> dict[str, Callable[[Any], None]]:
    return {
        "mail": lambda value: _take_rows(
            seen, "mail", value, "/emails", parts={"address": "address"}, ignored=("verified",)
        ),
        "phones": lambda value: _take_rows(seen, "phones", value, "/phones", parts={"number": "number"}),
        "places": lambda value: _take_places(seen, value),
    }


def _text(seen: Sorting, pointer: str, part: str, name: str) -> Callable[[Any], None]:
    def take(value: Any) -> None:
        text = seen.text(name, value)
        if text:
            seen.take(pointer, {part: text}, name)

    return take


def _take_rows(
    seen: Sorting, name: str, value: Any, pointer: str, *, parts: Mapping[str, str], ignored: tuple[str, ...] = ()
) -> None:
    letter = name[0]
    for number, row in seen.rows(name, value, ("id", "label", *parts), ignored):
        texts = {ours: seen.text(f"{name}.{theirs}", row.get(theirs)) for theirs, ours in parts.items()}
        found = {part: text for part, text in texts.items() if text}
        if found:
            label = cards.contexts(seen.text(f"{name}.label", row.get("label")))
            seen.take(f"{pointer}/{cards.key(row.get('id'), number, letter)}", found | label, name)


def _take_places(seen: Sorting, value: Any) -> None:
    parts = ("street", "city", "postcode", "country")
    for number, row in seen.rows("places", value, ("id", "label", *parts)):
        street, city, postcode, country = seen.texts("places", row, *parts)
        address = cards.address_value("", country, name=street, locality=city, postcode=postcode)
        if address:
            label = cards.contexts(seen.text("places.label", row.get("label")))
            seen.take(f"/addresses/{cards.key(row.get('id'), number, 'a')}", address | label, "places")


def _take_work(seen: Sorting, value: Any) -> None:
    for number, row in seen.rows("work", value, ("id", "company", "title")):
        company, title = seen.texts("work", row, "company", "title")
        key = cards.key(row.get("id"), number, "w")
        if company:
            seen.take(f"/organizations/{key}", {"name": company}, "work")
        if title:
            seen.take(f"/titles/{key}", {"name": title}, "work")


def _take_birthday(seen: Sorting, value: Any) -> None:
    when = cards.birthday_value(value) if isinstance(value, str) else None
    if when:
        seen.take("/anniversaries/birth", when, "born")
    else:
        seen.stranger("born")


def _birthdate(raw: Mapping[str, Any]) -> str:
    born = raw.get("born")
    return born if isinstance(born, str) and cards.birthday_value(born) else ""


# ---- going out -------------------------------------------------------------------------------------------------------


def fields_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Pointer → the main field of Rehearsal's that it touches, for the pointers that have a place there."""
    return {pointer: _PLACES[cards.head(pointer)] for pointer in values if cards.head(pointer) in _PLACES}


def patched(me: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `PATCH /me` for a change, merged into what is there; only whitelisted names, whole lists."""
    card = cards.nested({pointer: value for pointer, value in values.items() if cards.head(pointer) in _PLACES})
    patch: dict[str, Any] = {}
    if "name" in card:
        name = card["name"] if isinstance(card["name"], dict) else {}
        patch |= {
            "display_name": cards.full_name(card),
            "given": cards.component(name, "given"),
            "family": cards.component(name, "surname"),
        }
    if "nicknames" in card:
        patch["nickname"] = cards.first_text(card, "nicknames", "name")
    if "notes" in card:
        patch["about"] = cards.first_text(card, "notes", "note")
    for head, theirs, merge in _LISTS:
        if head in card:
            patch[theirs] = _merged(patch.get(theirs, me.get(theirs)), card, head, merge)
    return patch


def _merged(
    before: Any,
    card: Mapping[str, Any],
    name: str,
    merge: Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]],
) -> list[dict[str, Any]]:
    """A list with the changed entries put in, by id; clearing the whole map clears the list."""
    rows = [row for row in before if isinstance(row, dict)] if isinstance(before, list) else []
    listed = {str(row.get("id")): dict(row) for row in rows}
    if card.get(name) is None:
        return []
    for key, entry in cards.entries(card, name).items():
        if entry is not None:
            listed[key] = merge(listed.get(key, {}), entry) | {"id": key}
        elif name == "titles" and listed.get(key, {}).get("company"):
            listed[key].pop("title", None)
        else:
            listed.pop(key, None)
    return list(listed.values())


def _merge_mail(row: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """A changed address is no longer the one that was verified."""
    address = str(entry.get("address", row.get("address", "")))
    kept = {name: value for name, value in row.items() if name != "verified" or row.get("address") == address}
    return kept | {"address": address, "label": cards.label(entry)}


def _merge_phone(row: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return row | {"number": str(entry.get("number", row.get("number", ""))), "label": cards.label(entry)}


def _merge_place(row: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    street = " ".join(filter(None, (cards.component(entry, "name"), cards.component(entry, "number"))))
    parts = {
        "street": street or ("" if cards.component(entry, "locality") else str(entry.get("full", ""))),
        "city": cards.component(entry, "locality"),
        "postcode": cards.component(entry, "postcode"),
        "country": str(entry.get("countryCode") or cards.component(entry, "country")),
        "label": cards.label(entry),
    }
    return row | parts


def _merge_link(row: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return row | {"url": str(entry.get("uri", row.get("url", ""))), "label": cards.label(entry)}


def _merge_company(row: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return row | {"company": str(entry.get("name", ""))}


def _merge_title(row: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return row | {"title": str(entry.get("name", ""))}


_LISTS: tuple[tuple[str, str, Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]], ...] = (
    ("emails", "mail", _merge_mail),
    ("phones", "phones", _merge_phone),
    ("addresses", "places", _merge_place),
    ("links", "links", _merge_link),
    ("organizations", "work", _merge_company),
    ("titles", "work", _merge_title),
)
