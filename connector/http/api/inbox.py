"""/v1/inbox: the notices that the policy promises, for the app to show; and a person's no to what one announces."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows.inbox_view import Lying, lying_in
from connector.flows.inbox_view import one as one_of
from connector.flows.portal import whole_person
from connector.flows.stances import object_to
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.idempotency import idempotent
from connector.http.operations import FLAG, TEXT, WORDS, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import json_body, query
from connector.model.errors import BadInput
from connector.model.instants import iso

blueprint = Blueprint("inbox", __name__)

_NOTICE = an_object(
    {
        "id": TEXT,
        "kind": {"type": "string", "enum": ["policy", "sharing", "transfer", "release"]},
        "topic": TEXT,
        "title": TEXT,
        "paragraphs": WORDS,
        "posted_at": TEXT,
        "state": {"type": "string", "enum": ["announced", "open", "closed", "effective"]},
        "may_object": FLAG,
        "objected": FLAG,
    },
    {"closes_at": TEXT, "effective_at": TEXT, "objected_by": TEXT},
)


@blueprint.get("/v1/inbox")
@operation("List a person's notices", "Inbox", query={"user": TEXT, **PARAMETERS}, answers={200: a_page_of(_NOTICE)})
@needs("records:read")
def list_notices() -> Response:
    """Newest first. They lie here whatever the person says about mail."""
    given = query(("user", "limit", "cursor"))
    sub = given.pop("user", "")
    if not sub:
        raise BadInput("no_user", "Say whose: /v1/inbox?user=usr_…")
    which = wanted(given)
    place = (which.after[0], which.after[1]) if len(which.after) == 2 else None  # noqa: PLR2004  time and id
    if which.after and (place is None or not isinstance(place[0], int) or not isinstance(place[1], str)):
        raise BadInput("bad_cursor", "The cursor is none of ours; begin again without it.")
    client = caller().client
    whole_person(gateway(), client, sub)
    found = lying_in(gateway(), client.tenant_id, sub)
    rest = [one for one in found if place is None or (-one.item.posted_at, one.item.id) > (-int(place[0]), place[1])]
    return jsonify(
        page(rest[: which.limit + 1], which, show=_shown, place=lambda one: (one.item.posted_at, one.item.id))
    )


@blueprint.post("/v1/inbox/<item_id>/objection")
@operation("Object to what a notice announces", "Inbox", answers={200: _NOTICE})
@needs("records:write")
@idempotent
def objection(item_id: str) -> Response:
    """The person says no, in the app. It counts at once, and stands; only they take it back, on their own pages."""
    query(())
    if json_body(required=False):
        raise BadInput("invalid_request", "This address takes no body.")
    client = caller().client
    before = one_of(gateway(), client.tenant_id, item_id)
    whole_person(gateway(), client, before.item.sub)
    object_to(gateway(), client.tenant_id, item_id, sub=before.item.sub, by="app")
    return jsonify(_shown(one_of(gateway(), client.tenant_id, item_id)))


def _shown(one: Lying) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": one.item.id,
        "kind": one.item.kind,
        "topic": one.item.topic,
        "title": one.title,
        "paragraphs": list(one.paragraphs),
        "posted_at": iso(one.item.posted_at),
        "state": one.window.value,
        "may_object": one.may_object,
        "objected": one.objection is not None,
    }
    optional = {
        "closes_at": iso(one.item.closes_at),
        "effective_at": iso(one.item.effective_at),
        "objected_by": None if one.objection is None else one.objection.by,
    }
    return document | {name: value for name, value in optional.items() if value is not None}
