"""Signals from this provider to an app: a person has ended its access, or wants its data gone.

The body is JSON; `Rehearsal-Signature: sha256=<hex>` is HMAC-SHA256 of the body with the client's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
from urllib.parse import urlsplit

from providers.rehearsal.server.state import State

KINDS = {"rehearsal-deauthorize": "deauthorized", "rehearsal-data-deletion": "delete_data"}
SIGNATURE = "Rehearsal-Signature"
TIMEOUT_S = 10.0


def signed(secret: str, body: bytes) -> str:
    """The value of the signature header."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signal_body(state: State, kind: str, issuer: str, client_id: str, person: str) -> bytes:
    """The JSON of one event, new each time."""
    event = {
        "event": KINDS[kind],
        "event_id": "ev_" + secrets.token_hex(12),
        "issuer": issuer,
        "client_id": client_id,
        "subject": person,
        "issued_at": state.now(),
    }
    return json.dumps(event, separators=(",", ":")).encode()


def send(state: State, kind: str, url: str, client_id: str, body: bytes) -> tuple[int, str]:
    """Post one signed event; the status and text of the answer. Raises OSError where nobody listens."""
    client = state.client(client_id)
    headers = {"Content-Type": "application/json", SIGNATURE: signed(client.secret if client else "", body)}
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    connection = kinds[parts.scheme](parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        answer = connection.getresponse()
        text = answer.read(65_536).decode("utf-8", "replace")
    finally:
        connection.close()
    state.oracle.note("signal_sent", kind=kind, status=str(answer.status))
    return answer.status, text
