"""The gateway's errors as answers, sorted once.

A caller sees code, hint and clause; `detail` and whatever was not foreseen go to the log alone, under the request's id.
"""

from __future__ import annotations

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from connector.http.context import request_id
from connector.http.oauth.errors import oauth_answer
from connector.http.pages.error import error_page
from connector.http.problems import problem_answer
from connector.http.surfaces import Surface, surface_of
from connector.model.errors import ConnectorError, Misconfigured, NotFound, TooMany, TryLater
from vault import KeyServiceOut

_log = structlog.get_logger()
_SERVER_ERROR = 500
_KEYS_BACK_S = 10  # as long as a key service is left alone that did not answer
_NAMED = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    400: "bad_request",
}
_HINTS = {
    405: "This address does not take that method; the Allow header lists those it does.",
    413: "The request is larger than this address takes.",
    415: "This address does not take that content type.",
}


class FromHttp(ConnectorError):
    """What Flask itself refuses: no such route, wrong method, too large."""

    def __init__(self, error: HTTPException) -> None:
        self.status = error.code or _SERVER_ERROR
        super().__init__(_NAMED.get(self.status, "bad_request"), _HINTS.get(self.status, "The request cannot be read."))


class Unexpected(ConnectorError):
    """Something nobody foresaw. The caller learns only that, and under which id it was logged."""

    def __init__(self) -> None:
        super().__init__("server_error", "Something went wrong here; nothing you sent is at fault. Try again later.")


def install(app: Flask) -> None:
    """Map every error of `app` to its answer."""
    app.register_error_handler(ConnectorError, answer_for)
    app.register_error_handler(KeyServiceOut, _without_keys)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(Exception, _unexpected)


def answer_for(error: ConnectorError) -> Response:
    """The answer for an error, in the form of the surface that was asked."""
    _note(error)
    surface = surface_of(request.path)
    if surface is Surface.OAUTH:
        answer = oauth_answer(error)
    elif surface is Surface.PAGE:
        answer = error_page(error, request_id())
    else:
        answer = problem_answer(error, request_id())
    if isinstance(error, TooMany | TryLater):
        answer.headers["Retry-After"] = str(max(1, error.retry_after_s))
    return answer


def _from_http(error: HTTPException) -> Response:
    if error.response is not None and error.code is None:
        return Response(status=error.response.status_code, headers=dict(error.response.headers))
    if error.code is not None and error.code < 400:  # noqa: PLR2004  redirects are answers, not errors
        return Response(status=error.code, headers=dict(error.get_headers()))
    answer = answer_for(NotFound("address") if error.code == 404 else FromHttp(error))  # noqa: PLR2004  RFC 9110
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def _without_keys(error: KeyServiceOut) -> Response:
    hint = "The keys that this needs cannot be had just now. Nothing was lost; ask again."
    return answer_for(TryLater(hint, retry_after_s=_KEYS_BACK_S, code="keys_unavailable", detail=error.what))


def _unexpected(error: Exception) -> Response:
    # The text of a foreign exception may hold values of the request: only its kind and its places are logged.
    _log.error("http.unexpected", kind=type(error).__name__, at=_places(error))
    return answer_for(Unexpected())


def _places(error: BaseException) -> list[str]:
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/site-packages/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-12:]


def _note(error: ConnectorError) -> None:
    if isinstance(error, Misconfigured):
        _log.error("http.misconfigured", code=error.code, hint=error.hint, detail=error.detail)
    elif error.status >= _SERVER_ERROR and not isinstance(error, Unexpected):
        _log.warning("http.failed", code=error.code, detail=error.detail)
    elif error.detail:
        _log.info("http.refused", code=error.code, detail=error.detail)
