"""The page that says what went wrong, and what the person can do."""

from __future__ import annotations

from flask import Response, render_template

from connector.model.errors import ConnectorError, Misconfigured

_TITLES = {404: "There is nothing here", 429: "Too fast", 503: "Not just now"}
_OURS = "Something is not set up here. The people who run this service find the reason in their log."


def error_page(error: ConnectorError, request_id: str) -> Response:
    """The page for an error. It never redirects: where nobody knows whose request this is, nobody is sent anywhere."""
    page = render_template(
        "error.html",
        title=_title(error.status),
        message=_OURS if isinstance(error, Misconfigured) else error.hint,
        code=error.code,
        request_id=request_id,
    )
    return Response(page, error.status, content_type="text/html; charset=utf-8")


def _title(status: int) -> str:
    if status in _TITLES:
        return _TITLES[status]
    if status >= 500:  # noqa: PLR2004  the class of server errors, RFC 9110 section 15.6
        return "Something went wrong here"
    return "This did not work"
