"""What the person's own pages call things."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connector.connections import Connection, Revocation
from connector.model.states import ConnectionState, Ended
from connector.records import NOTE_POINTER, Import
from connector.records.vcard import full_name

_STATES: Mapping[ConnectionState, tuple[str, str]] = {
    ConnectionState.ACTIVE: ("good", "Connected"),
    ConnectionState.REFRESHING: ("good", "Connected"),
    ConnectionState.EXPIRED: ("wait", "Connected; renewing its access"),
    ConnectionState.NEEDS_REAUTH: ("wait", "Paused: sign in there again from the app"),
    ConnectionState.REVOKED_BY_PROVIDER: ("over", "Ended at the provider"),
    ConnectionState.REVOKED: ("over", "Disconnected"),
    ConnectionState.SHREDDED: ("over", "Disconnected; what came from it is destroyed"),
}
_ENDED_BY: Mapping[str, str] = {
    Ended.PERSON: "you",
    Ended.APP: "the app",
    Ended.OPERATOR: "the people who run this service",
    Ended.PROVIDER: "the provider",
    Ended.DELETION: "your request at the provider",
}
_TOLD: Mapping[str | None, str] = {
    None: "is being told; this takes minutes, at most a day",
    "confirmed": "has confirmed that the access is gone",
    "unsupported": "has no way to be told; remove the app in your account there as well",
    "shared": "was not told, because another account of yours here uses the same access",
    "gave_up": "did not confirm in time; remove the app in your account there as well",
}
_RECEIPTS = {
    "revocation": "Disconnected",
    "erasure": "Destroyed",
    "consent": "Choice",
    "export": "Downloaded",
    "release": "Given outside",
    "transfer": "Your yes to a transfer",
}
_HEADS: Mapping[str, str] = {
    "name": "Name",
    "nicknames": "Nickname",
    "emails": "E-mail address",
    "phones": "Phone number",
    "addresses": "Postal address",
    "organizations": "Organisation",
    "titles": "Title",
    "anniversaries": "Date",
    "onlineServices": "Online account",
    "links": "Link",
    "media": "Picture",
    "notes": "Note",
    "personalInfo": "About you",
    "preferredLanguages": "Language",
}
_DATES = {"birth": "Birthday", "wedding": "Wedding day", "death": "Day of death"}
_IMPORTS = {
    "queued": "an import is waiting",
    "claimed": "an import is running",
    "done": "last imported",
    "failed": "the last import failed",
    "void": "the last import was called off",
}


def mood_of(connection: Connection) -> str:
    """good, wait or over: how the state is marked."""
    return _STATES[connection.state][0]


def state_words(connection: Connection) -> str:
    """The state as a person would say it."""
    return _STATES[connection.state][1]


def ended_by(connection: Connection) -> str:
    """Who ended it."""
    return _ENDED_BY.get(connection.ended_by or "", "")


def told_words(revocation: Revocation) -> str:
    """What has become of telling the provider; follows its name."""
    return _TOLD[revocation.outcome]


def import_words(run: Import | None) -> str:
    """How the newest import stands."""
    return "nothing imported yet" if run is None else _IMPORTS.get(run.state.value, "the last import ended")


def receipt_words(kind: str) -> str:
    """What a receipt is about."""
    return _RECEIPTS.get(kind, kind)


def receipt_lines(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a receipt says besides its head, as (name, value): texts and numbers, not what has a part of its own."""
    head = {"id", "version", "status", "kind", "about", "issued_at", "issuer", "controller", "what", "record"}
    return [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in body.items()
        if name not in head and isinstance(value, str | int) and value != ""
    ]


def terms(words: Sequence[str]) -> str:
    """Words of a vocabulary as people read them: dpv:ConsentGiven, consent given."""
    return ", ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word.split(":", 1)[-1]).lower() for word in words)


def moment(at: int | None) -> str:
    """A time as people read it."""
    return "" if at is None else datetime.fromtimestamp(at // 1000, UTC).strftime("%-d %B %Y, %H:%M UTC")


def day(at: int | None) -> str:
    """A day as people read it."""
    return "" if at is None else datetime.fromtimestamp(at // 1000, UTC).strftime("%-d %B %Y")


def pretty(value: Any) -> str:
    """The body of a request, to be read."""
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def called(pointer: str, value: Any) -> str:
    """What kind of value it is."""
    head = pointer.strip("/").split("/", 1)[0]
    if pointer == NOTE_POINTER:
        return "Your private note"
    if head == "anniversaries" and isinstance(value, Mapping):
        return _DATES.get(str(value.get("kind")), "Date")
    return _HEADS.get(head, head)


def in_one_line(value: Any) -> str:
    """A value of a card, without its structure's own words."""
    if isinstance(value, Mapping):
        if value.get("full"):
            return str(value["full"])
        if {"year", "month"} & value.keys():
            return "-".join(f"{value[part]:02}" for part in ("year", "month", "day") if part in value)
        parts = [in_one_line(part) for name, part in value.items() if not _is_frame(name)]
        return " ".join(filter(None, parts))
    if isinstance(value, list):
        return " ".join(filter(None, map(in_one_line, value)))
    return "" if isinstance(value, bool) or value is None else str(value)


def _is_frame(name: str) -> bool:
    return name in {"@type", "kind", "contexts", "features", "pref", "isOrdered", "defaultSeparator", "mediaType"}


WORDS: Mapping[str, Any] = {
    "called": called,
    "day": day,
    "full_name": full_name,
    "ended_by": ended_by,
    "import_words": import_words,
    "in_one_line": in_one_line,
    "moment": moment,
    "mood_of": mood_of,
    "pretty": pretty,
    "receipt_lines": receipt_lines,
    "receipt_words": receipt_words,
    "terms": terms,
    "state_words": state_words,
    "told_words": told_words,
}
