"""The person's own profile at Facebook: what the granted permissions open, each field sorted.

Source: developers.facebook.com, Graph API reference "User" (v25.0). Identifiers are app-scoped: they mean nothing
outside the app, and are never joined with another app's. An address that was never confirmed is absent: no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers.capabilities import Account, Grant, Page, Registration
from providers.cards import Sorting, birthday_value, name_value
from providers.errors import ProviderError
from providers.exchange import Exchange
from providers.facebook.graph import ISSUER, read_node
from providers.facebook.oauth import USER_ID, inspect

# Permission → the fields that it opens.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "public_profile": ("id", "name", "first_name", "middle_name", "last_name", "picture{url,is_silhouette}"),
    "email": ("email",),
    "user_birthday": ("birthday",),
    "user_age_range": ("age_range",),
    "user_link": ("link",),
    "user_location": ("location{id,name}",),
}
_ACCOUNT = ("id", "name", "first_name", "last_name", "email", "birthday", "age_range", "picture{url,is_silhouette}")
_IGNORED = ("id", "name_format", "short_name", "age_range", "hometown", "gender", "languages", "locale", "timezone")
_BIRTHDAY = re.compile(r"(?:([0-9]{2})/([0-9]{2})(?:/([0-9]{4}))?|([0-9]{4}))")


def account(registration: Registration, grant: Grant) -> Exchange[Account]:
    """Who the grant is for: the app-scoped id, the same by debug_token and by /me.

    Raises:
        ProviderError: mismatch, where the two differ.
    """
    expected = grant.id_claims.get(USER_ID)
    if expected is None:
        expected = (yield from inspect(registration, grant.access_token)).user_id
    wanted = [field for field in _opened(grant) if field in _ACCOUNT]
    me = yield from read_node(registration, grant.access_token, "me", [("fields", ",".join(wanted))])
    if me.get("id") != expected:
        raise ProviderError("mismatch", "other_account", "Facebook names two accounts for one token. Start again.")
    return Account(ISSUER, str(expected), _claims(me), birthdate(me), age_range(me))


def profile(registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
    """The profile as one item."""
    fields = ",".join(_opened(grant))
    me = yield from read_node(registration, grant.access_token, "me", [("fields", fields)])
    return Page((sorted_profile(me, categories),))


def sorted_profile(me: Mapping[str, Any], categories: frozenset[str]) -> Any:
    """One answer of /me as an item."""
    seen = Sorting(categories=categories)
    taken = {
        "name": lambda _: _take_name(seen, me),
        "first_name": lambda _: None,  # read with `name`
        "middle_name": lambda _: None,
        "last_name": lambda _: None,
        "picture": lambda value: _take_picture(seen, value),
        "email": lambda value: _take_text(seen, "/emails/e1", "address", "email", value),
        "birthday": lambda value: _take_birthday(seen, value),
        "link": lambda value: _take_link(seen, value),
        "location": lambda value: _take_location(seen, value),
    }
    seen.fields(me, taken, _IGNORED)
    return seen.item("", birthdate=birthdate(me), age_range=age_range(me))


def birthdate(me: Mapping[str, Any]) -> str:
    """The birthday as an ISO date, as a year, or as --MM-DD: Facebook gives MM/DD/YYYY, YYYY or MM/DD."""
    found = _BIRTHDAY.fullmatch(me["birthday"]) if isinstance(me.get("birthday"), str) else None
    if found is None:
        return ""
    month, day, year, only_year = found.groups()
    return only_year or f"{year or '-'}-{month}-{day}"


def age_range(me: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    """(at least, at most) in years."""
    given = me.get("age_range")
    if not isinstance(given, dict):
        return None
    low, high = (given.get(name) if isinstance(given.get(name), int) else None for name in ("min", "max"))
    return None if low is None and high is None else (low, high)


def _opened(grant: Grant) -> list[str]:
    scopes = grant.scopes if grant.scopes is not None else ("public_profile", "email")
    listed = [field for scope, fields in _FIELDS.items() if scope in scopes for field in fields]
    return list(dict.fromkeys(["id", *listed]))


def _claims(me: Mapping[str, Any]) -> dict[str, Any]:
    """OpenID standard claims. `email_verified` is left out: Facebook does not state it."""
    named = {"name": "name", "given_name": "first_name", "family_name": "last_name", "email": "email"}
    found = {claim: me[field] for claim, field in named.items() if isinstance(me.get(field), str) and me[field]}
    picture = _picture_url(me.get("picture"))
    return found | ({"picture": picture} if picture else {})


def _take_name(seen: Sorting, me: Mapping[str, Any]) -> None:
    full, given, middle, family = (
        seen.text(name, me.get(name)) for name in ("name", "first_name", "middle_name", "last_name")
    )
    value = name_value(full, given, family, given2=middle)
    if value:
        seen.take("/name", value, "name")


def _take_picture(seen: Sorting, value: Any) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
        seen.stranger("picture")
        return
    url = _picture_url(value)
    if url:
        seen.take("/media/photo", {"kind": "photo", "uri": url}, "picture")
    else:
        seen.ignore("picture")  # the silhouette that everybody starts with


def _picture_url(value: Any) -> str:
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict) or data.get("is_silhouette") is True:
        return ""
    url = data.get("url")
    return url if isinstance(url, str) and url.startswith("https://") else ""


def _take_text(seen: Sorting, pointer: str, part: str, name: str, value: Any) -> None:
    text = seen.text(name, value)
    if text:
        seen.take(pointer, {part: text}, name)


def _take_birthday(seen: Sorting, value: Any) -> None:
    when = birthday_value(birthdate({"birthday": value}))
    if when:
        seen.take("/anniversaries/birth", when, "birthday")
    else:
        seen.stranger("birthday")


def _take_link(seen: Sorting, value: Any) -> None:
    url = seen.text("link", value)
    if url:
        seen.take("/onlineServices/facebook", {"service": "Facebook", "uri": url}, "link")


def _take_location(seen: Sorting, value: Any) -> None:
    if not isinstance(value, dict):
        seen.stranger("location")
        return
    for part in value:
        if part == "id":
            seen.ignore("location.id")
        elif part != "name":
            seen.stranger(f"location.{part}")
    full = seen.text("location.name", value.get("name"))
    if full:
        seen.take("/addresses/location", {"full": full}, "location")
