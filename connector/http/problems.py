"""RFC 9457 problem details."""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import Response

from connector.model.errors import ConnectorError, Misconfigured, Unauthenticated

MEDIA_TYPE = "application/problem+json"


def problem_answer(error: ConnectorError, request_id: str) -> Response:
    """The problem document of an error. `type` is a name under our own tag URI, so that it never changes hosts."""
    shown = "This gateway is not set up for that; its operator finds the reason in the log."
    document = {
        "type": f"urn:account-connector:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": shown if isinstance(error, Misconfigured) else error.hint,
        "code": error.code,
    }
    clause = getattr(error, "clause", "")
    if clause:
        document["clause"] = clause
    if request_id:
        document["request_id"] = request_id
    answer = Response(json.dumps(document), error.status, content_type=MEDIA_TYPE)
    if isinstance(error, Unauthenticated) or error.code == "insufficient_scope":
        answer.headers["WWW-Authenticate"] = challenge(error)
    return answer


def challenge(error: ConnectorError) -> str:
    """The Bearer challenge (RFC 6750 section 3). Without credentials it names no error."""
    if error.code == "missing_token":
        return 'Bearer realm="account-connector"'
    words = [f'error="{error.code}"']
    scope = getattr(error, "scope", "")
    if scope:
        words.append(f'scope="{scope}"')
    return f'Bearer realm="account-connector", {", ".join(words)}'
