"""`POST /signals/{integration_id}/{kind}`: what providers tell us. Signature first; the body is read as it came."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from connector.flows.signals import receive
from connector.http.context import gateway
from connector.http.operations import TEXT, an_object, operation
from providers.capabilities import SignalRequest

blueprint = Blueprint("signals", __name__)

_ANSWER = an_object({}, {"url": TEXT, "confirmation_code": TEXT})


@blueprint.post("/signals/<integration_id>/<kind>")
@operation("A provider's signal", "Providers", security="signature", body={"type": "object"}, answers={200: _ANSWER})
def take(integration_id: str, kind: str) -> Response:
    """A request to delete data is answered with its status page and code, as Facebook's documentation asks."""
    body = request.get_data(cache=False)
    received = receive(gateway(), integration_id, SignalRequest(kind, dict(request.headers.items()), body))
    if received.code is None:
        return jsonify({})
    url = f"{gateway().settings.server.public_url}/deletions/{received.code}"
    return jsonify({"url": url, "confirmation_code": received.code})
