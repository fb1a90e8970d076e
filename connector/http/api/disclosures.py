"""GET /v1/users/{sub}/disclosures: who got what, when, under which clause."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows.disclosures import Disclosure, disclosures_of
from connector.flows.portal import whole_person
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import INTEGER, TEXT, WORDS, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import query
from connector.model.errors import BadInput
from connector.model.instants import iso

blueprint = Blueprint("disclosures", __name__)

_DISCLOSURE = an_object(
    {"at": TEXT, "what": TEXT, "recipient": TEXT, "purpose": TEXT, "clause": TEXT, "entry": INTEGER},
    {"categories": WORDS, "count": INTEGER, "connection": TEXT, "outcome": TEXT, "release": TEXT},
)


@blueprint.get("/v1/users/<sub>/disclosures")
@operation("List disclosures", "People", query=PARAMETERS, answers={200: a_page_of(_DISCLOSURE)})
@needs("records:read")
def list_disclosures(sub: str) -> Response:
    """What left about a person, newest first, by the ledger. `entry` is its place there."""
    which = wanted(query(("limit", "cursor")))
    if which.after and (len(which.after) != 1 or not isinstance(which.after[0], int)):
        raise BadInput("bad_cursor", "The cursor is none of ours; begin again without it.")
    before = int(which.after[0]) if which.after else None
    client = caller().client
    whole_person(gateway(), client, sub)
    found = disclosures_of(gateway(), client.tenant_id, sub, before=before, limit=which.limit + 1)
    return jsonify(page(found, which, show=_shown, place=lambda one: (one.entry,)))


def _shown(one: Disclosure) -> dict[str, Any]:
    document: dict[str, Any] = {
        "at": iso(one.at),
        "what": one.what,
        "recipient": one.recipient,
        "purpose": one.purpose,
        "clause": one.clause,
        "entry": one.entry,
    }
    optional = {
        "categories": list(one.categories) or None,
        "count": one.count,
        "connection": one.connection,
        "outcome": one.outcome,
        "release": one.release,
    }
    return document | {name: value for name, value in optional.items() if value is not None}
