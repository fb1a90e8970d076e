"""From OpenID Connect's standard claims (Core 1.0 section 5.1) to a JSContact card."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from providers.capabilities import Item
from providers.cards import Sorting, address_value, birthday_value, name_value

_TOKEN = (
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
)
PROTOCOL = frozenset({*_TOKEN, "s_hash", "sid", "typ", "sub_jwk", "_claim_names", "_claim_sources"})
_IGNORED = frozenset({*PROTOCOL, "email_verified", "phone_number_verified", "gender", "zoneinfo", "updated_at"})
_NAME = ("name", "given_name", "family_name", "middle_name")
_ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")


def about_person(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims that say something about the person, without those of the protocol."""
    return {name: value for name, value in claims.items() if name not in PROTOCOL}


def to_item(claims: Mapping[str, Any], categories: Collection[str] | None = None) -> Item:
    """The person's own card, every claim sorted; `categories` as in `ReadsProfile.profile`."""
    seen = Sorting(categories=categories)
    _take_name(seen, claims)
    seen.fields(claims, {**dict.fromkeys(_NAME, _nothing), **_takers(seen)}, _IGNORED)
    birthdate = claims.get("birthdate")
    return seen.item("", birthdate=birthdate if isinstance(birthdate, str) else "")


def _takers(seen: Sorting) -> dict[str, Callable[[Any], None]]:
    def entry(name: str, pointer: str, part: str, **more: Any) -> Callable[[Any], None]:
        def take(value: Any) -> None:
            if text := seen.text(name, value):
                seen.take(pointer, {**more, part: text}, name)

        return take

    return {
        "nickname": entry("nickname", "/nicknames/n1", "name"),
        "preferred_username": entry("preferred_username", "/onlineServices/oidc", "user"),
        "profile": entry("profile", "/links/profile", "uri"),
        "website": entry("website", "/links/website", "uri"),
        "picture": entry("picture", "/media/photo", "uri", kind="photo"),
        "locale": entry("locale", "/preferredLanguages/l1", "language"),
        "email": entry("email", "/emails/e1", "address"),
        "phone_number": entry("phone_number", "/phones/p1", "number"),
        "birthdate": lambda value: _take_birthdate(seen, value),
        "address": lambda value: _take_address(seen, value),
    }


def _nothing(_: Any) -> None:
    """The parts of a name are taken together."""


def _take_name(seen: Sorting, claims: Mapping[str, Any]) -> None:
    full, given, family, middle = (seen.text(name, claims.get(name)) for name in _NAME)
    value = name_value(full, given, family, given2=middle)
    if value is not None:
        seen.take("/name", value, "name")


def _take_birthdate(seen: Sorting, value: Any) -> None:
    text = seen.text("birthdate", value)
    if text.startswith("0000-"):  # a birthday without its year, Core 1.0 section 5.1
        text = f"-{text[4:]}"
    when = birthday_value(text)
    if when is not None:
        seen.take("/anniversaries/birth", when, "birthdate")
    elif text:
        seen.stranger("birthdate")


def _take_address(seen: Sorting, value: Any) -> None:
    if not isinstance(value, dict):
        seen.stranger("address")
        return
    full, street, locality, region, postcode, country = seen.texts("address", value, *_ADDRESS)
    for part in value:
        if part not in _ADDRESS:
            seen.stranger(f"address.{part}")
    made = address_value(full, name=street, locality=locality, region=region, postcode=postcode, country=country)
    if made is not None:
        seen.take("/addresses/a1", made, "address")
