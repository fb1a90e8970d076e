"""/v1/users/{sub}/consents: what a person chose, in records; the app may only take a choice back."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows.consents import Shown, consent_of, consents_of
from connector.flows.withdraw_consent import withdraw_consent
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import TEXT, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import json_body, query
from connector.model.errors import BadInput, Forbidden
from connector.model.instants import iso
from connector.model.tags import Choice

blueprint = Blueprint("consents", __name__)

_CONSENT = an_object(
    {
        "id": TEXT,
        "connection": TEXT,
        "direction": {"type": "string", "enum": ["import", "push"]},
        "field_group": TEXT,
        "choice": {"type": "string", "enum": [choice.value for choice in Choice]},
        "policy_version": TEXT,
        "updated_at": TEXT,
        "record": {"type": "object", "description": "The record by ISO/IEC TS 27560, events included, also as JSON-LD"},
        "receipts": {"type": "array", "items": TEXT, "description": "One for each event: GET …/consents/receipts/{id}"},
    }
)


@blueprint.get("/v1/users/<sub>/consents")
@operation("List consents", "Consent", query=PARAMETERS, answers={200: a_page_of(_CONSENT)})
@needs("records:read")
def list_consents(sub: str) -> Response:
    """Every choice with its record and all its events, oldest first."""
    which = wanted(query(("limit", "cursor")))
    place = (which.after[0], which.after[1]) if len(which.after) == 2 else None  # noqa: PLR2004  time and id
    if which.after and (place is None or not isinstance(place[0], int) or not isinstance(place[1], str)):
        raise BadInput("bad_cursor", "The cursor is none of ours; begin again without it.")
    found = consents_of(gateway(), caller().client, sub)
    rest = [one for one in found if place is None or (one.consent.created_at, one.consent.id) > place]
    return jsonify(
        page(
            rest[: which.limit + 1],
            which,
            show=_shown,
            place=lambda one: (one.consent.created_at, one.consent.id),
        )
    )


@blueprint.put("/v1/users/<sub>/consents")
@operation(
    "Withdraw a consent",
    "Consent",
    body=an_object({"id": TEXT, "choice": {"type": "string", "enum": ["withdrawn"]}}),
    answers={200: _CONSENT},
)
@needs("records:write")
def change_consent(sub: str) -> Response:
    """Take a choice back. Giving one is the person's alone, on the gateway's own pages."""
    query(())
    body = json_body()
    if set(body) != {"id", "choice"} or not all(isinstance(value, str) for value in body.values()):
        raise BadInput("bad_consent", 'Send {"id": "cns_…", "choice": "withdrawn"}.')
    if body["choice"] != Choice.WITHDRAWN.value:
        raise Forbidden("only_withdraw", "An app may only withdraw; people give consent on the gateway's own pages.")
    client = caller().client
    found = withdraw_consent(gateway(), client, sub, body["id"])
    return jsonify(_shown(consent_of(gateway(), client, found)))


def _shown(shown: Shown) -> dict[str, Any]:
    found = shown.consent
    return {
        "id": found.id,
        "connection": found.connection_id,
        "direction": found.direction.value,
        "field_group": found.field_group,
        "choice": found.choice.value,
        "policy_version": found.policy_version,
        "updated_at": iso(found.updated_at),
        "record": shown.record,
        "receipts": list(shown.receipts),
    }
