"""/v1/users/{sub}/contacts: the address book that came with an account, and private notes on it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows.own_records import delete_contact, delete_note, put_note
from connector.flows.read_records import CardView, read_contacts
from connector.http.api.purposes import purpose_of
from connector.http.api.values import VALUE, WITHHELD, shown_value, withheld_value
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import TEXT, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import json_body, query
from connector.model.errors import BadInput

blueprint = Blueprint("contacts", __name__)

_CONTACT = an_object(
    {
        "id": TEXT,
        "card": {"type": "object", "description": "A JSContact card (RFC 9553)"},
        "values": {"type": "array", "items": VALUE},
        "withheld": {"type": "array", "items": WITHHELD},
    },
    {"connection": TEXT},
)


@blueprint.get("/v1/users/<sub>/contacts")
@operation(
    "Read a person's contacts for a purpose",
    "Records",
    query={"purpose": TEXT, **PARAMETERS},
    answers={200: a_page_of(_CONTACT)},
)
@needs("records:read")
def list_contacts(sub: str) -> Response:
    """Contacts by card, each value with tags and origin. Private notes are never among them."""
    asked = query(("purpose", "limit", "cursor"))
    which, client = wanted(asked), caller().client
    after = str(which.after[0]) if which.after else ""
    found = read_contacts(
        gateway(), client, sub, purpose_of(client, asked.get("purpose")), after=after, limit=which.limit + 1
    )
    return jsonify(page(found, which, show=_shown, place=lambda one: (one.card.id if one.card else "",)))


@blueprint.delete("/v1/users/<sub>/contacts/<card>")
@operation("Delete a contact", "Records", answers={204: None})
@needs("records:write")
def remove(sub: str, card: str) -> Response:
    """The person deletes it; no import brings it back."""
    query(())
    delete_contact(gateway(), caller().client, sub, card)
    return Response(status=204)


@blueprint.put("/v1/users/<sub>/contacts/<card>/note")
@operation("Write a private note on a contact", "Records", body=an_object({"note": TEXT}), answers={204: None})
@needs("records:write")
def write_note(sub: str, card: str) -> Response:
    """It is the person's alone: it goes into their export and nowhere else."""
    query(())
    body = json_body()
    if set(body) != {"note"} or not isinstance(body["note"], str):
        raise BadInput("bad_note", 'Send {"note": "…"} and nothing else; sharing notes is not offered.')
    put_note(gateway(), caller().client, sub, card, body["note"])
    return Response(status=204)


@blueprint.delete("/v1/users/<sub>/contacts/<card>/note")
@operation("Remove a private note", "Records", answers={204: None})
@needs("records:write")
def remove_note(sub: str, card: str) -> Response:
    """Remove the note; the contact stays."""
    query(())
    delete_note(gateway(), caller().client, sub, card)
    return Response(status=204)


def _shown(view: CardView) -> dict[str, Any]:
    card = view.card
    document: dict[str, Any] = {
        "id": "" if card is None else card.id,
        "card": view.composed,
        "values": [shown_value(one) for one in view.shown],
        "withheld": [withheld_value(one) for one in view.withheld],
    }
    return document if card is None or card.connection_id is None else document | {"connection": card.connection_id}
