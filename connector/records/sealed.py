"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from connector.records import cursors
from connector.records.values import open_value, stored_from
from connector.storage import Row
from vault import Owner, epoch_of
from vault.verification import Keys, Place

_CURSORS = (
    "(SELECT i.*, c.tenant_id FROM import_cursors i JOIN connections c ON c.id = i.connection_id)"
    " cursors_of_connections"
)


def _value(keys: Keys, row: Row) -> None:
    found = stored_from([row])
    if not found:
        raise ValueError("tags or origin cannot be read")
    open_value(keys.of(found[0].owner, found[0].key_epoch), found[0])


def _cursor(keys: Keys, row: Row) -> None:
    sealed = bytes(row["sealed"])
    key = keys.of(Owner(row["tenant_id"], "connection_data", row["connection_id"]), epoch_of(sealed))
    key.open(cursors._address(key, row["kind"], row["role"]), sealed, generation=row["generation"])  # noqa: SLF001  one room


SEALED = (
    Place("records", "records", ("id",), _value),
    Place("import_cursors", _CURSORS, ("connection_id", "kind", "role"), _cursor),
)
