"""Between a provider's fields and JSContact cards (RFC 9553): sorting what comes in, reading what goes out.

Coming in, every field of an answer is sorted: taken, knowingly ignored, or a stranger, which is dropped and counted. A
known field of the wrong type is a stranger too. Values are whole entries: `/emails/m1` holds an EmailAddress, `/name` a
Name.

Going out, a change may name entries (`/emails/m1`) or parts of them (`/emails/m1/address`); `nested` reads both alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal

from providers.capabilities import FieldValue, Item

Category = Literal["profile", "contact", "people"]

MAX_TEXT = 8 * 1024  # characters; the longest field seen in the field is a biography of 2,000
_CONTACT_HEADS = ("emails", "phones", "addresses")
_DATE = re.compile(r"(?:([0-9]{4})|-)-([0-9]{2})-([0-9]{2})|([0-9]{4})")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,255}")  # RFC 9553 section 1.4.1, Id


class Sorting:
    """Sorts one answer. `people`: it is a contact's, so every value is of that category.

    `categories`: what may be taken; a value of another category is ignored under its own name.
    """

    def __init__(self, *, people: bool = False, categories: Collection[str] | None = None) -> None:
        self._people = people
        self._categories = categories
        self._values: dict[str, FieldValue] = {}
        self._ignored: dict[str, None] = {}
        self._strangers: dict[str, None] = {}

    def take(self, pointer: str, value: Any, origin: str) -> None:
        """Take a value, unless its category is not wanted."""
        category = self._category(pointer)
        if self._categories is not None and category not in self._categories:
            self._ignored[origin] = None
        else:
            self._values[pointer] = FieldValue(pointer, value, category, origin)

    def ignore(self, name: str) -> None:
        """A field we know and leave."""
        self._ignored[name] = None

    def stranger(self, name: str) -> None:
        """A field nobody knows, or one whose value is not what it should be."""
        self._strangers[name] = None

    def fields(
        self, raw: Mapping[str, Any], taken: Mapping[str, Callable[[Any], None]], ignored: Collection[str]
    ) -> None:
        """Sort a whole object: `taken` handles by name; an empty value of a taken field is simply absent."""
        for name, value in raw.items():
            if name in taken:
                if value is not None and value not in ("", [], {}):
                    taken[name](value)
            elif name in ignored:
                self.ignore(name)
            else:
                self.stranger(name)

    def text(self, name: str, value: Any) -> str:
        """The text of a field; "" where it is empty, too long or no text (then it is a stranger)."""
        if value is None or value == "":
            return ""
        if isinstance(value, str) and len(value) <= MAX_TEXT:
            return value
        self.stranger(name)
        return ""

    def texts(self, name: str, row: Mapping[str, Any], *parts: str) -> list[str]:
        """The texts of several parts of one row, in order; see `text`."""
        return [self.text(f"{name}.{part}", row.get(part)) for part in parts]

    def rows(
        self, name: str, value: Any, taken: Collection[str], ignored: Collection[str] = ()
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The objects of a list, numbered from 1, their own fields sorted as `name.field`."""
        if not isinstance(value, list):
            self.stranger(name)
            return
        for number, row in enumerate(value, 1):
            if not isinstance(row, dict):
                self.stranger(name)
                continue
            for part in row:
                if part in ignored:
                    self.ignore(f"{name}.{part}")
                elif part not in taken:
                    self.stranger(f"{name}.{part}")
            yield number, row

    def item(
        self,
        external_id: str,
        *,
        deleted: bool = False,
        birthdate: str = "",
        age_range: tuple[int | None, int | None] | None = None,
    ) -> Item:
        """What was sorted, as one item."""
        return Item(
            external_id,
            tuple(self._values.values()),
            tuple(self._ignored),
            tuple(self._strangers),
            deleted,
            birthdate,
            age_range,
        )

    def _category(self, pointer: str) -> Category:
        if self._people:
            return "people"
        return "contact" if pointer.split("/")[1] in _CONTACT_HEADS else "profile"


# ---- JSContact values ------------------------------------------------------------------------------------------------


def key(wanted: Any, number: int, letter: str) -> str:
    """A key in a JSContact map: the provider's own id where it can be one, else a letter and a number."""
    return wanted if isinstance(wanted, str) and _KEY.fullmatch(wanted) else f"{letter}{number}"


def name_value(full: str = "", given: str = "", family: str = "", **more: str) -> dict[str, Any] | None:
    """A Name (RFC 9553 section 2.2.1); `more`: title, given2, surname2, credential, generation. None where empty."""
    parts = {
        "title": more.get("title", ""),
        "given": given,
        "given2": more.get("given2", ""),
        "surname": family,
        "surname2": more.get("surname2", ""),
        "generation": more.get("generation", ""),
        "credential": more.get("credential", ""),
    }
    components = [{"kind": kind, "value": value} for kind, value in parts.items() if value]
    value: dict[str, Any] = {"components": components, "isOrdered": True} if components else {}
    if full:
        value["full"] = full
    return value or None


def address_value(full: str = "", country_code: str = "", **components: str) -> dict[str, Any] | None:
    """An Address (RFC 9553 section 2.5.1); `components` by kind: name, locality, region … None where empty."""
    listed = [{"kind": kind, "value": value} for kind, value in components.items() if value]
    value: dict[str, Any] = {"components": listed} if listed else {}
    if full:
        value["full"] = full
    if country_code:
        value["countryCode"] = country_code
    return value or None


def contexts(label: str) -> dict[str, Any]:
    """What a label such as home, work or mobile says, as JSContact has it; any other stays a label."""
    known: Mapping[str, dict[str, Any]] = {
        "": {},
        "home": {"contexts": {"private": True}},
        "work": {"contexts": {"work": True}},
        "mobile": {"features": {"mobile": True}},
        "homefax": {"contexts": {"private": True}, "features": {"fax": True}},
        "workfax": {"contexts": {"work": True}, "features": {"fax": True}},
    }
    return known.get(label.lower(), {"label": label})


def label(entry: Mapping[str, Any]) -> str:
    """The label that `contexts` would have read, from an entry."""
    if entry.get("label"):
        return str(entry["label"])
    if (entry.get("features") or {}).get("mobile"):
        return "mobile"
    where = entry.get("contexts") or {}
    return "work" if where.get("work") else "home" if where.get("private") else ""


def birthday_value(text: str) -> dict[str, Any] | None:
    """An Anniversary (RFC 9553 section 2.8.1) from 1990-05-17, 1990 or --05-17; None for anything else."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = found.group(1) or found.group(4), found.group(2), found.group(3)
    parts = {"year": year, "month": month, "day": day}
    return {
        "kind": "birth",
        "date": {"@type": "PartialDate", **{name: int(part) for name, part in parts.items() if part and int(part)}},
    }


# ---- going out -------------------------------------------------------------------------------------------------------


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Pointers and values as one card; None stays where something is to be cleared (RFC 6901, RFC 7396)."""
    card: dict[str, Any] = {}
    for pointer in sorted(values):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.lstrip("/").split("/")]
        place = card
        for part in parts[:-1]:
            below = place.get(part)
            place[part] = place = dict(below) if isinstance(below, dict) else {}
        place[parts[-1]] = values[pointer]
    return card


def head(pointer: str) -> str:
    """The first word of a pointer: `emails` of `/emails/m1`."""
    return pointer.lstrip("/").split("/", 1)[0]


def entries(card: Mapping[str, Any], name: str) -> dict[str, dict[str, Any] | None]:
    """The entries of a map such as emails: key → entry, or None to clear it."""
    found = card.get(name)
    if not isinstance(found, dict):
        return {}
    return {entry_key: entry if isinstance(entry, dict) else None for entry_key, entry in found.items()}


def first_text(card: Mapping[str, Any], name: str, part: str) -> str:
    """The text of the first entry that has one; "" where all are cleared or absent."""
    for entry in entries(card, name).values():
        if entry and isinstance(entry.get(part), str):
            return str(entry[part])
    return ""


def component(value: Mapping[str, Any] | None, *kinds: str) -> str:
    """The components of these kinds in a Name or Address, joined by spaces."""
    listed = (value or {}).get("components")
    if not isinstance(listed, list):
        return ""
    return " ".join(
        str(part["value"])
        for part in listed
        if isinstance(part, dict) and part.get("kind") in kinds and part.get("value")
    )


def full_name(card: Mapping[str, Any]) -> str:
    """The name as one line: its own `full`, else its components in order."""
    value = card.get("name")
    if not isinstance(value, dict):
        return ""
    return str(value.get("full") or "") or component(
        value, "title", "given", "given2", "surname", "surname2", "generation"
    )


def full_address(value: Mapping[str, Any]) -> str:
    """The address as one line: its own `full`, else its components and country."""
    listed = value.get("components")
    parts = (
        [str(part.get("value", "")) for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    )
    return str(value.get("full") or "") or ", ".join(
        part for part in [*parts, str(value.get("countryCode") or "")] if part
    )
