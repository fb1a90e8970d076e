"""/v1/changes: what changed in the tenant's records, in the order in which it was committed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows.read_records import ChangeView, read_changes
from connector.http.api.purposes import purpose_of
from connector.http.api.values import VALUE, WITHHELD, shown_value, withheld_value
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.operations import FLAG, TEXT, an_object, operation
from connector.http.pagination import PARAMETERS, wanted, write_cursor
from connector.http.request import query
from connector.model.errors import BadInput
from connector.model.instants import iso

blueprint = Blueprint("changes", __name__)

_CHANGE = an_object(
    {"user": TEXT, "card": TEXT, "kind": {"type": "string", "enum": ["changed", "removed", "card_removed", "closed"]}},
    {"pointer": TEXT, "connection": TEXT, "category": TEXT, "at": TEXT, "value": VALUE, "withheld": WITHHELD},
)
_FEED = an_object({"items": {"type": "array", "items": _CHANGE}, "next": TEXT, "more": FLAG})


@blueprint.get("/v1/changes")
@operation("Follow changes", "Records", query={"purpose": TEXT, **PARAMETERS}, answers={200: _FEED})
@needs("changes:read")
def follow() -> Response:
    """Changes and tombstones behind a cursor. `next` is always there: keep it, and ask again with it later.

    410 `cursor_expired`: what happened since is not kept any more; read everything again and begin without a cursor.
    """
    asked = query(("purpose", "limit", "cursor"))
    which, client = wanted(asked), caller().client
    feed = read_changes(
        gateway(), client, purpose_of(client, asked.get("purpose")), after=_position(which.after), limit=which.limit
    )
    return jsonify(items=[_shown(one) for one in feed.changes], next=write_cursor((feed.position,)), more=feed.more)


def _position(after: tuple[str | int, ...]) -> int | None:
    if not after:
        return None
    if len(after) != 1 or not isinstance(after[0], int) or not 0 <= after[0] < 2**62:
        raise BadInput("bad_cursor", "The cursor is none of ours; begin again without it.")
    return after[0]


def _shown(view: ChangeView) -> dict[str, Any]:
    change = view.change
    document: dict[str, Any] = {
        "user": change.sub,
        "card": change.card_id,
        "kind": change.kind,
        "at": iso(change.at),
    }
    optional = {
        "pointer": change.pointer,
        "connection": change.connection_id,
        "category": change.category,
        "value": None if view.shown is None else shown_value(view.shown),
        "withheld": None if view.withheld is None else withheld_value(view.withheld),
    }
    return document | {name: value for name, value in optional.items() if value}
