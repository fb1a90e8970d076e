"""Keys from keys by HKDF (RFC 5869), keyed hashes by HMAC (RFC 2104), both with SHA-256: the only ones of the house."""

from hmac import digest

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_SHA256 = SHA256()


def derive(key: bytes, info: bytes, *, salt: bytes | None = None, length: int = KEY_BYTES) -> bytes:
    """`length` bytes from a uniformly random key; an absent salt is a block of zeros (RFC 5869 section 2.2)."""
    return HKDF(_SHA256, length, salt, info).derive(key)


def subkey(key: bytes, info: bytes) -> bytes:
    """32 bytes for one use of a uniformly random key: HKDF's expansion alone, one block of it.

    Extraction gains nothing where the key is uniform (RFC 5869 section 3.3), and costs half of the time.
    """
    return keyed_hash(key, info + b"\x01")


def keyed_hash(key: bytes, message: bytes) -> bytes:
    """32 bytes that only a holder of the key can make, never cut."""
    return digest(key, message, "sha256")
