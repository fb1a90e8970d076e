"""A tenant's key while it is in use: it wraps the data keys of the tenant's owners.

A wrapped data key is 12 bytes of random nonce, 32 of ciphertext and 16 of tag, AES-256-GCM. Random nonces carry one
wrapping key through about 2^32 wraps (NIST SP 800-38D section 8.3); a tenant that makes a hundred keys a second gets
there in sixteen months, so a tenant key must be replaced before that.
"""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.address import Owner
from vault.errors import TagMismatch
from vault.key_material import KeyMaterial
from vault.lp import lp_head, lp_tail

_NONCE_BYTES = 12
_PARTS = 6  # label, tenant key, tenant, owner's kind and id, epoch


class TenantKey(KeyMaterial):
    """Wraps and unwraps data keys; bound to the id of its row."""

    __slots__ = ("_cipher", "_head")

    def __init__(self, key_id: str, key: bytes) -> None:
        self._head = lp_head(_PARTS, b"gw/data-key/v1", key_id.encode())
        self._cipher = AESGCM(key)

    def wrap(self, owner: Owner, epoch: int, data_key: bytes) -> bytes:
        """The data key, bound to its owner, its epoch and this tenant key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data_key, self._head + _tail(owner, epoch))

    def unwrap(self, owner: Owner, epoch: int, wrapped: bytes) -> bytes:
        """The data key that `wrap` was given.

        Raises:
            TagMismatch: altered, or moved from another owner, epoch or tenant key.
        """
        return self._opened(_tail(owner, epoch), wrapped)

    def rewrap(self, other: "TenantKey", owner: Owner, epoch: int, wrapped: bytes) -> bytes:
        """What this key wrapped, wrapped by the other one. Raises as `unwrap` does."""
        tail = _tail(owner, epoch)
        nonce = os.urandom(_NONCE_BYTES)
        cipher, head = other._cipher, other._head  # noqa: SLF001  another of the same class
        return nonce + cipher.encrypt(nonce, self._opened(tail, wrapped), head + tail)

    def _opened(self, tail: bytes, wrapped: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], self._head + tail)
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise TagMismatch("a wrapped data key was altered or moved from its row") from None


def _tail(owner: Owner, epoch: int) -> bytes:
    return _kind(owner.tenant, owner.kind) + lp_tail(owner.id.encode(), epoch.to_bytes(4, "big"))


@lru_cache(maxsize=4_096)
def _kind(tenant: str, kind: str) -> bytes:
    return lp_tail(tenant.encode(), kind.encode())
