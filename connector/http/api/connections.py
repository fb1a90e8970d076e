"""/v1/connections: what a tenant's connections are, and a fresh token of one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connector import connections
from connector.clients import Client, integration_with_id
from connector.connections import Connection
from connector.flows.adopt import Mover, adopt, wanted_from
from connector.flows.fresh_token import DEFAULT_MIN_TTL_S, Handed, Wanted, fresh_token
from connector.http.authentication import needs
from connector.http.context import caller, gateway
from connector.http.idempotency import idempotent
from connector.http.operations import FLAG, INTEGER, TEXT, WORDS, Schema, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import json_body, query
from connector.model.errors import BadInput, NotFound
from connector.model.instants import iso
from connector.model.states import ConnectionState
from connector.model.tags import Purpose, UnknownWord

blueprint = Blueprint("connections", __name__)

HANDOUT_FAILED = "account_connector.handout_failed"  # in the environment: what the front met, to be raised here

_IN_WORDS: Mapping[ConnectionState, str] = {
    ConnectionState.ACTIVE: "Working.",
    ConnectionState.REFRESHING: "Working; a fresh token is being fetched.",
    ConnectionState.EXPIRED: "The last token is over; a fresh one will be fetched.",
    ConnectionState.NEEDS_REAUTH: "The person has to sign in at the provider again.",
    ConnectionState.REVOKED_BY_PROVIDER: "The provider ended it.",
    ConnectionState.REVOKED: "Revoked.",
    ConnectionState.SHREDDED: "Revoked; its keys are destroyed.",
}
_CONNECTION = an_object(
    {
        "id": TEXT,
        "user": TEXT,
        "provider": TEXT,
        "integration": TEXT,
        "state": {"type": "string", "enum": [state.value for state in ConnectionState]},
        "state_in_words": TEXT,
        "granted_scopes": WORDS,
        "missing_scopes": WORDS,
        "can_refresh": FLAG,
        "created_at": TEXT,
        "authorized_at": TEXT,
    },
    {
        "adopted_at": TEXT,
        "confirmed": FLAG,
        "reason": TEXT,
        "reauth_by": TEXT,
        "revoked_at": TEXT,
        "ended_by": TEXT,
        "expires_at": TEXT,
    },
)
_MOMENT: Schema = {"type": ["string", "integer"], "description": "RFC 3339, or seconds since the epoch"}
_ADOPTED = an_object(
    {"id": TEXT, "user": TEXT, "outcome": TEXT, "verified": FLAG, "adopted_at": TEXT, "confirmed": FLAG}
)
_TOKEN = an_object(
    {"access_token": TEXT, "token_type": TEXT, "scope": TEXT, "clause": TEXT}, {"expires_in": INTEGER, "stale": FLAG}
)


def in_words(state: ConnectionState) -> str:
    """A state as a sentence for people."""
    return _IN_WORDS[state]


@blueprint.get("/v1/connections")
@operation(
    "List connections",
    "Connections",
    query={"user": TEXT, "provider": TEXT, "state": TEXT, **PARAMETERS},
    answers={200: a_page_of(_CONNECTION)},
)
@needs("connections:read")
def list_connections() -> Response:
    """The tenant's connections that this client may see, by id."""
    asked = query(("user", "provider", "state", "limit", "cursor"))
    which = wanted(asked)
    if asked.get("state") not in {None, *ConnectionState}:
        raise BadInput("bad_state", f"state is one of: {', '.join(ConnectionState)}.")
    client = caller().client
    with gateway().store.read() as tx:
        found = connections.in_tenant(
            tx,
            gateway().vault,
            client.tenant_id,
            sub=asked.get("user"),
            provider=asked.get("provider"),
            state=asked.get("state"),
            integrations=client.integrations,
            after=str(which.after[0]) if which.after else "",
            limit=which.limit + 1,
        )
        scopes = _asked_scopes(found)
    return jsonify(page(found, which, show=lambda one: shown(one, scopes), place=lambda one: (one.id,)))


@blueprint.post("/v1/connections")
@operation(
    "Move a connection in, with tokens obtained elsewhere",
    "Connections",
    body=an_object(
        {"integration": TEXT, "access_token": TEXT, "scopes": WORDS},
        {
            "user": TEXT,
            "subject": TEXT,
            "refresh_token": TEXT,
            "token_type": TEXT,
            "expires_at": _MOMENT,
            "refresh_expires_at": _MOMENT,
            "obtained_at": _MOMENT,
            "age_stated": FLAG,
            "unsafe_skip_verification": FLAG,
        },
    ),
    answers={200: _ADOPTED, 201: _ADOPTED},
)
@needs("connections:adopt")
@idempotent
def move_in() -> Response:
    """Adopt tokens: 201 where a connection was made, 200 where one was there. It starts without consent."""
    client = caller().client
    moved = adopt(gateway(), Mover(client.tenant_id, client), wanted_from(json_body()))
    document = shown_one(visible(client, moved.connection_id or ""))
    answer = jsonify(document | {"outcome": moved.outcome, "verified": moved.verified})
    answer.status_code = HTTPStatus.CREATED if moved.outcome == "adopted" else HTTPStatus.OK
    answer.headers["Location"] = f"/v1/connections/{moved.connection_id}"
    return answer


@blueprint.get("/v1/connections/<connection_id>")
@operation("Show a connection", "Connections", answers={200: _CONNECTION})
@needs("connections:read")
def show_connection(connection_id: str) -> Response:
    """One connection: its state in words, what was granted and what is missing."""
    return jsonify(shown_one(visible(caller().client, connection_id)))


@blueprint.post("/v1/connections/<connection_id>/token")
@operation(
    "Get a fresh provider token",
    "Connections",
    body=an_object({}, {"purpose": TEXT, "min_ttl": INTEGER, "scope": TEXT}),
    answers={200: _TOKEN},
)
@needs("tokens:exchange")
def hand_out(connection_id: str) -> Response:
    """The same as token exchange, for plain HTTP clients. What went well was answered in front, see `http.handout`."""
    failed = request.environ.get(HANDOUT_FAILED)
    if isinstance(failed, Exception):
        raise failed
    body = json_body(required=False)
    handed = fresh_token(gateway(), caller().client, wanted_token(caller().client, connection_id, body))
    return jsonify(token_document(handed))


def shown_one(connection: Connection) -> dict[str, Any]:
    """One connection with how it came in, where an app moved it in."""
    with gateway().store.read() as tx:
        adoption = connections.adoption_of(tx, gateway().vault, connection.id)
    moved = (
        {}
        if adoption is None
        else {"adopted_at": iso(adoption.adopted_at), "confirmed": adoption.confirmed_at is not None}
    )
    return shown(connection, _asked_scopes([connection])) | moved


def visible(client: Client, connection_id: str) -> Connection:
    """The connection, where this client may see it. Raises NotFound: foreign and absent look the same."""
    with gateway().store.read() as tx:
        connection = connections.find(tx, gateway().vault, client.tenant_id, connection_id)
    if connection is None or (client.integrations and connection.integration_id not in client.integrations):
        raise NotFound("connection", code="unknown_connection")
    return connection


def wanted_token(client: Client, connection_id: str, asked: Mapping[str, Any]) -> Wanted:
    """What a request for a token says. `purpose` defaults to the client's first registered one.

    Raises:
        BadInput: an unknown purpose, a `min_ttl` that is no number of seconds, a scope that is no text.
    """
    default = client.purposes[0] if client.purposes else Purpose.SERVICE.value
    min_ttl = asked.get("min_ttl", DEFAULT_MIN_TTL_S)
    if isinstance(min_ttl, str) and min_ttl.isascii() and min_ttl.isdigit():
        min_ttl = int(min_ttl[:9])
    if type(min_ttl) is not int or min_ttl < 0:
        raise BadInput("invalid_request", "min_ttl is a number of seconds, zero or more.")
    scope = asked.get("scope", "")
    if not isinstance(scope, str):
        raise BadInput("invalid_request", "scope is text: scopes with spaces between them.")
    try:
        purpose = Purpose(asked.get("purpose", default))
    except UnknownWord as error:
        raise BadInput("invalid_request", f"purpose is one of: {', '.join(error.known)}.") from None
    return Wanted(connection_id, purpose, min_ttl, tuple(scope.split()))


def token_document(handed: Handed) -> dict[str, Any]:
    """A token as it leaves. The only place where it is revealed."""
    document: dict[str, Any] = {
        "access_token": handed.access_token.reveal(),
        "token_type": handed.token_type,
        "scope": " ".join(handed.scopes),
        "clause": handed.clause,
    }
    if handed.expires_in_s is not None:
        document["expires_in"] = handed.expires_in_s
    if handed.stale:
        document["stale"] = True
    return document


def shown(connection: Connection, asked_scopes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """A connection as the API shows it."""
    asked = asked_scopes.get(connection.integration_id, ())
    document: dict[str, Any] = {
        "id": connection.id,
        "user": connection.sub,
        "provider": connection.provider,
        "integration": connection.integration_id,
        "state": connection.state.value,
        "state_in_words": in_words(connection.state),
        "granted_scopes": list(connection.granted_scopes),
        "missing_scopes": [scope for scope in asked if scope not in connection.granted_scopes],
        "can_refresh": connection.can_refresh,
        "created_at": iso(connection.created_at),
        "authorized_at": iso(connection.authorized_at),
    }
    optional = {
        "reason": connection.reason,
        "ended_by": connection.ended_by,
        "expires_at": iso(connection.expires_at),
        "reauth_by": iso(connection.reauth_by),
        "revoked_at": iso(connection.revoked_at),
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def _asked_scopes(found: list[Connection]) -> dict[str, tuple[str, ...]]:
    """What each integration asks for, to say what is missing."""
    with gateway().store.read() as tx:
        read = {one.integration_id: integration_with_id(tx, gateway().vault, one.integration_id) for one in found}
    return {name: integration.scopes for name, integration in read.items() if integration is not None}
