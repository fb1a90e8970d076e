"""Identifiers: a prefix that says what it names, and 128 random bits.

An id is no secret and grants nothing by itself. Tokens, codes and states are secrets: `new_secret`.
"""

from __future__ import annotations

import base64
import secrets

GATEWAY_TENANT = "gateway"  # owns the keys of the gateway itself: what it signs with

PREFIXES = {
    "ten": "tenant",
    "cli": "client",
    "int": "integration",
    "usr": "user (sub)",
    "psn": "pseudonym (a person in the ledger)",
    "idn": "identity",
    "con": "connection",
    "azn": "authorization",
    "imp": "import",
    "dlv": "delivery",
    "rvk": "revocation",
    "rcp": "receipt",
    "cns": "consent",
    "rec": "record",
    "crd": "card",
    "sig": "signal",
    "key": "tenant key",
    "shr": "shredded key",
    "orp": "orphan",
    "req": "request",
    "wrk": "worker",
    "sec": "client secret",
    "ntc": "notice",
    "ibx": "notice in a person's inbox",
    "stc": "stance",
    "mal": "letter",
    "rel": "release to somebody outside",
    "fwd": "forwarded erasure",
    "chd": "child's account",
}


def new_id(prefix: str) -> str:
    """A fresh id such as `con_7v3k…`: prefix, underscore, 26 base32 characters (128 bits)."""
    if prefix not in PREFIXES:
        raise ValueError(f"{prefix!r} is no known id prefix; add it to PREFIXES with its meaning")
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


def new_secret(prefix: str = "") -> str:
    """A fresh bearer secret: 256 random bits, base64url without padding, behind an optional prefix."""
    return f"{prefix}{secrets.token_urlsafe(32)}"
