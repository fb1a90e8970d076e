"""`GET /oauth/jwks`: the public keys of ID tokens, the ledger and receipts (RFC 7517), each with its own `kid`."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from connector.clients import published_keys
from connector.http.context import gateway
from connector.http.oauth.metadata import CACHED
from connector.http.operations import an_object, operation

blueprint = Blueprint("oauth_jwks", __name__)


@blueprint.get("/oauth/jwks")
@operation(
    "Public keys of ID tokens and receipts",
    "OAuth",
    answers={200: an_object({"keys": {"type": "array", "items": {"type": "object"}}})},
    answer_type="application/jwk-set+json",
)
def keys() -> Response:
    """The key set: keys of ID tokens first."""
    parts = gateway()
    with parts.store.read() as tx:
        listed = [
            key for purpose in ("id_token", "receipt", "ledger") for key in published_keys(tx, parts.vault, purpose)
        ]
    answer = jsonify({"keys": listed})
    answer.headers["Cache-Control"] = CACHED
    answer.content_type = "application/jwk-set+json"
    return answer
