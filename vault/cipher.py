"""The one AES-256-GCM of the house: keys of 32 bytes, nonces of 12, tags of 16, and nothing else.

Records, wrapped data keys, wrapped tenant keys and key files all seal and open through `Cipher`. What it does not take
is refused rather than adapted: shorter keys, nonces of other lengths (GCM hashes those, which makes repeats likelier)
and cut tags. Published vectors are run through this very class.
"""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.derivation import KEY_BYTES
from vault.key_material import KeyMaterial

NONCE_BYTES = 12
TAG_BYTES = 16


class Cipher(KeyMaterial):
    """AES-256-GCM (NIST SP 800-38D) under one key. Safe to share between threads."""

    __slots__ = ("_aes",)

    def __init__(self, key: bytes) -> None:
        """Take the key. Raises ValueError unless it has 32 bytes."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._aes = AESGCM(key)

    def seal(self, nonce: bytes, plaintext: bytes, bound: bytes) -> bytes:
        """Ciphertext and tag. The caller sees to it that no nonce comes twice. Raises ValueError for a bad nonce."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        return self._aes.encrypt(nonce, plaintext, bound)

    def open(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """The plaintext.

        Raises:
            cryptography.exceptions.InvalidTag: altered, of another key or nonce, bound to something else, or cut.
            ValueError: the nonce has another length.
        """
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        return self._aes.decrypt(nonce, sealed, bound)
