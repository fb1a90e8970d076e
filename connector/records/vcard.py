"""vCard 4.0 (RFC 6350) of a JSContact card, by the mapping of RFC 9555 for the members that are kept here.

A plain function of the card. Lines end in CRLF and are folded at 75 octets between characters; text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

FOLD = 75
_NAME = ("surname", "given", "given2", "title", "generation")  # the order of N; surname2 joins the first
_PLACE = ("postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country")  # the order of ADR
_TYPES = {"private": "home", "work": "work"}
_PHONE_TYPES = {"mobile": "cell", "voice": "voice", "text": "text", "video": "video", "fax": "fax", "pager": "pager"}
_SAFE_PARAMETER = re.compile(r"[A-Za-z0-9-]+")


def vcard(card: Mapping[str, Any], uid: str) -> str:
    """The card as one vCard. `uid` names it: an id of ours."""
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"UID:{_text(uid)}", f"FN:{_text(full_name(card))}"]
    for head, write in _WRITERS.items():
        part = card.get(head)
        for value in [part] if head == "name" else list((part or {}).values()):
            if isinstance(value, dict):
                lines += write(value)
    return "".join(folded(line) for line in [*lines, "END:VCARD"])


def full_name(card: Mapping[str, Any]) -> str:
    """The name as one line; where there is none, a nickname, an organisation or an address."""
    name = card.get("name") or {}
    if name.get("full"):
        return str(name["full"])
    parts = [part["value"] for part in name.get("components", ()) if part.get("kind") != "separator"]
    if parts:
        return " ".join(map(str, parts))
    for head, member in (("nicknames", "name"), ("organizations", "name"), ("emails", "address"), ("phones", "number")):
        for value in (card.get(head) or {}).values():
            if value.get(member):
                return str(value[member])
    return "Unnamed"


def folded(line: str) -> str:
    """The content line with its line breaks, no piece longer than 75 octets and no character cut (section 3.2)."""
    pieces, piece, size = [], "", 0
    for sign in line:
        octets = len(sign.encode())
        if size + octets > FOLD:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + sign, size + octets
    return "\r\n".join([*pieces, piece]) + "\r\n"


def _name(value: Mapping[str, Any]) -> Iterator[str]:
    listed = value.get("components") or ()
    if listed:
        slots = [_component(listed, kind) for kind in _NAME]
        slots[0] = ",".join(filter(None, [slots[0], _component(listed, "surname2")]))
        yield "N:" + ";".join(slots)


def _component(listed: Any, kind: str) -> str:
    return ",".join(_text(str(part["value"])) for part in listed if part.get("kind") == kind)


def _address(value: Mapping[str, Any]) -> Iterator[str]:
    listed = value.get("components") or ()
    slots = [_component(listed, kind) for kind in _PLACE]
    street = [_component(listed, "number"), slots[2]]
    slots[2] = " ".join(filter(None, [slots[2], street[0]]))
    code = value.get("countryCode")
    label = f';LABEL="{_parameter(str(value["full"]))}"' if value.get("full") else ""
    country = f";CC={code}" if isinstance(code, str) and _SAFE_PARAMETER.fullmatch(code) else ""
    yield f"ADR{_type(value)}{country}{label}:{';'.join(slots)}"


def _phone(value: Mapping[str, Any]) -> Iterator[str]:
    yield f"TEL{_type(value, _PHONE_TYPES)}:{_text(str(value['number']))}"


def _organization(value: Mapping[str, Any]) -> Iterator[str]:
    units = [str(unit.get("name", "")) for unit in value.get("units") or ()]
    yield "ORG:" + ";".join(_text(part) for part in [str(value.get("name", "")), *units])


def _title(value: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'ROLE' if value.get('kind') == 'role' else 'TITLE'}:{_text(str(value['name']))}"


def _anniversary(value: Mapping[str, Any]) -> Iterator[str]:
    written = _date(value.get("date") or {})
    names = {"birth": "BDAY", "wedding": "ANNIVERSARY", "death": "DEATHDATE"}
    if written and value.get("kind") in names:
        yield f"{names[value['kind']]}:{written}"


def _date(value: Mapping[str, Any]) -> str:
    """RFC 6350 section 4.3.1: 1815-12-10 is 18151210, without the year --1210, a year alone 1815, a month 1815-12."""
    if value.get("utc"):
        return re.sub(r"[-:]", "", str(value["utc"]))[:8]
    year, month, day = value.get("year"), value.get("month"), value.get("day")
    if year and month and day:
        return f"{year:04}{month:02}{day:02}"
    if month:
        return f"{year:04}-{month:02}" if year else f"--{month:02}{f'{day:02}' if day else ''}"
    return f"{year:04}" if year else ""


def _service(value: Mapping[str, Any]) -> Iterator[str]:
    service = f';SERVICE-TYPE="{_parameter(str(value["service"]))}"' if value.get("service") else ""
    if value.get("uri"):
        yield f"SOCIALPROFILE{service}:{_uri(str(value['uri']))}"
    elif value.get("user"):
        yield f"SOCIALPROFILE{service};VALUE=text:{_text(str(value['user']))}"


def _media(value: Mapping[str, Any]) -> Iterator[str]:
    names = {"photo": "PHOTO", "sound": "SOUND", "logo": "LOGO"}
    yield f"{names.get(str(value.get('kind')), 'PHOTO')}:{_uri(str(value['uri']))}"


def _personal(value: Mapping[str, Any]) -> Iterator[str]:
    names = {"expertise": "EXPERTISE", "hobby": "HOBBY", "interest": "INTEREST"}
    if value.get("kind") in names:
        yield f"{names[value['kind']]}:{_text(str(value['value']))}"


def _of_text(name: str, member: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def write(value: Mapping[str, Any]) -> Iterator[str]:
        yield f"{name}{_type(value)}:{_text(str(value.get(member, '')))}"

    return write


def _of_uri(name: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def write(value: Mapping[str, Any]) -> Iterator[str]:
        yield f"{name}:{_uri(str(value['uri']))}"

    return write


_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "name": _name,
    "nicknames": _of_text("NICKNAME", "name"),
    "emails": _of_text("EMAIL", "address"),
    "phones": _phone,
    "addresses": _address,
    "organizations": _organization,
    "titles": _title,
    "anniversaries": _anniversary,
    "onlineServices": _service,
    "links": _of_uri("URL"),
    "media": _media,
    "notes": _of_text("NOTE", "note"),
    "personalInfo": _personal,
    "preferredLanguages": _of_text("LANG", "language"),
}


def _type(value: Mapping[str, Any], more: Mapping[str, str] | None = None) -> str:
    words = [_TYPES[name] for name in value.get("contexts") or {} if name in _TYPES]
    words += [(more or {})[name] for name in value.get("features") or {} if name in (more or {})]
    pref = value.get("pref")
    typed = f';TYPE="{",".join(words)}"' if len(words) > 1 else f";TYPE={words[0]}" if words else ""
    return typed + (f";PREF={pref}" if isinstance(pref, int) else "")


def _text(text: str) -> str:
    """Escaped as RFC 6350 section 3.4 says; control characters have no place in a vCard."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    escaped = escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return "".join(sign for sign in escaped if sign.isprintable() or sign == "\t")


def _parameter(text: str) -> str:
    """Inside quotes, as RFC 6868 says: no quote and no line break as they are."""
    marked = text.replace("^", "^^").replace("\r\n", "\n").replace("\n", "^n").replace('"', "^'")
    return "".join(sign for sign in marked if sign.isprintable())


def _uri(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable() and sign != " ")
