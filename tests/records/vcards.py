"""A small strict reader of vCard 4.0 (RFC 6350), for what our own writer must get right."""

from __future__ import annotations

import re

_LINE = re.compile(r'([A-Z-]+)((?:;[A-Z-]+=(?:"[^"\r\n]*"|[^";:,\r\n]*))*):(.*)', re.DOTALL)
_ESCAPES = {"n": "\n", "N": "\n", ",": ",", ";": ";", "\\": "\\"}


def parsed(text: str) -> list[dict[str, list[str]]]:
    """Each card: property name → its values, unescaped. Raises ValueError for anything that is not vCard 4.0."""
    cards: list[dict[str, list[str]]] = []
    current: dict[str, list[str]] | None = None
    for name, value in map(_property, _unfolded(_lines(text))):
        if name == "BEGIN":
            if current is not None or value != "VCARD":
                raise ValueError("a card within a card")
            current = {}
        elif current is None:
            raise ValueError("a property outside a card")
        elif name == "END":
            _check(current)
            cards.append(current)
            current = None
        else:
            current.setdefault(name, []).append(unescaped(value))
    if current is not None:
        raise ValueError("a card without end")
    return cards


def _lines(text: str) -> list[str]:
    if text and not text.endswith("\r\n"):
        raise ValueError("the last line has no end")
    raw = text.removesuffix("\r\n").split("\r\n") if text else []
    if any(len(line.encode()) > 75 for line in raw):
        raise ValueError("a line is longer than 75 octets")
    if any("\n" in line or "\r" in line for line in raw):
        raise ValueError("a bare line break")
    return raw


def _property(line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("not a content line")
    return found[1], found[3]


def unescaped(value: str) -> str:
    """The text of a value. Raises ValueError for an escape that does not exist."""

    def one(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ValueError("unknown escape")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", one, value, flags=re.DOTALL)


def _unfolded(raw: list[str]) -> list[str]:
    lines: list[str] = []
    for line in raw:
        if line.startswith((" ", "\t")):
            lines[-1] += line[1:]
        else:
            lines.append(line)
    return lines


def _check(card: dict[str, list[str]]) -> None:
    if card.get("VERSION") != ["4.0"] or len(card.get("FN", [])) < 1:
        raise ValueError("a card needs VERSION 4.0 and FN")
