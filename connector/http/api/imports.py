"""/v1/connections/{id}/imports: start one now, and see how it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from connector.flows import import_records
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.idempotency import idempotent
from connector.http.operations import INTEGER, TEXT, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import json_body, query
from connector.model.errors import BadInput, NotFound
from connector.model.instants import iso
from connector.model.states import WorkState
from connector.records import Import

blueprint = Blueprint("imports", __name__)

_LONGEST_NUMBER = 12
_IN_WORDS: Mapping[WorkState, str] = {
    WorkState.QUEUED: "Waiting.",
    WorkState.CLAIMED: "Under way.",
    WorkState.DONE: "Done.",
    WorkState.FAILED: "Failed; what was there before is still there.",
    WorkState.REFUSED: "Refused.",
    WorkState.VOID: "Called off: the connection ended.",
    WorkState.DEAD: "Given up.",
}
_IMPORT = an_object(
    {
        "number": INTEGER,
        "connection": TEXT,
        "state": TEXT,
        "state_in_words": TEXT,
        "asked_by": TEXT,
        "counts": {"type": "object", "additionalProperties": INTEGER},
        "created_at": TEXT,
    },
    {"error": TEXT, "started_at": TEXT, "finished_at": TEXT},
)


@blueprint.post("/v1/connections/<connection_id>/imports")
@operation("Start an import", "Imports", answers={202: _IMPORT})
@needs("imports:run")
@idempotent
def start(connection_id: str) -> tuple[Response, int, dict[str, str]]:
    """Queue an import; where one waits or runs already, that one is answered."""
    query(())
    if json_body(required=False):
        raise BadInput("unknown_member", "An import takes no settings; send no body.")
    found = import_records.queue(gateway(), caller().client, connection_id)
    return jsonify(_shown(found)), 202, {"Location": f"/v1/connections/{connection_id}/imports/{found.number}"}


@blueprint.get("/v1/connections/<connection_id>/imports")
@operation("List imports", "Imports", query=PARAMETERS, answers={200: a_page_of(_IMPORT)})
@needs("imports:run")
def list_imports(connection_id: str) -> Response:
    """Imports of a connection, newest first."""
    which = wanted(query(("limit", "cursor")))
    below = which.after[0] if which.after and isinstance(which.after[0], int) else None
    found = import_records.runs(gateway(), caller().client, connection_id, below=below, limit=which.limit + 1)
    return jsonify(page(found, which, show=_shown, place=lambda one: (one.number,)))


@blueprint.get("/v1/connections/<connection_id>/imports/<number>")
@operation("Show an import", "Imports", answers={200: _IMPORT})
@needs("imports:run")
def show(connection_id: str, number: str) -> Response:
    """How one import stands: counts only, nothing of what it brought."""
    query(())
    if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER):
        raise NotFound("import")
    found = import_records.runs(gateway(), caller().client, connection_id, number=int(number), limit=1)
    if not found:
        raise NotFound("import")
    return jsonify(_shown(found[0]))


def _shown(one: Import) -> dict[str, Any]:
    document: dict[str, Any] = {
        "number": one.number,
        "connection": one.connection_id,
        "state": one.state.value,
        "state_in_words": _IN_WORDS.get(one.state, ""),
        "asked_by": one.asked_by,
        "counts": dict(one.counts),
        "created_at": iso(one.created_at),
    }
    optional = {"error": one.error, "started_at": iso(one.started_at), "finished_at": iso(one.finished_at)}
    return document | {name: value for name, value in optional.items() if value is not None}
