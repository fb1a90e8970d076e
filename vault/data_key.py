"""An owner's data key while it is in use."""

from collections.abc import Sequence

from vault import record, rowseal
from vault.address import Address, Owner
from vault.derivation import keyed_hash, subkey
from vault.errors import OwnerMismatch
from vault.key_material import KeyMaterial
from vault.lp import lp
from vault.rowseal import Field


class DataKey(KeyMaterial):
    """One epoch of one owner's key. Safe to share between threads; not to be kept after its request.

    The subkey of row seals is derived when first needed and stays with the object.
    """

    __slots__ = ("_key", "_row_key", "epoch", "owner")

    def __init__(self, owner: Owner, epoch: int, key: bytes) -> None:
        self.owner = owner
        self.epoch = epoch
        self._key = key
        self._row_key: bytes | None = None

    def seal(self, address: Address, plaintext: bytes, *, generation: int, tags: bytes = b"") -> bytes:
        """The plaintext as a gv1 record bound to the address, the generation and the tags.

        Raises:
            OwnerMismatch: the address is not this key's owner's.
            TooLong: more than `record.MAX_PLAINTEXT` bytes.
            ValueError: the generation is no unsigned 64-bit number.
        """
        owner = self.owner
        if address.owner_id != owner.id or address.owner_kind != owner.kind or address.tenant != owner.tenant:
            raise OwnerMismatch("a key seals only at its own owner's addresses; fetch the key of that owner")
        return record.seal(self._key, self.epoch, address, plaintext, generation=generation, tags=tags)

    def open(self, address: Address, blob: bytes, *, generation: int, tags: bytes = b"") -> bytes:
        """The plaintext of a record; raises as `record.open_record` does."""
        return record.open_record(self._key, self.epoch, address, blob, generation=generation, tags=tags)

    def seal_row(self, table: str, fields: Sequence[Field]) -> bytes:
        """The 32-byte seal over the fields of a row, in their order."""
        return rowseal.seal_row(self._row_subkey(), table, fields)

    def check_row(self, table: str, fields: Sequence[Field], seal: bytes) -> None:
        """Nothing, if the seal is the row's; RowSealBroken otherwise."""
        rowseal.check_row(self._row_subkey(), table, fields, seal)

    def mac(self, purpose: str, *parts: bytes) -> bytes:
        """HMAC-SHA256 over the parts, under a subkey of its own for each purpose."""
        return keyed_hash(self._subkey(b"gw/mac/v1", purpose.encode()), lp(*parts))

    def _row_subkey(self) -> bytes:
        # Two threads that race here derive the same bytes, so no lock is needed.
        if self._row_key is None:
            self._row_key = self._subkey(b"gw/row/v1")
        return self._row_key

    def _subkey(self, *label: bytes) -> bytes:
        owner = self.owner
        return subkey(
            self._key,
            lp(
                *label,
                owner.tenant.encode(),
                owner.kind.encode(),
                owner.id.encode(),
                self.epoch.to_bytes(4, "big"),
            ),
        )
