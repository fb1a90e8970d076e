"""Blind indexes: equal inputs give equal bytes, so that a row can be found by a value the database never sees.

The output is full width (256 bits). It still tells a reader of the database which rows of one tenant and purpose
are equal; it tells nothing across tenants or purposes. The index keys are random, not derived from the tenant's
wrapping key, so rotating that one breaks no look-up.

A newer index key is a further layer: it makes the new index out of the old one. So an index can be replaced without
anybody knowing what it stands for, which is the point of keeping an index alone; and whoever holds an older key, but
not the newest, can try no guess on what is stored.
"""

from dataclasses import dataclass

from vault.derivation import keyed_hash, subkey
from vault.key_material import KeyMaterial
from vault.lp import lp


@dataclass(frozen=True, slots=True)
class BlindIndex:
    """What is stored for a value now, and what comes beside it while a newer key is brought in."""

    now: bytes
    next: bytes | None = None


class IndexKey(KeyMaterial):
    """A tenant's key for blind indexes."""

    __slots__ = ("_key", "_tenant")

    def __init__(self, tenant: str, key: bytes) -> None:
        self._tenant = tenant.encode()
        self._key = key

    def index(self, purpose: str, parts: tuple[bytes, ...]) -> bytes:
        """32 bytes for the parts under the purpose. Exact bytes: the caller normalises, if anyone does."""
        purpose_key = subkey(self._key, lp(b"gw/bidx/v1", self._tenant, purpose.encode()))
        return keyed_hash(purpose_key, lp(*parts))

    def over(self, purpose: str, index: bytes) -> bytes:
        """32 bytes for an index that an older key made."""
        purpose_key = subkey(self._key, lp(b"gw/bidx-layer/v1", self._tenant, purpose.encode()))
        return keyed_hash(purpose_key, index)


class Indexes(KeyMaterial):
    """A tenant's index keys as they are in use at one moment.

    `names` are the ids of their rows, oldest first, with a mark before the one that is being brought in: equal only
    while nothing changed.
    """

    __slots__ = ("_layers", "_next", "names")

    def __init__(self, names: tuple[str, ...], layers: tuple[IndexKey, ...], coming: IndexKey | None) -> None:
        self.names = names
        self._layers = layers
        self._next = coming

    @property
    def changing(self) -> bool:
        """Whether a newer key is being brought in."""
        return self._next is not None

    def of(self, purpose: str, *parts: bytes) -> BlindIndex:
        """What stands for the parts: equal only for equal parts of this tenant and purpose."""
        index = self._layers[0].index(purpose, parts)
        for layer in self._layers[1:]:
            index = layer.over(purpose, index)
        return BlindIndex(index, self.next_of(purpose, index))

    def next_of(self, purpose: str, index: bytes) -> bytes | None:
        """What the key that is being brought in makes of a stored index; None where there is none."""
        return None if self._next is None else self._next.over(purpose, index)
