"""The People API: contacts page by page, and what of the person's own profile needs more than userinfo.

Source: developers.google.com/people/api/rest/v1 (people, people.connections.list). A sync token dies seven days after
the full read that gave it; then everything is read again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from providers import cards
from providers.capabilities import Grant, Item, Page, Registration
from providers.cards import Sorting
from providers.errors import Kind, ProviderError
from providers.exchange import LARGE, Exchange, Response, get
from providers.oauth2 import read, resource_failure, retry_after_s

CONTACT_SCOPES = frozenset(
    {"https://www.googleapis.com/auth/contacts.readonly", "https://www.googleapis.com/auth/contacts"}
)
CONTACT_FIELDS = (
    "names,nicknames,emailAddresses,phoneNumbers,addresses,organizations,urls,birthdays,metadata"  # no notes, no photos
)
PAGE_SIZE = 500  # of at most 1000: a full page stays well below the size we take

# Scope → the fields of people/me that it opens beyond userinfo.
_PROFILE_FIELDS: Mapping[str, str] = {
    "https://www.googleapis.com/auth/user.birthday.read": "birthdays",
    "https://www.googleapis.com/auth/profile.agerange.read": "ageRanges",
    "https://www.googleapis.com/auth/user.emails.read": "emailAddresses",
    "https://www.googleapis.com/auth/user.phonenumbers.read": "phoneNumbers",
    "https://www.googleapis.com/auth/user.addresses.read": "addresses",
    "https://www.googleapis.com/auth/user.organization.read": "organizations",
}
_AGES: Mapping[str, tuple[int | None, int | None]] = {
    "LESS_THAN_EIGHTEEN": (None, 17),
    "EIGHTEEN_TO_TWENTY": (18, 20),
    "TWENTY_ONE_OR_OLDER": (21, None),
}
_REASONS: Mapping[str, tuple[Kind, str, str]] = {
    "EXPIRED_SYNC_TOKEN": ("garbage", "sync_expired", "Google cannot say what changed since. Read all contacts again."),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (
        "insufficient_scope",
        "insufficient_scope",
        "The grant does not reach this far.",
    ),
    "SERVICE_DISABLED": ("misconfigured", "people_api_disabled", "Switch the People API on for the project at Google."),
    "RATE_LIMIT_EXCEEDED": ("try_later", "rate_limited", "Google's limit of calls is reached."),
}
_ROW_IGNORED = ("metadata", "formattedType")


def people_url(registration: Registration, path: str) -> str:
    """An address of the People API."""
    stand_in = registration.settings.get("base_url", "") if registration.development else ""
    return f"{stand_in.rstrip('/') or 'https://people.googleapis.com'}/v1/{path}"


def contacts(registration: Registration, grant: Grant, cursor: str | None, sync_cursor: str | None) -> Exchange[Page]:
    """One page of the address book. Every page of a run repeats the first one's parameters, the sync token included.

    Raises:
        ProviderError: garbage/sync_expired, where the delta has ended.
    """
    page_token, sync_token = _position(cursor, sync_cursor)
    params = [("personFields", CONTACT_FIELDS), ("pageSize", str(PAGE_SIZE)), ("requestSyncToken", "true")]
    params += [(name, value) for name, value in (("pageToken", page_token), ("syncToken", sync_token)) if value]
    url = people_url(registration, "people/me/connections")
    response = yield from read(get(url, params, bearer=grant.access_token, max_bytes=LARGE))
    if not response.ok:
        raise failure(response)
    return _page(response.json(), sync_token)


def extra_fields(grant: Grant, categories: frozenset[str] | None = None) -> str:
    """The fields of people/me that the granted scopes open, as a field mask; "" where there are none."""
    contact = ("emailAddresses", "phoneNumbers", "addresses")
    opened = [field for scope, field in _PROFILE_FIELDS.items() if scope in (grant.scopes or ())]
    if categories is not None:
        opened = [field for field in opened if ("contact" if field in contact else "profile") in categories]
    return ",".join(opened)


def me(registration: Registration, grant: Grant, fields: str) -> Exchange[dict[str, Any]]:
    """`people/me`. Raises ProviderError, sorted."""
    url = people_url(registration, "people/me")
    response = yield from read(get(url, [("personFields", fields)], bearer=grant.access_token))
    if not response.ok:
        raise failure(response)
    return response.json()


def failure(response: Response) -> ProviderError:
    """How an error of a Google API is sorted: by the reason of its ErrorInfo where it has one, else by status."""
    for reason in _reasons(response):
        if reason in _REASONS:
            kind, code, hint = _REASONS[reason]
            wait = retry_after_s(response) if kind == "try_later" else None
            return ProviderError(kind, code, hint, retry_after_s=wait)
    return resource_failure(response)


def sort_person(seen: Sorting, person: Mapping[str, Any]) -> None:
    """Sort a person resource."""
    texts: dict[str, Callable[[Any], None]] = {
        "names": lambda value: _take_names(seen, value),
        "nicknames": _rows(seen, "nicknames", "/nicknames", {"value": "name"}, ("type",)),
        "emailAddresses": _rows(seen, "emailAddresses", "/emails", {"value": "address"}, ("displayName",)),
        "phoneNumbers": _rows(seen, "phoneNumbers", "/phones", {"value": "number"}, ("canonicalForm",)),
        "urls": _rows(seen, "urls", "/links", {"value": "uri"}, ()),
        "addresses": lambda value: _take_addresses(seen, value),
        "organizations": lambda value: _take_organizations(seen, value),
        "birthdays": lambda value: _take_birthday(seen, value),
        "photos": lambda value: _take_photo(seen, value),
    }
    seen.fields(person, texts, ("resourceName", "etag", "metadata", "ageRanges"))


def birthdate(person: Mapping[str, Any]) -> str:
    """The birthday as ISO date, a year, or --MM-DD; "" where unknown."""
    rows = person.get("birthdays")
    for row in rows if isinstance(rows, list) else []:
        date = row.get("date") if isinstance(row, dict) else None
        if isinstance(date, dict):
            text = _iso_date(date)
            if text:
                return text
    return ""


def age_range(person: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    """(at least, at most) in years, from `ageRanges`."""
    rows = person.get("ageRanges")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("ageRange") in _AGES:
            return _AGES[row["ageRange"]]
    return None


def _position(cursor: str | None, sync_cursor: str | None) -> tuple[str, str]:
    """Page token and sync token. A cursor of ours holds both, since all pages of a run must be asked alike."""
    if cursor is None:
        return "", sync_cursor or ""
    try:
        page_token, sync_token = json.loads(cursor)
    except (ValueError, TypeError):
        page_token, sync_token = None, None
    if not isinstance(page_token, str) or not isinstance(sync_token, str):
        raise ProviderError("garbage", "sync_expired", "The place in the list is lost. Read all contacts again.")
    return page_token, sync_token


def _page(answer: Mapping[str, Any], sync_token: str) -> Page:
    rows = answer.get("connections", [])
    if not isinstance(rows, list):
        raise ProviderError("garbage", "not_a_list", "Google's list of contacts cannot be read.")
    items = tuple(item for item in (_item(row) for row in rows if isinstance(row, dict)) if item)
    page_token, following = answer.get("nextPageToken"), answer.get("nextSyncToken")
    more = isinstance(page_token, str) and bool(page_token)
    return Page(
        items,
        next_cursor=json.dumps([page_token, sync_token]) if more else None,
        sync_cursor=following if isinstance(following, str) and not more else None,
        full=not sync_token,
    )


def _item(person: Mapping[str, Any]) -> Item | None:
    name, metadata = person.get("resourceName"), person.get("metadata")
    if not isinstance(name, str) or not name:
        return None  # nothing to know it by again
    if isinstance(metadata, dict) and metadata.get("deleted") is True:
        return Item(name, deleted=True)
    seen = Sorting(people=True)
    sort_person(seen, person)
    return seen.item(name, birthdate=birthdate(person))


def _take_names(seen: Sorting, value: Any) -> None:
    parts = ("displayName", "givenName", "middleName", "familyName", "honorificPrefix", "honorificSuffix")
    ignored = (
        *_ROW_IGNORED,
        "displayNameLastFirst",
        "unstructuredName",
        "phoneticFullName",
        "phoneticFamilyName",
        "phoneticGivenName",
        "phoneticMiddleName",
        "phoneticHonorificPrefix",
        "phoneticHonorificSuffix",
    )
    for _, row in seen.rows("names", value, parts, ignored):
        full, given, middle, family, prefix, suffix = seen.texts("names", row, *parts)
        name = cards.name_value(full, given, family, given2=middle, title=prefix, credential=suffix)
        if name:
            seen.take("/name", name, "names")
            return


def _rows(
    seen: Sorting, name: str, pointer: str, parts: Mapping[str, str], ignored: tuple[str, ...]
) -> Callable[[Any], None]:
    def take(value: Any) -> None:
        taken = () if "type" in ignored else ("type",)
        for number, row in seen.rows(name, value, (*parts, *taken), (*_ROW_IGNORED, *ignored)):
            texts = {ours: seen.text(f"{name}.{theirs}", row.get(theirs)) for theirs, ours in parts.items()}
            if all(texts.values()):
                label = cards.contexts(seen.text(f"{name}.type", row.get("type"))) if taken else {}
                seen.take(f"{pointer}/{name[0]}{number}", texts | label, name)

    return take


def _take_addresses(seen: Sorting, value: Any) -> None:
    parts = ("formattedValue", "streetAddress", "city", "region", "postalCode", "country", "countryCode", "type")
    ignored = (*_ROW_IGNORED, "poBox", "extendedAddress")
    for number, row in seen.rows("addresses", value, parts, ignored):
        full, street, city, region, postcode, country, code, kind = seen.texts("addresses", row, *parts)
        components = {"name": street, "locality": city, "region": region, "postcode": postcode, "country": country}
        address = cards.address_value(full, code, **components)
        if address:
            seen.take(f"/addresses/a{number}", address | cards.contexts(kind), "addresses")


def _take_organizations(seen: Sorting, value: Any) -> None:
    ignored = (
        *_ROW_IGNORED,
        "type",
        "startDate",
        "endDate",
        "current",
        "phoneticName",
        "department",
        "jobDescription",
        "symbol",
        "domain",
        "location",
        "costCenter",
        "fullTimeEquivalentMillipercent",
    )
    for number, row in seen.rows("organizations", value, ("name", "title"), ignored):
        company, title = seen.texts("organizations", row, "name", "title")
        if company:
            seen.take(f"/organizations/o{number}", {"name": company}, "organizations")
        if title:
            seen.take(f"/titles/o{number}", {"name": title}, "organizations")


def _take_birthday(seen: Sorting, value: Any) -> None:
    when = cards.birthday_value(birthdate({"birthdays": value}))
    if when:
        seen.take("/anniversaries/birth", when, "birthdays")
    else:
        seen.ignore("birthdays")  # words without a date, as an address book may have them


def _take_photo(seen: Sorting, value: Any) -> None:
    for _, row in seen.rows("photos", value, ("url", "default"), _ROW_IGNORED):
        url = seen.text("photos.url", row.get("url"))
        if url and row.get("default") is not True:
            seen.take("/media/photo", {"kind": "photo", "uri": url}, "photos")
            return


def _iso_date(date: Mapping[str, Any]) -> str:
    year, month, day = (part if isinstance(part, int) else 0 for part in map(date.get, ("year", "month", "day")))
    if month and day:
        return f"{year:04d}-{month:02d}-{day:02d}" if year else f"--{month:02d}-{day:02d}"
    return f"{year:04d}" if year else ""


def _reasons(response: Response) -> list[str]:
    try:
        details = json.loads(response.body)["error"].get("details", [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    rows = details if isinstance(details, list) else []
    return [row["reason"] for row in rows if isinstance(row, dict) and isinstance(row.get("reason"), str)]
