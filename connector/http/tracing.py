"""One id per request, through every log line of it; and one line when it is answered, without its query string."""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, request

from connector.http import metrics
from connector.http.context import gateway
from connector.model.ids import new_id

_log = structlog.get_logger("http")
_QUIET = frozenset({"/healthz", "/readyz"})


def install(app: Flask) -> None:
    """Number requests, time them, log and count their answers."""

    @app.before_request
    def begin() -> None:
        g.request_id = new_id("req")
        g.began = gateway().clock.monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(answer: Response) -> Response:
        # The rule, not the path: paths hold ids, and a stranger's path may hold anything.
        route = request.url_rule.rule if request.url_rule else "unknown"
        took = gateway().clock.monotonic() - g.get("began", gateway().clock.monotonic())
        metrics.answered(request.method, route, answer.status_code, took)
        answer.headers["X-Request-Id"] = g.get("request_id", "")
        if request.path not in _QUIET:
            _log.info(
                "http.answered", method=request.method, route=route, status=answer.status_code, ms=round(took * 1000, 1)
            )
        return answer
