"""The tenant's data key: what this room seals its rows and integration secrets under."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connector.model.errors import Misconfigured
from connector.storage import Transaction
from vault import DataKey, Field, Owner, RowSealBroken, Vault

_log = structlog.get_logger()


def owner_of(tenant_id: str) -> Owner:
    """Whose key it is, in the vault's words."""
    return Owner(tenant_id, "tenant", tenant_id)


def tenant_key(tx: Transaction, vault: Vault, tenant_id: str) -> DataKey:
    """The newest data key of a tenant; one statement while the vault remembers the tenant's wrapping key.

    Raises:
        vault.KeyUnknown, vault.KeyDestroyed, vault.KeySourceError: it cannot be had.
    """
    return vault.key(tx, owner_of(tenant_id))


def intact(key: DataKey, table: str, row_id: str, fields: Sequence[Field], seal: object) -> bool:
    """Whether a row is as this gateway wrote it; a broken seal is logged as the event it is."""
    try:
        key.check_row(table, fields, seal if isinstance(seal, bytes) else bytes(memoryview(seal)))  # type: ignore[arg-type]  # both drivers give a buffer
    except RowSealBroken:
        _log.error("vault.row_seal_broken", table=table, row=row_id)
        return False
    return True


def altered(what: str, row_id: str) -> Misconfigured:
    """The error for a row that the operator asked for by name and whose seal is broken."""
    return Misconfigured(
        "row_seal_broken",
        f"The row of {what} {row_id} was changed outside the gateway; restore it from a backup,"
        " or remove it and add it anew.",
    )
