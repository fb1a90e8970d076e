"""A provider's public keys (RFC 7517): which of them may verify a signature, and which are left out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from providers.errors import ProviderError

Key = RSAKey | ECKey | OKPKey

MAX_KEYS = 100
MAX_KID = 255
_MIN_RSA_BYTES = 256  # 2048 bits
_MAX_RSA_BYTES = 1024  # larger ones only cost time
_MAX_EXPONENT_BYTES = 8
_PUBLIC: Mapping[str, tuple[str, ...]] = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}
_FITS: Mapping[str, tuple[str, str]] = {
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
KNOWN_ALGORITHMS = frozenset(_FITS)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One usable key: its id, what it is said to be for, and the key itself."""

    kid: str | None
    kty: str
    curve: str
    alg: str | None
    key: Key = field(repr=False)

    def fits(self, alg: str) -> bool:
        """Whether a signature by this algorithm can be verified with it."""
        return (self.kty, self.curve) == _FITS[alg] and self.alg in {None, alg}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a set."""

    keys: tuple[PublicKey, ...]

    def candidates(self, kid: str | None, alg: str) -> tuple[PublicKey, ...]:
        """The keys that may have signed: those of that id; without an id, or in a set without ids, the only one.

        Raises:
            ProviderError: mismatch, where there is no id and several keys fit.
        """
        fitting = tuple(key for key in self.keys if key.fits(alg))
        if kid is not None:
            named = tuple(key for key in fitting if key.kid == kid)
            if named or any(key.kid is not None for key in self.keys):
                return named
        if len(fitting) > 1:
            raise ProviderError("mismatch", "kid_absent", "The ID token does not say which of several keys signed it.")
        return fitting


def read_key_set(raw: Mapping[str, Any]) -> KeySet:
    """The usable keys of a JWKS document. Keys that are weak, private, symmetric or not for signatures are left out.

    Raises:
        ProviderError: garbage, where it is no key set, holds too many keys, or none that can be used.
    """
    listed = raw.get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ProviderError("garbage", "key_set_unreadable", "The provider's key set cannot be read.")
    keys = tuple(key for entry in listed if (key := _read_key(entry)) is not None)
    if not keys:
        raise ProviderError("garbage", "key_set_empty", "The provider's key set has no key that can be used.")
    return KeySet(keys)


def _read_key(raw: Any) -> PublicKey | None:
    if not isinstance(raw, dict) or not _is_for_signatures(raw):
        return None
    names = _PUBLIC.get(str(raw.get("kty")))
    if names is None or not all(isinstance(raw.get(name), str) for name in names):
        return None
    public: dict[str, str | list[str]] = {name: str(raw[name]) for name in names}
    kid, alg = raw.get("kid"), raw.get("alg")
    if not (kid is None or (isinstance(kid, str) and len(kid) <= MAX_KID)):
        return None
    key = _import(public)
    if key is None:
        return None
    return PublicKey(kid, str(raw["kty"]), str(public.get("crv", "")), alg if isinstance(alg, str) else None, key)


def _is_for_signatures(raw: Mapping[str, Any]) -> bool:
    operations = raw.get("key_ops")
    if raw.get("use", "sig") != "sig" or "d" in raw or "k" in raw:
        return False
    return operations is None or (isinstance(operations, list) and "verify" in operations)


def _import(public: dict[str, str | list[str]]) -> Key | None:
    try:
        if public["kty"] == "EC":
            return ECKey.import_key(public)
        if public["kty"] == "OKP":
            return OKPKey.import_key(public)
        if not _is_fair_rsa(public):
            return None
        return RSAKey.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _is_fair_rsa(public: Mapping[str, str | list[str]]) -> bool:
    modulus, exponent = (_bytes(str(public[name])) for name in ("n", "e"))
    if not _MIN_RSA_BYTES <= len(modulus) <= _MAX_RSA_BYTES or modulus[0] < 0x80:  # noqa: PLR2004  the top bit: a full 2048
        return False
    return len(exponent) <= _MAX_EXPONENT_BYTES and int.from_bytes(exponent) > 1


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).lstrip(b"\0")
