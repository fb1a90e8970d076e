"""How a flow says no: on a page, back to the app, or to whoever redeems."""

from __future__ import annotations

from urllib.parse import urlencode

from connector.model.errors import BadInput, ConnectorError


class ShownOnly(BadInput):
    """For the person's eyes: no redirect URI is known to be the client's, or the browser is not known to be right."""


class SentBack(ConnectorError):
    """For the client: an error response (RFC 6749 section 4.1.2.1), or the same as JSON at the PAR endpoint.

    Attributes:
        error: the standard's word; `code` is ours.
        redirect_uri, state: of the client's own request, checked.
    """

    status = 400

    def __init__(self, error: str, hint: str, *, redirect_uri: str, state: str | None, code: str = "") -> None:
        super().__init__(code or error, hint)
        self.error = error
        self.redirect_uri = redirect_uri
        self.state = state


class GrantRefused(BadInput):
    """The code yields nothing: `invalid_grant` at the token endpoint (RFC 6749 section 5.2), `code` says why."""

    error = "invalid_grant"

    def __init__(self, code: str, hint: str, *, clause: str | None = None, detail: str = "") -> None:
        super().__init__(code, hint, detail=detail)
        self.clause = clause


def sent_back_url(problem: SentBack, issuer: str) -> str:
    """Where the browser goes with an error: the client's redirect URI, with our `iss` (RFC 9207)."""
    return with_answer(
        problem.redirect_uri,
        {"error": problem.error, "error_description": problem.hint},
        state=problem.state,
        issuer=issuer,
    )


def with_answer(redirect_uri: str, answer: dict[str, str], *, state: str | None, issuer: str) -> str:
    """The redirect URI with an authorization response in its query."""
    fields = answer | ({} if state is None else {"state": state}) | {"iss": issuer}
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(fields)}"
