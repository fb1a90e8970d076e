"""What is to be adopted, read strictly: every field known, every token of a token's letters, every time a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.model.errors import BadInput
from providers.secret import Secret

FIELDS = (
    "integration",
    "user",
    "subject",
    "access_token",
    "refresh_token",
    "token_type",
    "expires_at",
    "refresh_expires_at",
    "obtained_at",
    "scopes",
    "age_stated",
    "unsafe_skip_verification",
)
MAX_TOKEN = 16 * 1024
MAX_TEXT = 255
MAX_SCOPES = 64
LATEST_S = 253_402_300_799  # the last second of the year 9999
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6749 appendix A.12 and A.17, without space
_WORD = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One connection to adopt. Times in ms since the epoch.

    Attributes:
        integration: its id or name.
        user: the `sub` of an existing user to link to; None: whom the account stands for, or a new one.
        subject: the account at the provider; "" leaves it to the provider to say.
        obtained_at: when these tokens were obtained; tells newer tokens from older ones.
        age_stated: whether the person stated to the app that they are 13 or older.
        verify: whether the provider is asked whose the token is.
    """

    integration: str
    access_token: Secret
    scopes: tuple[str, ...]
    refresh_token: Secret | None = None
    user: str | None = None
    subject: str = field(default="", repr=False)
    token_type: str = "Bearer"  # noqa: S105  the name of a scheme, RFC 6750
    expires_at: int | None = None
    refresh_expires_at: int | None = None
    obtained_at: int | None = None
    age_stated: bool = False
    verify: bool = True


def wanted_from(given: Mapping[str, Any]) -> Wanted:
    """The same from a JSON object or a row of text.

    Raises:
        BadInput: a field is unknown, missing or no such thing. The message names the field and never its value.
    """
    strangers = sorted(set(given) - set(FIELDS))
    if strangers:
        named = "".join(letter for letter in strangers[0][:40] if letter.isascii() and letter.isprintable())
        raise _bad(named, f"is not known; known are: {', '.join(FIELDS)}.", code="unknown_field")
    access = _token(given, "access_token")
    if access is None:
        raise _bad("access_token", "is missing.")
    wanted = Wanted(
        integration=_text(given, "integration"),
        access_token=access,
        scopes=_scopes(given),
        refresh_token=_token(given, "refresh_token"),
        user=_text(given, "user", optional=True) or None,
        subject=_text(given, "subject", optional=True),
        token_type=_text(given, "token_type", optional=True) or "Bearer",
        expires_at=_moment(given, "expires_at"),
        refresh_expires_at=_moment(given, "refresh_expires_at"),
        obtained_at=_moment(given, "obtained_at"),
        age_stated=_flag(given, "age_stated"),
        verify=not _flag(given, "unsafe_skip_verification"),
    )
    if wanted.token_type.lower() != "bearer":
        raise _bad("token_type", "must be Bearer: a token that is bound to a key cannot be moved without the key.")
    if not wanted.verify and not wanted.subject:
        raise _bad("subject", "is needed where nobody asks the provider whose the token is.")
    return wanted


def _bad(name: str, what: str, *, code: str = "bad_field") -> BadInput:
    return BadInput(code, f"{name} {what}")


def _text(given: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = given.get(name)
    if value is None or value == "":
        if optional:
            return ""
        raise _bad(name, "is missing.")
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise _bad(name, f"must be text of at most {MAX_TEXT} printable characters, in quotes.")
    return value


def _token(given: Mapping[str, Any], name: str) -> Secret | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TOKEN or not _TOKEN.fullmatch(value):
        raise _bad(name, f"must be a token as the provider gave it: at most {MAX_TOKEN} visible ASCII characters.")
    return Secret(value)


def _scopes(given: Mapping[str, Any]) -> tuple[str, ...]:
    value = given.get("scopes")
    if value is None:
        raise _bad("scopes", "is missing: what the provider granted, as a list or with spaces between; empty if none.")
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or len(words) > MAX_SCOPES:
        raise _bad("scopes", f"must be a list of at most {MAX_SCOPES} scopes, or text with spaces between them.")
    if not all(isinstance(word, str) and len(word) <= MAX_TEXT and _WORD.fullmatch(word) for word in words):
        raise _bad("scopes", "holds something that is no scope.")
    return tuple(dict.fromkeys(words))


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    known = {None: False, "": False, "true": True, "false": False}
    if isinstance(value, bool):
        return value
    if not (value is None or isinstance(value, str)) or value not in known:
        raise _bad(name, "must be true or false.")
    return known[value]


def _moment(given: Mapping[str, Any], name: str) -> int | None:
    """RFC 3339 with its offset, or whole seconds since the epoch, as `expires_at` is commonly kept."""
    value = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(LATEST_S)):
        value = int(value)
    if type(value) is int:
        if not 0 < value <= LATEST_S:
            raise _bad(name, "is no time in seconds since the epoch; milliseconds must be divided by 1000.")
        return value * 1000
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None and at.timestamp() > 0:
            return int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass  # said below, as for every other shape
    raise _bad(name, "must be a time with its offset, as 2026-11-02T10:00:00Z, or seconds since the epoch.")
