"""Headers that every answer carries: nothing is stored, framed, sniffed, or told to the next site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HSTS = "max-age=31536000; includeSubDomains"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def content_security_policy(*form_targets: str) -> str:
    """No scripts, nothing inline, nothing from elsewhere. `form_targets`: origins a form's redirect may lead to."""
    targets = " ".join(("'self'", *form_targets))
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )


_POLICY = content_security_policy()


def install(app: Flask, *, production: bool) -> None:
    """Add the headers to every answer; a view's own Cache-Control and Content-Security-Policy stand."""

    @app.after_request
    def add(answer: Response) -> Response:
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers.setdefault("Content-Security-Policy", _POLICY)
        return answer

    fixed = [*_ALWAYS.items(), *([("Strict-Transport-Security", HSTS)] if production else [])]
    outer: Any = _Fixed(app.wsgi_app, fixed)
    app.wsgi_app = outer  # type: ignore[method-assign]  # Flask's own documented place for WSGI layers


class _Fixed:
    """WSGI: headers that are the same on every answer, added below Flask, which would check each one each time."""

    def __init__(self, app: WSGIApplication, fixed: list[tuple[str, str]]) -> None:
        self._app = app
        self._fixed = fixed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, headers + self._fixed, exc_info)

        return self._app(environ, start)
