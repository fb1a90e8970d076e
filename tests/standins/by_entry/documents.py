"""Answers put together from an entry's paths: where an adapter reads, there something has to be written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers.entries.values import Also, Profile
from tests.standins.by_entry.refusing import Refused

_STEP = re.compile(r"\[([^\]=]+)=([^\]]+)\]|([^.\[\]]+)")

SAMPLES: Mapping[str, Any] = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "Countess",
    "preferred_username": "ada.l",
    "profile": "https://example.org/people/ada",
    "website": "https://ada.example",
    "picture": "https://example.org/ada.png",
    "email": "ada@example.org",
    "email_verified": True,
    "phone_number": "+44 20 7946 0000",
    "birthdate": "1815-12-10",
    "locale": "en-GB",
    "organization": "Analytical Engines",
    "job_title": "Programmer",
    "location": "London",
    "bio": "Writes notes that are longer than the paper.",
}
STRANGER = "x_brand_new_field"


def put(document: Any, path: str, value: Any) -> Any:
    """The document with `value` at the path; what is missing on the way is made."""
    steps = _STEP.findall(path)
    return _put(document, steps, value)


def _put(place: Any, steps: list[tuple[str, str, str]], value: Any) -> Any:
    if not steps:
        return value
    (key, wanted, name), rest = steps[0], steps[1:]
    if key:
        rows = list(place or [{key: "another's"}])
        mine = next((row for row in rows if row.get(key) == _plain(wanted)), None)
        if mine is None:
            mine = {key: _plain(wanted)}
            rows.append(mine)
        rows[rows.index(mine)] = _put(mine, rest, value)
        return rows
    if name.isdecimal() and (place is None or isinstance(place, list)):
        rows = list(place or [])
        rows += [None] * (int(name) + 1 - len(rows))
        rows[int(name)] = _put(rows[int(name)], rest, value)
        return rows
    if place is not None and not isinstance(place, dict):
        raise Refused(f"two paths of the entry contradict each other at {name!r}")
    fields = dict(place or {})
    fields[name] = _put(fields.get(name), rest, value)
    return fields


def _plain(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def person(profile: Profile, subject: str) -> Any:
    """The answer about the person, as the entry says that it looks, with one field that nobody knows."""
    document: Any = {} if not profile.root else put(None, profile.root, {})
    below = f"{profile.root}." if profile.root else ""
    for name in (*profile.ignored, STRANGER):
        document = put(document, below + name, "left" if name in profile.ignored else "new")
    for claim, where in profile.claims.items():
        if isinstance(where, str):
            document = put(document, below + where, SAMPLES[claim])
    return put(document, below + profile.subject, subject)


def told(profile: Profile, subject: str) -> dict[str, Any]:
    """What each claim is in those answers. Claims that share a path are one and the same there."""
    by_path = {where: SAMPLES[claim] for claim, where in profile.claims.items() if isinstance(where, str)}
    by_path[profile.subject] = subject
    found = {claim: by_path[where] if isinstance(where, str) else where for claim, where in profile.claims.items()}
    for also in profile.also:
        found |= {claim: SAMPLES[claim] if isinstance(where, str) else where for claim, where in also.claims.items()}
    return found


def more(also: Also) -> Any:
    """A further answer about the person."""
    document: Any = {}
    for claim, where in also.claims.items():
        if isinstance(where, str):
            document = put(document, (f"{also.root}." if also.root else "") + where, SAMPLES[claim])
    return document
