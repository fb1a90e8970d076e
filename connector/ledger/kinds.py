"""The closed list of what can be entered, and which facts each kind may carry.

A fact has a shape (an id, a word, a number, a digest), never free text, so a name or an address has no way in: the
entry is refused when it is made, in the code that made it. What is not on the list is added here first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

Fact: TypeAlias = str | int | bool | list[str] | None
Shape: TypeAlias = Callable[[object], bool]

LARGEST_INTEGER = 2**53 - 1  # beyond it RFC 8785 has no exact form
LONGEST_LIST = 64

_WORD = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,31}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_POINTER = re.compile(r"(/[A-Za-z0-9*~_-]{1,32}){1,6}")


class Kind(StrEnum):
    """What an entry tells of."""

    AUTHORIZATION_STARTED = "authorization_started"
    AUTHORIZATION_FAILED = "authorization_failed"
    USER_CREATED = "user_created"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    CONNECTION_CREATED = "connection_created"
    CONNECTION_REAUTHORIZED = "connection_reauthorized"
    CONNECTION_ADOPTED = "connection_adopted"
    ADOPTION_CONFIRMED = "adoption_confirmed"
    CONNECTION_MOVED = "connection_moved"
    TOKEN_HANDOUT = "token_handout"  # noqa: S105  a word, no secret
    REFRESH_INTENT = "refresh_intent"
    REFRESH = "refresh"
    PROVIDER_REQUEST = "provider_request"
    IMPORT_STARTED = "import_started"
    IMPORT = "import"
    RELEASE = "release"
    POLICY_REFUSED = "policy_refused"
    RECORDS_CHANGED = "records_changed"
    PUSH_INTENT = "push_intent"
    PUSH_OUTCOME = "push_outcome"
    CONSENT = "consent"
    SIGNAL = "signal"
    REVOKED = "revoked"
    REVOCATION_INTENT = "revocation_intent"
    REVOCATION_OUTCOME = "revocation_outcome"
    KEY_DESTROYED = "key_destroyed"
    EXPORTED = "exported"
    USER_DELETED = "user_deleted"
    RECEIPT = "receipt"
    PORTAL_OPENED = "portal_opened"
    POLICY_IN_EFFECT = "policy_in_effect"
    POLICY_ANNOUNCED = "policy_announced"
    SETTING_CHANGED = "setting_changed"
    CHECKPOINT_KEY = "checkpoint_key"
    NOTICE_POSTED = "notice_posted"
    STANCE = "stance"
    AGE_LEARNED = "age_learned"
    FORWARDED = "forwarded"


def _matching(pattern: re.Pattern[str]) -> Shape:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _id(prefix: str) -> Shape:
    return _matching(re.compile(rf"{prefix}_[a-z2-7]{{26}}"))


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -LARGEST_INTEGER <= value <= LARGEST_INTEGER


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _list_of(shape: Shape) -> Shape:
    return lambda value: isinstance(value, list) and len(value) <= LONGEST_LIST and all(shape(item) for item in value)


word = _matching(_WORD)
version = _matching(_VERSION)
digest = _matching(_DIGEST)

_PLACES: Mapping[str, Shape] = {  # any entry may say where it belongs
    "authorization": _id("azn"),
    "client": _id("cli"),
    "connection": _id("con"),
    "integration": _id("int"),
    "provider": word,
    "request": _id("req"),
}
_GROUND: Mapping[str, Shape] = {  # and on which ground it was done
    "clause": version,
    "policy_version": version,
    "consent": _id("cns"),
    "purpose": word,
    "by": word,
}
_RECEIPT: Mapping[str, Shape] = {
    "receipt": _id("rcp"),
    "receipt_version": _number,
    "commitment": digest,
    "status": word,
}
_OUTCOME: Mapping[str, Shape] = {"outcome": word, "reason": word, "attempt": _number}
_VALUES: Mapping[str, Shape] = {
    "use": word,
    "recipient": word,
    "categories": _list_of(word),
    "sources": _list_of(word),
    "count": _number,
    "commitment": digest,
}
_REFRESH: Mapping[str, Shape] = {"generation": _number, "fence": _number, "phase": word}
_WORK: Mapping[str, Shape] = {
    "delivery": _id("dlv"),
    "import": _id("imp"),
    "revocation": _id("rvk"),
    "field_group": word,
}


def _facts(*groups: Mapping[str, Shape], **more: Shape) -> dict[str, Shape]:
    merged: dict[str, Shape] = {}
    for group in (_PLACES, _GROUND, *groups):
        merged.update(group)
    return merged | more


_pointers = _list_of(_matching(_POINTER))

KINDS: Mapping[Kind, Mapping[str, Shape]] = {
    Kind.AUTHORIZATION_STARTED: _facts(flow=word, imports=_list_of(word), offers=_list_of(word)),
    Kind.AUTHORIZATION_FAILED: _facts(_OUTCOME, flow=word, step=word, grant_may_remain=_flag),
    Kind.USER_CREATED: _facts(age=word),
    Kind.IDENTITY_LINKED: _facts(identity=_id("idn")),
    Kind.IDENTITY_UNLINKED: _facts(_OUTCOME, identity=_id("idn")),
    Kind.CONNECTION_CREATED: _facts(identity=_id("idn"), generation=_number, imports=_list_of(word)),
    Kind.CONNECTION_REAUTHORIZED: _facts(identity=_id("idn"), generation=_number, widened=_flag, flow=word),
    Kind.CONNECTION_ADOPTED: _facts(identity=_id("idn"), generation=_number, verified=_flag, renewed=_flag),
    Kind.ADOPTION_CONFIRMED: _facts(method=word),
    Kind.CONNECTION_MOVED: _facts(_REFRESH, reason=word, old=word, new=word),
    Kind.TOKEN_HANDOUT: _facts(generation=_number, expires_at=_number, refreshed=_flag, stale=_flag, proof=_flag),
    Kind.REFRESH_INTENT: _facts(_REFRESH, attempt=_number),
    Kind.REFRESH: _facts(_REFRESH, _OUTCOME),
    Kind.PROVIDER_REQUEST: _facts(_REFRESH, _OUTCOME, _WORK, action=word, http_status=_number),
    Kind.IMPORT_STARTED: _facts(_WORK, number=_number, kinds=_list_of(word), asked_by=word, attempt=_number),
    Kind.IMPORT: _facts(
        _OUTCOME,
        _WORK,
        number=_number,
        taken=_number,
        unchanged=_number,
        removed=_number,
        ignored=_number,
        strangers=_number,
        refused=_number,
        cards=_number,
        pages=_number,
    ),
    Kind.RELEASE: _facts(_VALUES, _WORK, pointers=_pointers, release=_id("rel")),
    Kind.POLICY_REFUSED: _facts(_VALUES, _WORK, action=word, reason=word),
    Kind.RECORDS_CHANGED: _facts(_VALUES, pointers=_pointers, action=word),
    Kind.PUSH_INTENT: _facts(_VALUES, _WORK, attempt=_number, pointers=_pointers),
    Kind.PUSH_OUTCOME: _facts(_OUTCOME, _WORK, http_status=_number, count=_number, pointers=_pointers),
    Kind.CONSENT: _facts(_RECEIPT, event=word, direction=word, field_group=word, method=word, fingerprint=digest),
    Kind.SIGNAL: _facts(signal=word, effect=word, reason=word),
    Kind.REVOKED: _facts(_RECEIPT, _WORK, reason=word, asked_by=word, erase_now=_flag, data_key_due_at=_number),
    Kind.REVOCATION_INTENT: _facts(_WORK, attempt=_number),
    Kind.REVOCATION_OUTCOME: _facts(_RECEIPT, _OUTCOME, _WORK, last_token_expires_at=_number, confirmed_at=_number),
    Kind.KEY_DESTROYED: _facts(_RECEIPT, _WORK, owner_kind=word, reason=word, count=_number),
    Kind.EXPORTED: _facts(_VALUES, _RECEIPT),
    Kind.USER_DELETED: _facts(_RECEIPT, reason=word, connections=_number, keys=_number, cards=_number),
    Kind.RECEIPT: _facts(_RECEIPT, _WORK, about=word),
    Kind.PORTAL_OPENED: _facts(),
    Kind.POLICY_IN_EFFECT: _facts(sha256=digest, effective_at=_number),
    Kind.POLICY_ANNOUNCED: _facts(
        sha256=digest, effective_at=_number, older=version, opened=_number, eased=_number, closed=_number
    ),
    Kind.SETTING_CHANGED: _facts(setting=word, action=word, digest=digest),
    Kind.NOTICE_POSTED: _facts(notice=_id("ntc"), about=word, count=_number),
    Kind.STANCE: _facts(toward=word, stance=word),
    Kind.AGE_LEARNED: _facts(age=word, reason=word),
    Kind.FORWARDED: _facts(_OUTCOME, recipient=word, forwarding=_id("fwd"), receipt=_id("rcp")),
    Kind.CHECKPOINT_KEY: _facts(kid=_matching(_KID), action=word, public_key=digest),
}


def word_or(text: str | None, otherwise: str = "other") -> str:
    """`text` if it has the shape of a word, else `otherwise`: for codes that come from outside."""
    return text if text is not None and word(text) else otherwise


def check_facts(kind: str, facts: Mapping[str, Fact]) -> None:
    """Refuse what the list does not hold. None stands for "not known" and is allowed for every fact.

    Raises:
        ValueError: unknown kind, unknown fact, or a value that has not the shape of its fact. The value is not named.
    """
    shapes = KINDS.get(kind)  # type: ignore[call-overload]  # a plain word is looked up as the enum member it equals
    if shapes is None:
        raise ValueError(f"{kind!r} is no kind of ledger entry; add it to connector/ledger/kinds.py")
    for name, value in facts.items():
        shape = shapes.get(name)
        if shape is None:
            raise ValueError(f"a ledger entry of kind {kind!r} has no fact {name!r}; see connector/ledger/kinds.py")
        if value is not None and not shape(value):
            raise ValueError(f"the fact {name!r} of a ledger entry of kind {kind!r} has the wrong shape")
