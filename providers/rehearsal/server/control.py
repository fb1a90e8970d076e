"""The controls under /_control, for tests and the demonstration.

GET  log                what the oracle saw, and every live token
DELETE log              forget what was seen
POST faults             a list of rules (see `faults`); replaces the table
POST people             add or change a person; contacts: a list, or {"put": [...], "delete": [...]}
POST clients            {client_id, client_secret, redirect_uris, signal_urls: {kind: url}}
POST settings           change live settings (see `config`)
POST clock              {"advance_s": n}: this provider's own clock moves on
POST keys               a new signing key; the old one stays published
POST revoke             {person, client_id, grant}, any of them: ends those grants without a word to the app
POST deauthorize        {person, client_id, kind, url}: ends the grants and posts the signal; kind is
                        rehearsal-deauthorize (default) or rehearsal-data-deletion; "grants": false leaves them
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request

from providers.rehearsal.server.config import Client
from providers.rehearsal.server.faults import Faults
from providers.rehearsal.server.oauth import issuer, state
from providers.rehearsal.server.signals import KINDS, send, signal_body
from providers.rehearsal.server.state import Refused


def control_routes(faults: Faults) -> Blueprint:  # noqa: C901  one small route after another
    """The blueprint, over this table of faults."""
    control = Blueprint("control", __name__, url_prefix="/_control")

    @control.get("/log")
    def read_log() -> Response:
        return jsonify({**state().oracle.report(), "live_tokens": state().live_tokens()})

    @control.delete("/log")
    def clear_log() -> Response:
        state().oracle.clear()
        return Response(status=HTTPStatus.NO_CONTENT)

    @control.post("/faults")
    def put_faults() -> Response:
        rules = request.get_json(silent=True)
        if not isinstance(rules, list):
            raise Refused("invalid_request", "Send a JSON list of fault rules; an empty one ends all faults.")
        try:
            return jsonify(rules=faults.replace(rules))
        except (ValueError, TypeError) as error:
            raise Refused("invalid_request", str(error)) from error

    @control.post("/people")
    def put_person() -> Response:
        values = _body("id")
        profile = state().put_person(values)
        return jsonify(id=profile.fields["id"], revision=profile.revision)

    @control.post("/clients")
    def put_client() -> Response:
        values = _body("client_id", "client_secret")
        state().clients[values["client_id"]] = Client(
            values["client_secret"], tuple(values.get("redirect_uris", ())), dict(values.get("signal_urls", {}))
        )
        return jsonify(client_id=values["client_id"])

    @control.post("/settings")
    def put_settings() -> Response:
        try:
            state().change_settings(_body())
        except ValueError as error:
            raise Refused("invalid_request", str(error)) from error
        return Response(status=HTTPStatus.NO_CONTENT)

    @control.post("/clock")
    def move_clock() -> Response:
        state().offset_ms += int(_body("advance_s")["advance_s"] * 1000)
        return jsonify(now=state().now())

    @control.post("/keys")
    def new_key() -> Response:
        state().rotate_keys()
        return Response(status=HTTPStatus.NO_CONTENT)

    @control.post("/revoke")
    def revoke() -> Response:
        return jsonify(ended=[grant.id for grant in state().end_grants(**_wanted(_body()))])

    @control.post("/deauthorize")
    def deauthorize() -> Response:
        return _deauthorize(_body("person", "client_id"))

    return control


def _deauthorize(values: dict[str, Any]) -> Response:
    kind, client_id, person = values.get("kind", "rehearsal-deauthorize"), values["client_id"], values["person"]
    client = state().client(client_id)
    url = values.get("url") or (client.signal_urls.get(kind) if client else None)
    if kind not in KINDS or not url:
        raise Refused("invalid_request", f"Name a url, or register one with the client; kinds are {', '.join(KINDS)}.")
    ended = state().end_grants(person=person, client_id=client_id) if values.get("grants", True) else []
    body = signal_body(state(), kind, issuer(), client_id, person)
    try:
        status, text = send(state(), kind, url, client_id, body)
    except OSError as error:
        raise Refused("unreachable", "Nobody answered at the signal's url.", HTTPStatus.BAD_GATEWAY) from error
    return jsonify(ended=[grant.id for grant in ended], status=status, answer=text)


def _wanted(values: dict[str, Any]) -> dict[str, str]:
    named = {"person": "person", "client_id": "client_id", "grant": "id"}
    return {named[name]: value for name, value in values.items() if name in named}


def _body(*needed: str) -> dict[str, Any]:
    values = request.get_json(silent=True)
    if not isinstance(values, dict) or any(name not in values for name in needed):
        raise Refused("invalid_request", f"Send a JSON object with {', '.join(needed) or 'the values'}.")
    return values
