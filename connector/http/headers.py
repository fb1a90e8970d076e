"""Headers that every answer carries: nothing is stored, framed, sniffed, or told to the next site."""

from __future__ import annotations

from flask import Flask, Response

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
        headers = answer.headers
        for name, value in _ALWAYS.items():
            headers[name] = value
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("Content-Security-Policy", _POLICY)
        if production:
            headers["Strict-Transport-Security"] = HSTS
        return answer
