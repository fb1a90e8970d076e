"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from functools import partial

from connector.inbox import items, releases
from connector.inbox.seals import FIELDS, sealed_fields
from connector.storage import Row
from vault import Owner
from vault.verification import Keys, Place


def _row(table: str, keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(table, sealed_fields(table, row), bytes(row["seal"]))


def _words(keys: Keys, row: Row) -> None:
    key = keys.of(Owner(row["tenant_id"], "user", row["sub"]), row["key_epoch"])
    key.open(items.address(row), bytes(row["sealed"]), generation=1)


def _ground(keys: Keys, row: Row) -> None:
    key = keys.of(Owner(row["tenant_id"], "user", row["sub"]), row["key_epoch"])
    key.open(releases.address(row), bytes(row["sealed"]), generation=1)


SEALED = (
    *(Place(table, table, ("id",), partial(_row, table)) for table in FIELDS),
    Place("inbox_items.sealed", "inbox_items", ("id",), _words, "sealed IS NOT NULL"),
    Place("releases.sealed", "releases", ("id",), _ground),
)
