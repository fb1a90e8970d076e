"""Facebook's own requests to us: a person removed the app, or wants their data deleted.

Both come as a form with `signed_request`: signature "." payload, each in base64url without padding; the signature is
HMAC-SHA256 over the payload as it stands, encoded, with the app secret. The signature is checked before anything is
read, and the algorithm is ours to say, not the payload's.

Source: developers.facebook.com, "Data deletion request callback".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from providers.capabilities import Registration, Signal, SignalRequest
from providers.errors import ProviderError
from providers.facebook.graph import ISSUER

KINDS: Mapping[str, Literal["deauthorized", "delete_data"]] = {
    "facebook-deauthorize": "deauthorized",
    "facebook-data-deletion": "delete_data",
}
WINDOW_S = 86_400  # how old a request may be
AHEAD_S = 300  # how far Facebook's clock may be ahead of ours

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_MAX_BODY = 16 * 1024


def signal(registration: Registration, request: SignalRequest, now: int) -> Signal:
    """The signal, checked. `now` in ms. Raises ProviderError(mismatch) for anything not signed for us, or too old."""
    means = KINDS.get(request.kind)
    if means is None:
        raise _not_ours("unknown_kind")
    payload, signature = _parts(request.body)
    expected = hmac.new(registration.client_secret.reveal().encode(), payload.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(expected, signature):
        raise _not_ours("signature")
    said = _read(payload)
    if said.get("algorithm") != "HMAC-SHA256":
        raise _not_ours("algorithm")
    return Signal(_signal_id(request.kind, payload), means, ISSUER, _user_id(said), _issued_at(said, now))


def _parts(body: bytes) -> tuple[str, bytes]:
    """The payload as it stands, and the signature's bytes."""
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=16) if len(body) <= _MAX_BODY else []
    except ValueError:
        fields = []
    found = [value for name, value in fields if name == "signed_request"]
    signature, dot, payload = (found[0] if len(found) == 1 else "").partition(".")
    if not dot or not _BASE64URL.fullmatch(payload):
        raise _not_ours("signed_request")
    return payload, _decoded(signature)


def _decoded(text: str) -> bytes:
    """Base64url, padded again: it comes without."""
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(text):
        raise _not_ours("signed_request")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raise _not_ours("signed_request") from None


def _read(payload: str) -> dict[str, Any]:
    try:
        said = json.loads(_decoded(payload))
    except (ValueError, RecursionError):
        raise _not_ours("signed_request") from None
    if not isinstance(said, dict):
        raise _not_ours("signed_request")
    return said


def _user_id(said: Mapping[str, Any]) -> str:
    user_id = said.get("user_id")
    if not isinstance(user_id, str) or not user_id.isdecimal():
        raise _not_ours("user_id")
    return user_id


def _issued_at(said: Mapping[str, Any], now: int) -> int:
    """When it was signed, in ms; refused outside the window, so that an old one cannot be played again."""
    issued = said.get("issued_at")
    if not isinstance(issued, int) or isinstance(issued, bool):
        raise _not_ours("issued_at")
    age_s = now // 1000 - issued
    if age_s > WINDOW_S or age_s < -AHEAD_S:
        raise _not_ours("issued_at")
    return issued * 1000


def _signal_id(kind: str, payload: str) -> str:
    """The same for the same request, whoever sends it again."""
    return "fb_" + hashlib.sha256(f"{kind}.{payload}".encode()).hexdigest()[:40]


def _not_ours(code: str) -> ProviderError:
    return ProviderError("mismatch", code, "The request is not signed by Facebook for this app, or it is too old.")
