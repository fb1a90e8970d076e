"""Row seals of this room: under the tenant's key, over everything by which a row is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from connector.storage import Transaction
from vault import DataKey, Owner, RowSealBroken, Vault
from vault.rowseal import Field

FIELDS: Mapping[str, Sequence[str]] = {
    "notices": (
        "id",
        "tenant_id",
        "kind",
        "topic",
        "title",
        "body",
        "window_ms",
        "effective_at",
        "posted_at",
        "withdrawn_at",
    ),
    "inbox_items": (
        "id",
        "tenant_id",
        "sub",
        "notice_id",
        "kind",
        "topic",
        "key_epoch",
        "posted_at",
        "closes_at",
        "effective_at",
        "shown_from",
    ),
    "stances": ("id", "tenant_id", "sub", "toward", "name", "stance", "by", "created_at", "updated_at"),
    "releases": (
        "id",
        "tenant_id",
        "sub",
        "recipient",
        "name",
        "purpose",
        "fields",
        "count",
        "key_epoch",
        "silent_until",
        "created_at",
    ),
}
_log = structlog.get_logger("inbox")


def tenant_key(tx: Transaction, vault: Vault, tenant_id: str) -> DataKey:
    """The key that vouches for the rows."""
    return vault.key(tx, Owner(tenant_id, "tenant", tenant_id))


def sealed_fields(table: str, row: Mapping[str, Any]) -> list[Field]:
    """What the seal of a row is over."""
    return [row[name] for name in FIELDS[table]]


def seal_of(tx: Transaction, vault: Vault, table: str, row: Mapping[str, Any]) -> bytes:
    """The seal of a row."""
    return tenant_key(tx, vault, row["tenant_id"]).seal_row(table, sealed_fields(table, row))


def is_whole(tx: Transaction, vault: Vault, table: str, row: Mapping[str, Any]) -> bool:
    """Whether the row carries its seal. Where it does not, the log says so and nobody relies on it."""
    try:
        tenant_key(tx, vault, row["tenant_id"]).check_row(table, sealed_fields(table, row), bytes(row["seal"]))
    except RowSealBroken:
        _log.error("vault.row_seal_broken", table=table, row=row["id"])
        return False
    return True
