"""What may stand at each pointer of a card: the part of JSContact (RFC 9553) that the gateway keeps.

A value is one whole entry: an EmailAddress at `/emails/<key>`, the Name at `/name`. Sizes are bounded, unknown members
are refused by name, and every complaint says what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import rfc8785

from connector.model.errors import BadInput
from connector.model.tags import Category
from connector.records.values import MAX_BYTES

MAX_TEXT = 8 * 1024
MAX_URI = 2 * 1024
MAX_LIST = 64
CONTACT_HEADS = frozenset({"emails", "phones", "addresses"})

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")  # RFC 9553 section 1.4.1, Id; ours are shorter
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>\"]+")
_ADDRESS = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}")  # RFC 5646, its shape
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9:._-]{0,63}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")

Check: TypeAlias = Callable[[Any], str]  # what is wrong, or ""


def _text(value: Any) -> str:
    fine = isinstance(value, str) and 0 < len(value) <= MAX_TEXT and not _controls(value)
    return "" if fine else f"is text of 1 to {MAX_TEXT} characters"


def _matching(pattern: re.Pattern[str], words: str, most: int = MAX_URI) -> Check:
    def check(value: Any) -> str:
        return "" if isinstance(value, str) and len(value) <= most and pattern.fullmatch(value) else words

    return check


def _one_of(*words: str) -> Check:
    return lambda value: "" if value in words else f"is one of {', '.join(words)}"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "is true or false"


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> str:
        fine = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if fine else f"is a whole number from {low} to {high}"

    return check


def _flags(value: Any) -> str:
    """A set as JSContact writes it: every member is true."""
    fine = isinstance(value, dict) and len(value) <= MAX_LIST
    fine = fine and all(_WORD.fullmatch(name) and value[name] is True for name in value)
    return "" if fine else 'is a set of words, such as {"work": true}'


def _list_of(check: Check) -> Check:
    def all_of(value: Any) -> str:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST:
            return f"is a list of 1 to {MAX_LIST}"
        return next((wrong for wrong in map(check, value) if wrong), "")

    return all_of


def _entries(check: Check) -> Check:
    def each(value: Any) -> str:
        if not isinstance(value, dict) or len(value) > MAX_LIST or not all(map(_KEY.fullmatch, value)):
            return "is an object of entries by key"
        return next((wrong for wrong in map(check, value.values()) if wrong), "")

    return each


def _object(kind: str, members: Mapping[str, Check], *, needs: tuple[tuple[str, ...], ...] = ()) -> Check:
    """An object of these members; of each tuple in `needs` at least one is there."""

    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return f"is a JSContact {kind}, an object"
        if value.get("@type", kind) != kind:
            return f"has the @type {kind}"
        for name, part in value.items():
            if name == "@type":
                continue
            if name not in members:
                return f"has no member {name[:40]!r}; a {kind} takes {', '.join(sorted(members))}"
            wrong = members[name](part)
            if wrong:
                return f"needs another {name}, which {wrong}"
        missing = next((choice for choice in needs if not any(name in value for name in choice)), ())
        return f"needs {' or '.join(missing)}" if missing else ""

    return check


def _controls(text: str) -> bool:
    return any(ord(sign) < 0x20 and sign not in "\t\n\r" for sign in text)  # noqa: PLR2004  the control characters of ASCII


_uri = _matching(_SCHEME, f"is a URI of at most {MAX_URI} characters, such as https://example.org/")
_word = _matching(_WORD, "is one word")
_language = _matching(_LANGUAGE, "is a language tag, such as en or pt-BR")
_pref = _whole(1, 100)
_common: Mapping[str, Check] = {"contexts": _flags, "pref": _pref, "label": _text}
_component = _object("NameComponent", {"kind": _word, "value": _text, "phonetic": _text}, needs=(("kind",), ("value",)))
_place = _object("AddressComponent", {"kind": _word, "value": _text, "phonetic": _text}, needs=(("kind",), ("value",)))
_address = _object(
    "Address",
    {
        "components": _list_of(_place),
        "isOrdered": _flag,
        "defaultSeparator": lambda value: "" if isinstance(value, str) and len(value) < MAX_LIST else "is short text",
        "countryCode": _matching(_COUNTRY, "is a country's two letters, such as SE"),
        "coordinates": _uri,
        "timeZone": _text,
        "full": _text,
        **_common,
    },
    needs=(("components", "full", "countryCode", "coordinates", "timeZone"),),
)
_partial = _object("PartialDate", {"year": _whole(1, 9999), "month": _whole(1, 12), "day": _whole(1, 31)})
_stamp = _object("Timestamp", {"utc": _matching(re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{5,18}Z"), "is a UTC time")})


def _date(value: Any) -> str:
    is_stamp = isinstance(value, dict) and value.get("@type") == "Timestamp"
    wrong = _stamp(value) if is_stamp else _partial(value)
    if not wrong and not is_stamp and not ({"year", "month"} & value.keys()):
        return "names at least a year or a month"
    if not wrong and not is_stamp and "day" in value and "month" not in value:
        return "has a day only with its month"
    return wrong


_MAPS: Mapping[str, Check] = {
    "nicknames": _object("Nickname", {"name": _text, **_common}, needs=(("name",),)),
    "emails": _object(
        "EmailAddress",
        {"address": _matching(_ADDRESS, "is an e-mail address, such as ada@example.org"), **_common},
        needs=(("address",),),
    ),
    "phones": _object("Phone", {"number": _text, "features": _flags, **_common}, needs=(("number",),)),
    "addresses": _address,
    "onlineServices": _object(
        "OnlineService", {"service": _text, "uri": _uri, "user": _text, **_common}, needs=(("uri", "user"),)
    ),
    "links": _object("Link", {"uri": _uri, "kind": _word, "mediaType": _text, **_common}, needs=(("uri",),)),
    "organizations": _object(
        "Organization",
        {
            "name": _text,
            "units": _list_of(_object("OrgUnit", {"name": _text, "sortAs": _text}, needs=(("name",),))),
            "sortAs": _text,
            "contexts": _flags,
        },
        needs=(("name", "units"),),
    ),
    "titles": _object(
        "Title", {"name": _text, "kind": _word, "organizationId": _matching(_KEY, "is a key")}, needs=(("name",),)
    ),
    "anniversaries": _object(
        "Anniversary", {"kind": _word, "date": _date, "place": _address}, needs=(("kind",), ("date",))
    ),
    "media": _object(
        "Media",
        {"kind": _one_of("photo", "sound", "logo"), "uri": _uri, "mediaType": _text, **_common},
        needs=(("kind",), ("uri",)),
    ),
    "notes": _object("Note", {"note": _text, "created": _text}, needs=(("note",),)),
    "personalInfo": _object(
        "PersonalInfo",
        {
            "kind": _one_of("expertise", "hobby", "interest"),
            "value": _text,
            "level": _one_of("high", "medium", "low"),
            "listAs": _whole(1, 1000),
            "label": _text,
        },
        needs=(("kind",), ("value",)),
    ),
    "preferredLanguages": _object(
        "LanguagePref", {"language": _language, "contexts": _flags, "pref": _pref}, needs=(("language",),)
    ),
}
_SINGLE: Mapping[str, Check] = {
    "name": _object(
        "Name",
        {
            "components": _list_of(_component),
            "isOrdered": _flag,
            "defaultSeparator": lambda value: (
                "" if isinstance(value, str) and len(value) < MAX_LIST else "is short text"
            ),
            "full": _text,
            "phoneticScript": _text,
            "phoneticSystem": _word,
        },
        needs=(("components", "full"),),
    ),
    "speakToAs": _object(
        "SpeakToAs",
        {
            "grammaticalGender": _one_of("animate", "common", "feminine", "inanimate", "masculine", "neuter"),
            "pronouns": _entries(
                _object("Pronouns", {"pronouns": _text, "contexts": _flags, "pref": _pref}, needs=(("pronouns",),))
            ),
        },
        needs=(("grammaticalGender", "pronouns"),),
    ),
    "language": _language,
}
MAPS = frozenset(_MAPS)
SINGLE = frozenset(_SINGLE)


def wrong_with(pointer: str, value: Any) -> str:
    """What is wrong with a value at its pointer, as the end of a sentence; "" where nothing is."""
    parts = pointer.split("/")[1:]
    check = _SINGLE.get(parts[0]) if len(parts) == 1 else None
    if len(parts) == 2 and _KEY.fullmatch(parts[1]):  # noqa: PLR2004  head and key
        check = _MAPS.get(parts[0])
    if check is None:
        places = f"{', '.join(sorted(SINGLE))}, and entries by key (letters, digits, _ -) of {', '.join(sorted(MAPS))}"
        return f"is no place for a value; there are {places}"
    wrong = check(value)
    if wrong:
        return wrong
    try:
        size = len(rfc8785.dumps(value))
    except (ValueError, TypeError, RecursionError):
        return "cannot be written as JSON that every program reads alike"
    return "" if size <= MAX_BYTES else f"is too large; a value has at most {MAX_BYTES} bytes"


def check_value(pointer: str, value: Any) -> None:
    """Take a value, or say what would be right. Raises BadInput with the pointer."""
    wrong = wrong_with(pointer, value)
    if wrong:
        raise BadInput("bad_value", f"{pointer[:80]} {wrong}.")


def category_of(pointer: str) -> Category:
    """What kind of information about the person themselves stands at a pointer."""
    return Category.CONTACT if pointer.split("/")[1] in CONTACT_HEADS else Category.PROFILE
