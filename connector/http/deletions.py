"""`/deletions/{code}`: how a revocation or a request to delete data stands, for whoever holds its code."""

from __future__ import annotations

from flask import Blueprint, render_template

from connector.flows.signals import Deletion, deletion_with
from connector.http.context import gateway
from connector.http.limits import too_many_starts
from connector.http.operations import TEXT, operation

blueprint = Blueprint("deletions", __name__)


@blueprint.get("/deletions/<code>")
@operation("How a deletion stands", "Providers", security="code", answers={200: TEXT}, answer_type="text/html")
def status(code: str) -> str:
    """The state in words; no name, no account, no data."""
    too_many_starts()
    found: Deletion = deletion_with(gateway(), code)
    return render_template("portal/deletion.html", found=found, code=code, title="How your request stands")
