"""Errors on OAuth routes: RFC 6749 section 5.2, RFC 6750 section 3.1, RFC 8693 section 2.2.2.

`error` is one of the words that the RFCs know; our own `code` and the policy's `clause` stand beside it.
"""

from __future__ import annotations

import json

from flask import Response, request

from connector.http.problems import challenge
from connector.model.errors import (
    ConnectorError,
    Forbidden,
    InvalidTarget,
    Misconfigured,
    TooMany,
    TryLater,
    Unauthenticated,
)

WORDS = frozenset(
    {
        "access_denied",
        "insufficient_scope",
        "interaction_required",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "invalid_token",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
        "unsupported_token_type",
    }
)


class OAuthError(ConnectorError):
    """An error whose OAuth word and own code both matter, such as invalid_grant with `account_already_linked`."""

    status = 400

    def __init__(self, error: str, hint: str, *, code: str = "", clause: str = "", detail: str = "") -> None:
        super().__init__(code or error, hint, detail=detail)
        self.error = error
        self.clause = clause

    @classmethod
    def of(cls, error: str, cause: ConnectorError) -> OAuthError:
        """The same failure under the OAuth word `error`."""
        clause = getattr(cause, "clause", "")
        return cls(error, cause.hint, code=cause.code, clause=clause, detail=cause.detail)


def oauth_answer(error: ConnectorError) -> Response:
    """The JSON answer of an OAuth route for an error."""
    word = _word(error)
    document = {"error": word, "error_description": _description(error)}
    if error.code != word:
        document["code"] = error.code
    clause = getattr(error, "clause", "")
    if clause:
        document["clause"] = clause
    answer = Response(json.dumps(document), _status(error, word), content_type="application/json")
    if word == "invalid_client":
        answer.headers["WWW-Authenticate"] = 'Basic realm="account-connector", charset="UTF-8"'
    elif request.path == "/oauth/userinfo" and answer.status_code in {401, 403}:
        answer.headers["WWW-Authenticate"] = challenge(error)
    return answer


def _word(error: ConnectorError) -> str:
    own = getattr(error, "error", error.code)  # flows name the word where it is not the code
    if own in WORDS:
        return str(own)
    if isinstance(error, InvalidTarget):
        return "invalid_target"
    if isinstance(error, Unauthenticated):
        return "invalid_token" if request.path == "/oauth/userinfo" else "invalid_client"
    if isinstance(error, TooMany | TryLater):
        return "temporarily_unavailable"
    if isinstance(error, Forbidden):
        return "unauthorized_client"
    return "server_error" if error.status >= 500 else "invalid_request"  # noqa: PLR2004  RFC 9110 section 15.6


def _status(error: ConnectorError, word: str) -> int:
    """400 but for credentials, rates and our own failures: what else went wrong is told by the word."""
    if word in {"invalid_client", "invalid_token"}:
        return 401
    if word == "insufficient_scope":
        return 403
    routed = error.code in {"not_found", "method_not_allowed", "too_large", "unsupported_media_type"}
    if isinstance(error, TooMany | TryLater) or error.status >= 500 or routed:  # noqa: PLR2004  RFC 9110 section 15.6
        return error.status
    return 400


def _description(error: ConnectorError) -> str:
    """The hint in the characters that error_description may have (RFC 6749 section 5.2): no quotes, no backslash."""
    if isinstance(error, Misconfigured):
        return "This gateway is not set up for that; its operator finds the reason in the log."
    kept = "".join(letter if " " <= letter <= "~" and letter not in '"\\' else "'" for letter in error.hint)
    return kept[:500]
