"""Refresh tokens that were replaced: remembered by a hash beside the one that replaced them, inside its seal.

A provider with a grace may answer a late retry with a token that it replaced long ago. Stored over the newer one it
would be the one that the provider punishes, so it must be recognised.
"""

from __future__ import annotations

import hashlib

from providers.secret import Secret

KEPT = 8
_HEX = 32


def mark(token: Secret) -> str:
    """What a spent token is known by."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()[:_HEX]


def packed(token: Secret, spent: tuple[str, ...]) -> bytes:
    """A refresh token with the marks of those before it. Tokens are visible ASCII, so a line end parts the two."""
    return "\n".join([token.reveal(), *spent[-KEPT:]]).encode()


def unpacked(plain: bytes) -> tuple[Secret, tuple[str, ...]]:
    """The token, and the marks of those before it."""
    token, *spent = plain.decode().split("\n")
    return Secret(token), tuple(spent)
