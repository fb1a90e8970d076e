"""The pretend people, their profiles and their address books, in Rehearsal's own shape."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

WRITABLE = ("display_name", "given", "family", "nickname", "mail", "phones", "places", "links", "work", "about")
CHILD_YEARS = 8

# Which scope opens which field of a profile; a field that is not listed here needs `profile`.
FIELD_SCOPES: Mapping[str, str] = {"id": "openid", "mail": "email", "phones": "phone", "places": "address"}


def _contacts(of: str, count: int) -> list[dict[str, Any]]:
    firsts = ("Noor", "Emil", "Yuki", "Amara", "Piotr", "Inés", "Kofi", "Leena", "Tomás", "Salma")
    lasts = ("Berg", "Okafor", "Tanaka", "Novák", "Silva", "Haddad", "Larsen")
    return [
        {
            "id": f"{of}-c{n:03d}",
            "first": firsts[n % len(firsts)],
            "last": lasts[n % len(lasts)],
            "mail": [{"id": "m1", "address": f"{of}.friend{n}@example.net", "label": "home"}],
            "phones": [{"id": "p1", "number": f"+4670{n:07d}", "label": "mobile"}] if n % 3 == 0 else [],
            "company": "Fjord & Sons" if n % 4 == 0 else "",
        }
        for n in range(count)
    ]


def _strange_contacts(of: str) -> list[dict[str, Any]]:
    """A child, a contact without a name, and fields that nobody has told us about."""
    return [
        {"id": f"{of}-child", "first": "Pim", "last": "Berg", "mail": [], "phones": [], "born": "<child>"},
        {
            "id": f"{of}-odd",
            "mail": [{"id": "m1", "address": "odd@example.net"}],
            "x_mood": "blue",
            "favourite_number": 7,
        },
    ]


STARTING_PEOPLE: tuple[Mapping[str, Any], ...] = (
    {
        "id": "ada",
        "display_name": "Ada Lindqvist",
        "given": "Ada",
        "family": "Lindqvist",
        "nickname": "Addie",
        "born": "1988-12-10",
        "mail": [{"id": "m1", "address": "ada@example.org", "label": "home", "verified": True}],
        "phones": [{"id": "p1", "number": "+46701234567", "label": "mobile"}],
        "places": [
            {
                "id": "a1",
                "street": "Storgatan 1",
                "city": "Uppsala",
                "postcode": "753 31",
                "country": "SE",
                "label": "home",
            }
        ],
        "links": [{"id": "l1", "url": "https://ada.example.org/", "label": "blog"}],
        "work": [{"id": "w1", "company": "Analytical Engines", "title": "Engineer"}],
        "about": "Likes looms.",
        "locale": "sv-SE",
        "internal_rank": 4,
        "shoe_size": 38,
        "x_experimental": {"flag": True},
        "contacts": [*_contacts("ada", 23), *_strange_contacts("ada")],
    },
    {
        "id": "bo",
        "display_name": "Bo Jansen",
        "given": "Bo",
        "family": "Jansen",
        "born": "1979-03-02",
        "mail": [{"id": "m1", "address": "shared@example.org", "label": "home", "verified": True}],
        "locale": "nl-NL",
        "contacts": _contacts("bo", 3),
    },
    {
        "id": "cleo",
        "display_name": "Cleo Martin",
        "given": "Cleo",
        "family": "Martin",
        "born": "1995-07-21",
        "mail": [{"id": "m1", "address": "shared@example.org", "label": "home", "verified": True}],
        "locale": "fr-FR",
        "contacts": [],
    },
    {
        "id": "dina",
        "display_name": "Dina Small",
        "given": "Dina",
        "family": "Small",
        "born": "<child>",
        "mail": [{"id": "m1", "address": "dina@example.org", "label": "home", "verified": False}],
        "contacts": [],
    },
    {"id": "eli", "display_name": "Eli Quiet", "mail": [], "contacts": []},
)


def child_birthday(now: int) -> str:
    """A date of birth of someone who is still a child at `now` (ms)."""
    return f"{datetime.fromtimestamp(now / 1000, UTC).year - CHILD_YEARS}-01-01"


def new_person(values: Mapping[str, Any], now: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A profile in full, and its contacts, from what was given."""
    person = copy.deepcopy(dict(values))
    contacts = person.pop("contacts", [])
    for entry in (person, *contacts):
        if entry.get("born") == "<child>":
            entry["born"] = child_birthday(now)
    for name in ("mail", "phones", "places", "links", "work"):
        person.setdefault(name, [])
    for name in ("display_name", "given", "family", "nickname", "about", "locale", "born"):
        person.setdefault(name, "")
    return person, contacts


def typed_person(name: str) -> dict[str, Any]:
    """Someone who typed a name on the page, rather than picking one: the same name is the same person."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "someone"
    given, _, family = name.partition(" ")
    return {
        "id": f"typed-{slug}",
        "display_name": name,
        "given": given,
        "family": family,
        "born": "1990-01-01",
        "mail": [{"id": "m1", "address": f"{slug}@example.org", "label": "home", "verified": True}],
    }


def visible(person: Mapping[str, Any], scopes: Sequence[str]) -> dict[str, Any]:
    """The profile fields that these scopes open."""
    return {name: value for name, value in person.items() if FIELD_SCOPES.get(name, "profile") in scopes}


def claims(person: Mapping[str, Any], scopes: Sequence[str]) -> dict[str, Any]:
    """OpenID standard claims (OpenID Connect Core section 5.4) that these scopes open."""
    found: dict[str, Any] = {"sub": person["id"]}
    if "profile" in scopes:
        named = {
            "name": person["display_name"],
            "given_name": person["given"],
            "family_name": person["family"],
            "nickname": person["nickname"],
            "birthdate": person["born"],
            "locale": person["locale"],
        }
        found |= {name: value for name, value in named.items() if value}
    if "email" in scopes and person["mail"]:
        found |= {"email": person["mail"][0]["address"], "email_verified": bool(person["mail"][0].get("verified"))}
    if "phone" in scopes and person["phones"]:
        found["phone_number"] = person["phones"][0]["number"]
    return found


def wrong_change(change: Mapping[str, Any]) -> list[str]:
    """Names in a profile change that may not be written, or whose value has the wrong type."""
    wrong = [name for name in change if name not in WRITABLE]
    for name, value in change.items():
        is_list = name in ("mail", "phones", "places", "links", "work")
        if name in WRITABLE and not (isinstance(value, list) if is_list else isinstance(value, str)):
            wrong.append(name)
    return wrong
