"""Our own ID token (OpenID Connect Core section 2), RS256."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt

from connector.clients import signing_key
from connector.flows.gateway import Gateway
from connector.storage import Transaction
from providers.secret import Secret

LIFETIME_S = 600
_OURS = frozenset({"iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "at_hash", "idp", "connection"})


@dataclass(frozen=True, slots=True)
class IdToken:
    """What the token says. `auth_time` in seconds since the epoch."""

    sub: str
    client_id: str
    provider: str
    connection_id: str
    nonce: str | None
    auth_time: int
    access_token: Secret
    claims: Mapping[str, Any] = field(repr=False)


def issue(gateway: Gateway, tx: Transaction, token: IdToken) -> Secret:
    """The signed token. Raises Misconfigured where there is no signing key."""
    signing = signing_key(tx, gateway.vault, "id_token")
    now_s = tx.now() // 1000
    ours = {
        "iss": gateway.settings.server.public_url,
        "sub": token.sub,
        "aud": token.client_id,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
        "auth_time": token.auth_time,
        "at_hash": at_hash(token.access_token),
        "idp": token.provider,
        "connection": token.connection_id,
    }
    if token.nonce is not None:
        ours["nonce"] = token.nonce
    theirs = {name: value for name, value in token.claims.items() if name not in _OURS}
    header = {"alg": signing.algorithm, "kid": signing.kid, "typ": "JWT"}
    return Secret(jwt.encode(header, {**theirs, **ours}, signing.key))


def at_hash(access_token: Secret) -> str:
    """OpenID Connect Core section 3.1.3.6, for RS256: the left half of the SHA-256."""
    digest = hashlib.sha256(access_token.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
