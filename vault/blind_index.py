"""Blind indexes: equal inputs give equal bytes, so that a row can be found by a value the database never sees.

The output is full width (256 bits). It still tells a reader of the database which rows of one tenant and purpose
are equal; it tells nothing across tenants or purposes. The index key is random, not derived from the tenant's
wrapping key, so rotating that one breaks no look-up.
"""

from hmac import digest

from vault.derivation import subkey
from vault.key_material import KeyMaterial
from vault.lp import lp


class IndexKey(KeyMaterial):
    """A tenant's key for blind indexes."""

    __slots__ = ("_key", "_tenant")

    def __init__(self, tenant: str, key: bytes) -> None:
        self._tenant = tenant.encode()
        self._key = key

    def index(self, purpose: str, parts: tuple[bytes, ...]) -> bytes:
        """32 bytes for the parts under the purpose. Exact bytes: the caller normalises, if anyone does."""
        purpose_key = subkey(self._key, lp(b"gw/bidx/v1", self._tenant, purpose.encode()))
        return digest(purpose_key, lp(*parts), "sha256")
