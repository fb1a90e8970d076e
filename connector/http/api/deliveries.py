"""/v1/users/{sub}/deliveries: what left, what waits, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows.deliveries import deliveries_of
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import INTEGER, TEXT, WORDS, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import query
from connector.model.errors import BadInput
from connector.model.instants import iso
from connector.model.states import WorkState
from connector.records import Delivery

blueprint = Blueprint("deliveries", __name__)

IN_WORDS: Mapping[WorkState, str] = {
    WorkState.QUEUED: "Waiting.",
    WorkState.CLAIMED: "Under way.",
    WorkState.DONE: "There.",
    WorkState.FAILED: "Failed.",
    WorkState.CONFLICT: "Not written: something newer is there.",
    WorkState.REFUSED: "Not sent, or not taken.",
    WorkState.VOID: "Called off before it was sent.",
    WorkState.DEAD: "Given up.",
}
_DELIVERY = an_object(
    {
        "id": TEXT,
        "connection": TEXT,
        "field_group": TEXT,
        "pointers": WORDS,
        "state": {"type": "string", "enum": [state.value for state in WorkState]},
        "state_in_words": TEXT,
        "attempts": INTEGER,
        "created_at": TEXT,
    },
    {"outcome": {"type": "object"}, "sent_at": TEXT, "finished_at": TEXT},
)


@blueprint.get("/v1/users/<sub>/deliveries")
@operation("List deliveries", "Records", query=PARAMETERS, answers={200: a_page_of(_DELIVERY)})
@needs("deliveries:read")
def list_deliveries(sub: str) -> Response:
    """A person's deliveries, newest first: pointers and outcomes, no values."""
    which = wanted(query(("limit", "cursor")))
    found = deliveries_of(gateway(), caller().client, sub, before=_before(which.after), limit=which.limit + 1)
    return jsonify(page(found, which, show=shown, place=lambda one: (one.created_at, one.id)))


def shown(one: Delivery) -> dict[str, Any]:
    """A delivery as the API shows it."""
    document: dict[str, Any] = {
        "id": one.id,
        "connection": one.connection_id,
        "field_group": one.field_group,
        "pointers": list(one.pointers),
        "state": one.state.value,
        "state_in_words": IN_WORDS[one.state],
        "attempts": one.attempts,
        "created_at": iso(one.created_at),
    }
    optional = {"outcome": one.outcome, "sent_at": iso(one.sent_at), "finished_at": iso(one.finished_at)}
    return document | {name: value for name, value in optional.items() if value is not None}


def _before(after: tuple[str | int, ...]) -> tuple[int, str] | None:
    if not after:
        return None
    if len(after) != 2 or not isinstance(after[0], int) or not isinstance(after[1], str):  # noqa: PLR2004  time and id
        raise BadInput("bad_cursor", "The cursor is none of ours; begin again without it.")
    return after[0], after[1]
