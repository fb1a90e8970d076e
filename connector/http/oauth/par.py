"""`POST /oauth/par` (RFC 9126): a request that the app itself hands in, so that no browser can forge it."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from connector.flows.signup_link import Parameters, push
from connector.http.authentication import authenticated_client
from connector.http.context import gateway
from connector.http.operations import INTEGER, TEXT, an_object, operation
from connector.http.request import FORM, form

blueprint = Blueprint("oauth_par", __name__)

_AUTHENTICATION = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
_BODY = an_object(
    {"response_type": TEXT, "redirect_uri": TEXT, "scope": TEXT, "code_challenge": TEXT, "code_challenge_method": TEXT},
    {
        "state": TEXT,
        "nonce": TEXT,
        "integration": TEXT,
        "prompt": TEXT,
        "max_age": TEXT,
        "ui_locales": TEXT,
        "link_user": TEXT,
        "connection": TEXT,
        "provider_scope": TEXT,
        "import": TEXT,
        "offer_push": TEXT,
    },
)


@blueprint.post("/oauth/par")
@operation(
    "Push an authorization request",
    "OAuth",
    security="clients",
    body=_BODY,
    body_type=FORM,
    answers={201: an_object({"request_uri": TEXT, "expires_in": INTEGER})},
)
def pushed() -> tuple[Response, int]:
    """201 with the `request_uri` for the browser."""
    client = authenticated_client(form())
    pairs = [(name, value) for name, value in request.form.items(multi=True) if name not in _AUTHENTICATION]
    kept = push(gateway(), client, Parameters.of(pairs))
    return jsonify({"request_uri": kept.request_uri, "expires_in": kept.expires_in}), 201
