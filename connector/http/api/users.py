"""/v1/users/{sub}: the owner's copy, and the end of an account."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from connector.flows.erase import delete_user
from connector.flows.export import export_user
from connector.flows.portal import whole_person
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import INTEGER, TEXT, WORDS, an_object, operation
from connector.http.request import json_body, query
from connector.model.errors import BadInput
from connector.model.states import Ended

blueprint = Blueprint("users", __name__)

ZIP = "application/zip"
_ERASED = an_object({"receipt": TEXT, "connections": INTEGER, "status_pages": WORDS})


@blueprint.post("/v1/users/<sub>/export")
@operation(
    "Export everything about a person",
    "People",
    answers={200: {"type": "string", "format": "binary"}},
    answer_type=ZIP,
)
@needs("users:export")
def export(sub: str) -> Response:
    """One zip for its owner. Answers are not kept for an Idempotency-Key: a copy of everything is kept nowhere."""
    _nothing_sent()
    client = caller().client
    whole_person(gateway(), client, sub)
    exported = export_user(gateway(), client.tenant_id, sub)
    answer = Response(exported.content, content_type=ZIP)
    answer.headers["Content-Disposition"] = 'attachment; filename="export.zip"'
    answer.headers["Link"] = f'</v1/users/{sub}/receipts/{exported.receipt_id}>; rel="describedby"'
    return answer


@blueprint.delete("/v1/users/<sub>")
@operation("Delete a person", "People", query={"clear": {"type": "string", "enum": ["sent"]}}, answers={200: _ERASED})
@needs("users:delete")
def delete(sub: str) -> Response:
    """Everything that is theirs goes at once; providers are told in the background. Idempotent.

    With `clear=sent`, what was sent on to their accounts is cleared there first, where the provider takes that.
    """
    clear = query(("clear",)).get("clear", "")
    if clear not in {"", "sent"} or json_body(required=False):
        raise BadInput("invalid_request", "This address takes no body, and clear=sent or nothing.")
    client = caller().client
    whole_person(gateway(), client, sub)
    erased = delete_user(gateway(), client.tenant_id, sub, Ended.APP, clear=clear == "sent")
    base = gateway().settings.server.public_url
    return jsonify(
        {
            "receipt": f"/v1/users/{sub}/receipts/{erased.receipt_id}",
            "connections": erased.connections,
            "status_pages": [f"{base}/deletions/{code}" for code in erased.status_codes],
        }
    )


def _nothing_sent() -> None:
    query(())
    if json_body(required=False):
        raise BadInput("invalid_request", "This address takes no body.")
