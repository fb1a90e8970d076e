"""Row seals: a keyed hash over the fields of a row, so that a writer of the database cannot widen anything.

Each field is encoded with its type, so that None, "", b"", 0 and "0" are five different things. Booleans count
as the integers they are stored as. A seal does not notice a whole row put back together with its old seal;
what must not go back carries a generation that something outside the row remembers.
"""

from collections.abc import Sequence
from hmac import compare_digest

from vault.derivation import keyed_hash
from vault.errors import RowSealBroken
from vault.lp import lp

Field = bytes | str | int | None

_LABEL = b"gw/row/v1"


def seal_row(key: bytes, table: str, fields: Sequence[Field]) -> bytes:
    """32 bytes that vouch for the fields, in their order, as a row of the table.

    Raises:
        TypeError: a field is neither bytes, str, int nor None.
    """
    return keyed_hash(key, lp(_LABEL, table.encode(), *[_typed(field) for field in fields]))


def check_row(key: bytes, table: str, fields: Sequence[Field], seal: bytes) -> None:
    """Nothing, if the seal is the row's.

    Raises:
        RowSealBroken: it is not.
        TypeError: a field is neither bytes, str, int nor None.
    """
    if not compare_digest(seal_row(key, table, fields), seal):
        raise RowSealBroken(f"the seal of a row in {table} does not match its fields")


def _typed(field: Field) -> bytes:
    if isinstance(field, str):
        return b"s" + field.encode()
    if field is None:
        return b"n"
    if isinstance(field, int):
        return b"i%d" % field
    if isinstance(field, bytes):
        return b"b" + field
    raise TypeError(f"a sealed row holds bytes, str, int or None, not {type(field).__name__}")
