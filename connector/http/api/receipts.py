"""GET /v1/users/{sub}/receipts/{id}: a receipt as a file that verifies offline."""

from __future__ import annotations

from flask import Blueprint, Response

from connector.flows.evidence import receipt_file
from connector.flows.portal import whole_person
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import operation
from connector.http.request import query

blueprint = Blueprint("receipts", __name__)


@blueprint.get("/v1/users/<sub>/receipts/<receipt_id>")
@operation("Get a receipt", "People", answers={200: {"type": "object", "description": "A receipt file"}})
@needs("records:read")
def show_receipt(sub: str, receipt_id: str) -> Response:
    """The receipt with its ledger entry, inclusion proof and signed checkpoint: `connector receipts verify FILE`."""
    query(())
    client = caller().client
    whole_person(gateway(), client, sub)
    content = receipt_file(gateway(), client.tenant_id, receipt_id, sub=sub)
    return Response(content, content_type="application/json")
