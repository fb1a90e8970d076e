"""From a provider's own profile to OpenID's standard claims, by the paths of its entry, and from there to a card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from providers.capabilities import FieldValue, Item
from providers.cards import MAX_TEXT
from providers.entries.plain import first_name
from providers.entries.values import Profile
from providers.errors import ProviderError
from providers.generic.paths import at
from providers.oidc.claims import to_item

MAX_SUBJECT = 255  # characters, as OpenID Connect Core 1.0 section 2 has it
MAX_NUMBER = 1 << 63

# What OpenID Connect has no claim for, and where it belongs on a card (RFC 9553).
_BEYOND: Mapping[str, tuple[str, str]] = {
    "organization": ("/organizations/o1", "name"),
    "job_title": ("/titles/t1", "name"),
    "location": ("/addresses/location", "full"),
    "bio": ("/notes/bio", "note"),
}


def subject_of(profile: Profile, answer: Any) -> str:
    """The account's identifier: text as it is, a whole number in its exact digits.

    Raises:
        ProviderError: garbage, where there is none.
    """
    value = at(at(answer, profile.root), profile.subject)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < MAX_NUMBER:
        return str(value)
    if isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT and value.isprintable():
        return value
    raise ProviderError("garbage", "no_account_id", "The provider does not say whose account it is.")


def claims_of(paths: Mapping[Any, str | bool], answer: Any) -> dict[str, Any]:
    """The claims that can be read at these paths; what is empty is absent. A number for a text is its digits."""
    found: dict[str, Any] = {}
    for claim, where in paths.items():
        value = at(answer, where) if isinstance(where, str) else where
        if claim == "email_verified":
            found[claim] = value is True or value == "true"
        elif isinstance(value, int) and not isinstance(value, bool):
            found[claim] = str(value)
        elif value is not None and value != "":
            found[claim] = value
    if "email" not in found:
        found.pop("email_verified", None)
    return found


def card_of(profile: Profile, answer: Any, claims: Mapping[str, Any], categories: Collection[str]) -> Item:
    """The person's card from claims that were read, every first-level field of the answer sorted."""
    paths = {claim: path for claim, path in profile.claims.items() if isinstance(path, str)}
    for also in profile.also:
        paths |= {claim: path for claim, path in also.claims.items() if isinstance(path, str)}
    standard = {name: value for name, value in claims.items() if name not in _BEYOND}
    item = to_item(standard, categories)
    values = [replace(value, origin=paths.get(value.origin, value.origin)) for value in item.values]
    values += _beyond(claims, paths, categories)
    taken = {value.origin for value in values}
    named = {first_name(path) for path in (profile.subject, *paths.values())}
    fields = answer if isinstance(answer, dict) else {}
    strangers = [name for name in fields if name not in named and name not in profile.ignored]
    ignored = [name for name in fields if name in profile.ignored or (name in named and not _part_of(name, taken))]
    wrong = [paths.get(name, name) for name in item.strangers]
    return replace(
        item,
        values=tuple(values),
        ignored=tuple(dict.fromkeys(ignored)),
        strangers=tuple(dict.fromkeys((*wrong, *strangers))),
    )


def _part_of(name: str, origins: Collection[str]) -> bool:
    return any(first_name(origin) == name for origin in origins)


def _beyond(claims: Mapping[str, Any], paths: Mapping[str, str], categories: Collection[str]) -> list[FieldValue]:
    values = []
    for claim, (pointer, part) in _BEYOND.items():
        text = claims.get(claim)
        category = "contact" if pointer.startswith("/addresses") else "profile"
        if isinstance(text, str) and len(text) <= MAX_TEXT and category in categories:
            values.append(FieldValue(pointer, {part: text}, category, paths.get(claim, claim)))  # type: ignore[arg-type]
    return values
