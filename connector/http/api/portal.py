"""POST /v1/users/{sub}/portal: a link to a person's own pages."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from connector.flows.portal import portal_link
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import INTEGER, TEXT, an_object, operation
from connector.http.request import json_body, query
from connector.model.errors import BadInput
from connector.people import LINK_MS

blueprint = Blueprint("portal_links", __name__)

CREATED = 201
_LINK = an_object({"url": TEXT, "expires_in": INTEGER})


@blueprint.post("/v1/users/<sub>/portal")
@operation("Open a person's own pages", "People", body=an_object({"return_url": TEXT}), answers={CREATED: _LINK})
@needs("portal:open")
def open_portal(sub: str) -> tuple[Response, int]:
    """A link that works once, within a minute. It is as good as the person's own password: send only them there."""
    query(())
    body = json_body()
    return_url = body.get("return_url")
    if set(body) != {"return_url"} or not isinstance(return_url, str):
        raise BadInput("invalid_request", "The body takes return_url, one that is registered for this client.")
    link = portal_link(gateway(), caller().client, sub, return_url)
    url = f"{gateway().settings.server.public_url}/portal/enter?link={link.reveal()}"
    return jsonify({"url": url, "expires_in": LINK_MS // 1000}), CREATED
