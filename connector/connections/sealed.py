"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from connector.connections.adoptions import ADOPTIONS, sealed_adoption
from connector.connections.connection import TABLE, sealed_fields
from connector.storage import Row
from vault.verification import Keys, Place


def _connection(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(TABLE, sealed_fields(row), bytes(row["seal"]))


def _adoption(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(ADOPTIONS, sealed_adoption(row), bytes(row["seal"]))


SEALED = (
    Place("connections", "connections", ("id",), _connection),
    Place(ADOPTIONS, ADOPTIONS, ("connection_id",), _adoption),
)
