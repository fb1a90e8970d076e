"""A tenant's key while it is in use: it wraps the data keys of the tenant's owners.

A wrapped data key is 12 bytes of random nonce, 32 of ciphertext and 16 of tag, AES-256-GCM. Random nonces carry one
wrapping key through about 2^32 wraps (NIST SP 800-38D section 8.3); a tenant that makes a hundred keys a second gets
there in sixteen months, so a tenant key must be replaced before that.
"""

import os
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag

from vault.address import Owner
from vault.cipher import NONCE_BYTES, Cipher
from vault.errors import TagMismatch
from vault.key_material import KeyMaterial
from vault.lp import lp_head, lp_tail
from vault.tables import Row

_PARTS = 6  # label, tenant key, tenant, owner's kind and id, epoch

Rewrapped = tuple[int | str, bytes, bytes]
"""A data key under another tenant key: where its row lies in the table, the old wrap and the new one."""


class TenantKey(KeyMaterial):
    """Wraps and unwraps data keys; bound to the id of its row."""

    __slots__ = ("_cipher", "_head")

    def __init__(self, key_id: str, key: bytes) -> None:
        self._head = lp_head(_PARTS, b"gw/data-key/v1", key_id.encode())
        self._cipher = Cipher(key)

    def wrap(self, owner: Owner, epoch: int, data_key: bytes) -> bytes:
        """The data key, bound to its owner, its epoch and this tenant key."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.seal(nonce, data_key, self._head + _tail(owner, epoch))

    def unwrap(self, owner: Owner, epoch: int, wrapped: bytes) -> bytes:
        """The data key that `wrap` was given.

        Raises:
            TagMismatch: altered, or moved from another owner, epoch or tenant key.
        """
        return self._opened(_tail(owner, epoch), wrapped)

    def rewrap(self, other: "TenantKey", tenant: str, rows: Sequence[Row]) -> tuple[list[Rewrapped], list[Row]]:
        """What this key wrapped, wrapped by the other one, and the rows that do not open.

        Written out for speed: a rotation does little else. Each nonce is random, drawn for all rows at once.
        """
        done: list[Rewrapped] = []
        broken: list[Row] = []
        opened, sealed, ours, theirs = self._cipher.open, other._cipher.seal, self._head, other._head  # noqa: SLF001  another of the same class
        nonces = os.urandom(NONCE_BYTES * len(rows))
        for start, row in enumerate(rows):
            kind, owner_id, epoch, wrapped = row["owner_kind"], row["owner_id"], row["epoch"], bytes(row["wrapped"])
            tail = _kind(tenant, kind) + lp_tail(owner_id.encode()) + _epoch(epoch)
            try:
                key = opened(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], ours + tail)
            except (InvalidTag, ValueError):
                broken.append(row)
                continue
            nonce = nonces[start * NONCE_BYTES : (start + 1) * NONCE_BYTES]
            done.append((row["place"], wrapped, nonce + sealed(nonce, key, theirs + tail)))
        return done, broken

    def _opened(self, tail: bytes, wrapped: bytes) -> bytes:
        try:
            return self._cipher.open(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._head + tail)
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise TagMismatch("a wrapped data key was altered or moved from its row") from None


def _tail(owner: Owner, epoch: int) -> bytes:
    return _kind(owner.tenant, owner.kind) + lp_tail(owner.id.encode()) + _epoch(epoch)


@lru_cache(maxsize=4_096)
def _kind(tenant: str, kind: str) -> bytes:
    return lp_tail(tenant.encode(), kind.encode())


@lru_cache(maxsize=256)
def _epoch(epoch: int) -> bytes:
    return lp_tail(epoch.to_bytes(4, "big"))
