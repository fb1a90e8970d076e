"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from connector.authorizations.authorization import TABLE, address, sealed_fields
from connector.storage import Row
from vault import DataKey, Owner
from vault.verification import Keys, Place

_UNDER_WAY = "state NOT IN ('done', 'failed')"  # of the others nothing is left


def _row(keys: Keys, row: Row) -> None:
    _key(keys, row).check_row(TABLE, sealed_fields(row), bytes(row["seal"]))


def _document(keys: Keys, row: Row) -> None:
    where = address(row["tenant_id"], row["id"])
    _key(keys, row).open(where, bytes(row["sealed"]), generation=row["generation"])


def _key(keys: Keys, row: Row) -> DataKey:
    return keys.of(Owner(row["tenant_id"], "flow", row["id"]))


SEALED = (
    Place("authorizations", TABLE, ("id",), _row, _UNDER_WAY),
    Place("authorizations.sealed", TABLE, ("id",), _document, _UNDER_WAY),
)
