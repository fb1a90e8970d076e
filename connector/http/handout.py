"""The one route that workers ask all day, in front of Flask: `POST /v1/connections/{id}/token`.

It does what the route behind it does, by the same functions, and answers only what went well. Everything else goes on
to Flask: a request that it does not take as it is, and an outcome that is an error, which the route then raises. So
there is one place for errors, limits and descriptions, and a plain fast way for the rest (docs/decisions, "A front for
handouts").
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog

from connector.clients import Caller, access_token_of
from connector.clients.json_text import strict_object
from connector.flows.fresh_token import fresh_token
from connector.flows.gateway import Gateway
from connector.http import metrics
from connector.http.api.connections import HANDOUT_FAILED, token_document, wanted_token
from connector.http.headers import content_security_policy
from connector.model.ids import new_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE = "/v1/connections/<connection_id>/token"
SCOPE = "tokens:exchange"
MAX_BODY = 4096

_PATH = re.compile(r"/v1/connections/([a-z0-9_]{1,64})/token")
_BEARER = "Bearer "
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", content_security_policy()),
]
_log = structlog.get_logger("http")


class Handouts:
    """WSGI in front of `behind`."""

    def __init__(self, gateway: Gateway, behind: WSGIApplication) -> None:
        self._gateway = gateway
        self._behind = behind

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        asked = _PATH.fullmatch(environ.get("PATH_INFO", "")) if environ["REQUEST_METHOD"] == "POST" else None
        body = None if asked is None else _body(environ)
        if asked is None or body is None:
            return self._behind(environ, start_response)
        began = self._gateway.clock.monotonic()
        request_id = new_id("req")
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            answer = self._answer(environ["HTTP_AUTHORIZATION"], asked[1], body)
        except Exception as error:  # noqa: BLE001  whatever it is, the route behind raises it and it is mapped there
            environ[HANDOUT_FAILED] = error
            answer = None
        if answer is None:
            return self._behind(environ, start_response)
        took = self._gateway.clock.monotonic() - began
        metrics.answered("POST", ROUTE, 200, took)
        _log.info("http.answered", method="POST", route=ROUTE, status=200, ms=round(took * 1000, 1))
        start_response("200 OK", [*_HEADERS, ("Content-Length", str(len(answer))), ("X-Request-Id", request_id)])
        return [answer]

    def _answer(self, authorization: str, connection_id: str, body: bytes) -> bytes | None:
        """The token as JSON; None for a caller who is not let in here, whom the route behind tells why."""
        caller = self._caller(authorization)
        if caller is None or caller.kind != "client" or SCOPE not in caller.scopes:
            return None
        try:
            asked: dict[str, Any] = strict_object(body) if body else {}
        except ValueError:
            return None
        handed = fresh_token(self._gateway, caller.client, wanted_token(caller.client, connection_id, asked))
        return json.dumps(token_document(handed), separators=(",", ":")).encode() + b"\n"

    def _caller(self, authorization: str) -> Caller | None:
        with self._gateway.store.read() as tx:
            return access_token_of(tx, self._gateway.vault, authorization.removeprefix(_BEARER))


def _body(environ: WSGIEnvironment) -> bytes | None:
    """The body of a request that is as plain as nearly all are; None for any other. It can be read again."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if (
        environ.get("QUERY_STRING")
        or "HTTP_TRANSFER_ENCODING" in environ
        or not environ.get("HTTP_AUTHORIZATION", "").startswith(_BEARER)
        or not (length.isascii() and length.isdecimal() and len(length) < 5 and int(length) <= MAX_BODY)  # noqa: PLR2004  digits
    ):
        return None
    if length == "0":
        return b""
    if environ.get("CONTENT_TYPE") != "application/json":
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
