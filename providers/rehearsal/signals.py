"""Rehearsal's signals: JSON whose HMAC-SHA256 with the client's secret stands in `Rehearsal-Signature`."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Literal

from providers.capabilities import Registration, Signal, SignalRequest
from providers.errors import ProviderError

KINDS: Mapping[str, Literal["deauthorized", "delete_data"]] = {
    "rehearsal-deauthorize": "deauthorized",
    "rehearsal-data-deletion": "delete_data",
}
WINDOW_MS = 86_400_000  # how old a signal may be
AHEAD_MS = 300_000  # how far its clock may be ahead of ours

_MAX_BODY = 16 * 1024


def signal(registration: Registration, request: SignalRequest, now: int) -> Signal:
    """The signal, checked. Raises ProviderError(mismatch) for anything not signed for us, or too old."""
    means = KINDS.get(request.kind)
    if means is None or len(request.body) > _MAX_BODY:
        raise _not_ours("unknown_kind")
    expected = (
        "sha256=" + hmac.new(registration.client_secret.reveal().encode(), request.body, hashlib.sha256).hexdigest()
    )
    given = next((value for name, value in request.headers.items() if name.lower() == "rehearsal-signature"), "")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise _not_ours("signature")
    event = _read(request.body)
    if event.get("event") != means or event.get("client_id") != registration.client_id:
        raise _not_ours("event")
    if event.get("issuer") != registration.issuer:
        raise _not_ours("issuer")
    subject, signal_id, issued_at = event.get("subject"), event.get("event_id"), event.get("issued_at")
    if not isinstance(subject, str) or not isinstance(signal_id, str) or not subject or not signal_id:
        raise _not_ours("event")
    if not isinstance(issued_at, int) or not now - WINDOW_MS <= issued_at <= now + AHEAD_MS:
        raise _not_ours("issued_at")
    return Signal(signal_id, means, registration.issuer, subject, issued_at)


def _read(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise _not_ours("body") from None
    if not isinstance(event, dict):
        raise _not_ours("body")
    return event


def _not_ours(code: str) -> ProviderError:
    return ProviderError("mismatch", code, "The signal is not signed by Rehearsal for this app, or it is too old.")
