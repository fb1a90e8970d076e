"""The profile and the address book, in Rehearsal's own shape."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request

from providers.rehearsal.server.oauth import bearer_grant, state
from providers.rehearsal.server.people import visible, wrong_change
from providers.rehearsal.server.state import Profile, Refused

resources = Blueprint("resources", __name__)


@resources.get("/me")
def me() -> Response:
    """The profile, as far as the scopes reach, with its ETag."""
    grant = bearer_grant("openid")
    with state().lock:
        profile = state().profiles[grant.person]
        return _profile_answer(profile, visible(profile.fields, grant.scopes))


@resources.patch("/me")
def change_me() -> Response:
    """Change the named fields. Needs If-Match; lists are replaced whole; an Idempotency-Key makes a repeat harmless."""
    grant = bearer_grant("profile:write")
    change = request.get_json(silent=True)
    if not isinstance(change, dict):
        raise Refused("invalid_request", "The body must be a JSON object.")
    wrong = wrong_change(change)
    if wrong:
        raise Refused("unknown_field", f"Not writable: {', '.join(wrong)}.", HTTPStatus.UNPROCESSABLE_ENTITY)
    with state().lock:
        return _written(state().profiles[grant.person], change, grant.scopes)


def _written(profile: Profile, change: dict[str, Any], scopes: tuple[str, ...]) -> Response:
    key = request.headers.get("Idempotency-Key", "")
    digest = hashlib.sha256(json.dumps(change, sort_keys=True).encode()).hexdigest()
    before = profile.answers.get(key) if key else None
    if before is not None:
        if before[0] != digest:
            raise Refused("idempotency_key_reused", "Same key, other body.", HTTPStatus.UNPROCESSABLE_ENTITY)
        state().oracle.write(profile.fields["id"], sorted(change), key, effect=False)
        return _profile_answer(profile, before[2])
    match = request.headers.get("If-Match")
    if match is None:
        raise Refused("precondition_required", "Send If-Match.", HTTPStatus.PRECONDITION_REQUIRED)
    if match not in (profile.etag, "*"):
        raise Refused("precondition_failed", "The profile is newer.", HTTPStatus.PRECONDITION_FAILED)
    profile.fields |= copy.deepcopy(change)
    profile.revision += 1
    answer = copy.deepcopy(visible(profile.fields, scopes))
    if key:
        profile.answers[key] = (digest, HTTPStatus.OK, answer)
    state().oracle.write(profile.fields["id"], sorted(change), key, effect=True)
    return _profile_answer(profile, answer)


def _profile_answer(profile: Profile, fields: dict[str, Any]) -> Response:
    response = jsonify(fields)
    response.headers["ETag"] = profile.etag
    response.headers["Cache-Control"] = "no-store"
    return response


@resources.get("/contacts")
def contacts() -> Response:
    """One page of the address book: {"people", "next", "sync"}; `changed_since` takes an earlier `sync`."""
    grant = bearer_grant("contacts")
    offset, since, size = _where(request.args.get("cursor"), request.args.get("changed_since"))
    with state().lock:
        book = state().books[grant.person]
        listed = sorted(book.entries.values(), key=lambda entry: (entry[0], entry[1]["id"]))
        if since is not None:
            listed = [entry for entry in listed if entry[0] > since]
        else:
            listed = [entry for entry in listed if not entry[1].get("gone")]
        page = [entry[1] for entry in listed[offset : offset + size]]
        more = offset + size < len(listed)
        following = {"offset": offset + size, "since": -1 if since is None else since, "size": size}
        answer = {"people": copy.deepcopy(page), "next": pack(following) if more else None}
        if not more:
            answer["sync"] = pack({"revision": book.revision, "at": state().now()})
        return jsonify(answer)


def _where(cursor: str | None, changed_since: str | None) -> tuple[int, int | None, int]:
    """Offset, revision since, and page size. Raises Refused for cursors that are not ours or are too old."""
    size = max(1, min(state().config.page_size, request.args.get("page_size", state().config.page_size, int)))
    if cursor is not None:
        held = unpack(cursor, ("offset", "since", "size"))
        if held is None:
            raise Refused("invalid_cursor", "The cursor is not one of ours.")
        return held["offset"], None if held["since"] < 0 else held["since"], held["size"]
    if changed_since is None:
        return 0, None, size
    held = unpack(changed_since, ("revision", "at"))
    if held is None or state().now() >= held["at"] + state().config.sync_s * 1000:
        raise Refused("sync_expired", "Read everything again.", HTTPStatus.GONE)
    return 0, held["revision"], size


def pack(values: dict[str, int]) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


def unpack(cursor: str, names: tuple[str, ...]) -> dict[str, int] | None:
    """What a cursor holds, or None where it is not ours."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(values, dict) or any(not isinstance(values.get(name), int) for name in names):
        return None
    return values
