"""Marked secrets, and the search for them: as they are, and in every form that a log or a file might give them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

SHORTEST = 8  # what is shorter is found by chance


@dataclass
class Canaries:
    """What must be nowhere, by name."""

    known: dict[str, str] = field(default_factory=dict)

    def mark(self, name: str, *values: str) -> None:
        """Remember values of a kind."""
        for value in values:
            if len(value) >= SHORTEST:
                self.known[value] = name

    def hits(self, where: str, data: bytes) -> list[str]:
        """What is found in some bytes, by kind, place and form; never the value itself."""
        return [
            f"{name} in {where} as {form}"
            for value, name in self.known.items()
            for form, written in _forms(value)
            if written in data
        ]


def _forms(value: str) -> Iterator[tuple[str, bytes]]:
    raw = value.encode()
    yield "itself", raw
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    for coded in {quote(value, safe=""), quote_plus(value)} - {value}:
        yield "url", coded.encode()
    yield "json", value.encode("unicode_escape")
    for start in range(3):
        yield from _inside(raw, start)


def _inside(raw: bytes, start: int) -> Iterable[tuple[str, bytes]]:
    """Base64 of the value at each of the three places where it may begin in something longer."""
    padded = b"\0" * start + raw
    first, last = -(-start * 8 // 6), len(padded) * 8 // 6
    for form, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
        core = encode(padded).rstrip(b"=")[first:last]
        if len(core) >= SHORTEST:
            yield form, core
