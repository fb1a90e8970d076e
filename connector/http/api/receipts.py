"""GET /v1/users/{sub}/receipts/{id}, and the same for choices: a receipt as a file that verifies offline."""

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


@blueprint.get("/v1/users/<sub>/consents/receipts/<receipt_id>")
@operation("Get the receipt of a choice", "Consent", answers={200: {"type": "object", "description": "A receipt file"}})
@needs("records:read")
def show_consent_receipt(sub: str, receipt_id: str) -> Response:
    """What was agreed to or taken back: the record (ISO/IEC TS 27560 in DPV's words), signed and proven."""
    query(())
    client = caller().client
    whole_person(gateway(), client, sub)
    content = receipt_file(gateway(), client.tenant_id, receipt_id, sub=sub, kind="consent")
    return Response(content, content_type="application/json")
