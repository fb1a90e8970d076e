"""One signing key for every Rehearsal of a test run: making one takes longer than most tests."""

from __future__ import annotations

from functools import cache

from joserfc.jwk import RSAKey


@cache
def shared_key() -> RSAKey:
    """The key. Tests of keys and their rotation let Rehearsal make its own."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "shared"}, private=True)
