"""/v1/users/{sub}/profile: what is known of a person, what they type in, and what that would send."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from connector.flows.edit_profile import edit_profile
from connector.flows.preview_push import Preview, preview
from connector.flows.read_records import read_profile
from connector.http.api.purposes import purpose_of
from connector.http.api.values import VALUE, WITHHELD, shown_value, withheld_value
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.idempotency import idempotent
from connector.http.operations import TEXT, WORDS, an_object, operation
from connector.http.request import JSON, MERGE_PATCH, json_body, query

blueprint = Blueprint("profile", __name__)

_CARD = {"type": "object", "description": "A JSContact card (RFC 9553)"}
_PROFILE = an_object(
    {
        "user": TEXT,
        "purpose": TEXT,
        "card": _CARD,
        "values": {"type": "array", "items": VALUE},
        "withheld": {"type": "array", "items": WITHHELD},
    }
)
_QUEUED = an_object({"id": TEXT, "connection": TEXT, "field_group": TEXT})
_EDITED = an_object({"changed": WORDS, "removed": WORDS, "deliveries": {"type": "array", "items": _QUEUED}})
_REQUEST = an_object({"method": TEXT, "url": TEXT}, {"body": {}})
_NOT_SENT = an_object({"field_group": TEXT, "pointers": WORDS, "reason": TEXT}, {"clause": TEXT})
_PREVIEWS = an_object(
    {
        "connections": {
            "type": "array",
            "items": an_object(
                {
                    "connection": TEXT,
                    "provider": TEXT,
                    "requests": {"type": "array", "items": _REQUEST},
                    "not_sent": {"type": "array", "items": _NOT_SENT},
                },
                {"deep_link": TEXT},
            ),
        }
    }
)


@blueprint.get("/v1/users/<sub>/profile")
@operation("Read a person's profile for a purpose", "Records", query={"purpose": TEXT}, answers={200: _PROFILE})
@needs("records:read")
def show_profile(sub: str) -> Response:
    """One card over all sources, each value with tags and origin; what the policy refuses is named with its clause."""
    client = caller().client
    purpose = purpose_of(client, query(("purpose",)).get("purpose"))
    view = read_profile(gateway(), client, sub, purpose)
    return jsonify(
        user=sub,
        purpose=purpose.value,
        card=view.composed,
        values=[shown_value(one) for one in view.shown],
        withheld=[withheld_value(one) for one in view.withheld],
    )


@blueprint.patch("/v1/users/<sub>/profile")
@operation(
    "Change what a person typed in",
    "Records",
    body=_CARD,
    body_type=MERGE_PATCH,
    answers={200: _EDITED},
)
@needs("records:write")
@idempotent
def change_profile(sub: str) -> Response:
    """A JSON merge patch (RFC 7396). It becomes `given`, and is sent to where the person switched that on."""
    query(())
    edited = edit_profile(gateway(), caller().client, sub, _patch())
    return jsonify(
        changed=sorted(edit_pointer for edit_pointer in edited.edit.changed),
        removed=sorted(edited.edit.removed),
        deliveries=[
            {"id": one.id, "connection": one.connection_id, "field_group": one.field_group} for one in edited.deliveries
        ],
    )


@blueprint.post("/v1/users/<sub>/push-preview")
@operation(
    "Show the exact requests that a change would send",
    "Records",
    body=_CARD,
    body_type=MERGE_PATCH,
    answers={200: _PREVIEWS},
)
@needs("records:read")
@idempotent
def preview_push(sub: str) -> Response:
    """The same body as the change itself. Nothing is stored and nothing is sent."""
    query(())
    return jsonify(connections=[_previewed(one) for one in preview(gateway(), caller().client, sub, _patch())])


def _patch() -> dict[str, Any]:
    """The patch, as merge patch or as plain JSON."""
    return json_body(media_type=JSON if request.mimetype == JSON else MERGE_PATCH)


def _previewed(one: Preview) -> dict[str, Any]:
    document: dict[str, Any] = {
        "connection": one.connection.id,
        "provider": one.provider,
        "requests": [dict(each) for each in one.requests],
        "not_sent": [
            {"field_group": each.field_group, "pointers": list(each.pointers), "reason": each.reason}
            | ({"clause": each.clause} if each.clause else {})
            for each in one.not_sent
        ],
    }
    return document | ({"deep_link": one.deep_link} if one.deep_link else {})
