"""Ed25519 keys (RFC 8032): one object that signs, and the ways its public half is written."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "EdDSA"  # RFC 8037; the newer name of RFC 9864 is not yet known to most verifiers
KEY_LENGTH = 32


class Signer:
    """A key that signs. `private_key` is the raw 32 byte seed; keep it sealed. `kid` names it toward others."""

    __slots__ = ("_private", "kid", "public_key")

    def __init__(self, kid: str, private_key: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key = self._private.public_key().public_bytes_raw()
        self.kid = kid

    def __repr__(self) -> str:
        return f"Signer({self.kid!r})"

    @classmethod
    def of(cls, private_key: bytes) -> Signer:
        """A signer whose `kid` is the thumbprint of its public key (RFC 7638)."""
        public = Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
        return cls(thumbprint(public), private_key)

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(message)

    def public_jwk(self) -> dict[str, str]:
        """The public key as a JWK (RFC 8037)."""
        return public_jwk(self.kid, self.public_key)


def new_private_key() -> bytes:
    """A fresh private key: 32 raw bytes, to be sealed."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is this key's over this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def thumbprint(public_key: bytes) -> str:
    """The RFC 7638 thumbprint, base64url."""
    required = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public_key)}
    return base64url(hashlib.sha256(rfc8785.dumps(required)).digest())


def public_jwk(kid: str, public_key: bytes) -> dict[str, str]:
    """A public key as a JWK (RFC 8037)."""
    return {"alg": ALGORITHM, "crv": "Ed25519", "kid": kid, "kty": "OKP", "use": "sig", "x": base64url(public_key)}


def public_key_of(jwk: Mapping[str, object]) -> tuple[str, bytes]:
    """The `kid` and raw key of a JWK. Raises ValueError if it is no Ed25519 key with a kid, or holds a private part."""
    kid, x = jwk.get("kid"), jwk.get("x")
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(kid, str) or not isinstance(x, str):
        raise ValueError("not an Ed25519 JWK with a kid")
    if "d" in jwk:
        raise ValueError("a private key has no place among public ones")
    raw = from_base64url(x)
    if len(raw) != KEY_LENGTH:
        raise ValueError("an Ed25519 public key has 32 bytes")
    return kid, raw


def base64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of unpadded base64url. Raises ValueError for anything that `base64url` would not have written."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64url(data) != text:
        raise ValueError("not canonical base64url")
    return data
