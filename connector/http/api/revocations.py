"""DELETE /v1/connections/{id}: revoke."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from connector.flows.revoke import revoke
from connector.http.api.connections import visible
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import FLAG, TEXT, an_object, operation
from connector.http.request import json_body, query
from connector.model.errors import BadInput
from connector.model.instants import iso
from connector.model.states import Ended

blueprint = Blueprint("revocations", __name__)

ACCEPTED = 202
_REVOCATION = an_object(
    {
        "connection": TEXT,
        "state": TEXT,
        "revoked_at": TEXT,
        "provider": {"type": "string", "enum": ["trying", "confirmed", "unsupported", "shared", "gave_up"]},
        "imported_data_destroyed_by": TEXT,
        "receipt": TEXT,
        "status_page": TEXT,
    }
)


@blueprint.delete("/v1/connections/<connection_id>")
@operation(
    "Revoke a connection", "Connections", body=an_object({}, {"erase_now": FLAG}), answers={ACCEPTED: _REVOCATION}
)
@needs("connections:revoke")
def delete_connection(connection_id: str) -> tuple[Response, int]:
    """End handouts now; the provider is told in the background. Idempotent. The receipt's link leads to its newest."""
    query(())
    body = json_body(required=False)
    if set(body) - {"erase_now"} or not isinstance(body.get("erase_now", False), bool):
        raise BadInput("invalid_request", "The body takes erase_now: true or false.")
    client = caller().client
    seen = visible(client, connection_id)
    done = revoke(gateway(), client.tenant_id, seen.id, by=Ended.APP, erase_now=body.get("erase_now", False))
    asked = done.revocation
    document = {
        "connection": seen.id,
        "state": "revoked",
        "revoked_at": iso(asked.created_at),
        "provider": asked.outcome or "trying",
        "imported_data_destroyed_by": iso(asked.data_key_destroyed_at or asked.data_key_due_at),
        "receipt": f"/v1/users/{seen.sub}/receipts/{done.receipt_id}",
        "status_page": f"{gateway().settings.server.public_url}/deletions/{asked.code}",
    }
    return jsonify(document), ACCEPTED
