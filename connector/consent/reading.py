"""Reading consents: the choice for decisions, the record for the person."""

from __future__ import annotations

import json
from typing import Any

import structlog

from connector.consent.choices import TABLE, Consent, Direction, address, from_row, sealed_fields, tenant_key
from connector.consent.events import events_of
from connector.consent.record import event_entry
from connector.model.tags import Choice
from connector.storage import Row, Transaction
from vault import Owner, RowSealBroken, Vault

_log = structlog.get_logger(__name__)


def standing(tx: Transaction, vault: Vault, connection_id: str, direction: Direction, field_group: str) -> Choice:
    """The choice that counts now. Never asked, or a row that was tampered with: none."""
    row = tx.one(
        """SELECT * FROM consents
           WHERE connection_id = :connection AND direction = :direction AND field_group = :field_group""",
        connection=connection_id,
        direction=direction.value,
        field_group=field_group,
    )
    if row is None or not _intact(tx, vault, row):
        return Choice.NONE
    return Choice(row["choice"])


def find(tx: Transaction, vault: Vault, tenant_id: str, consent_id: str) -> Consent | None:
    """The tenant's consent with this id, or None."""
    row = tx.one("SELECT * FROM consents WHERE id = :id AND tenant_id = :tenant", id=consent_id, tenant=tenant_id)
    return None if row is None or not _intact(tx, vault, row) else from_row(row)


def of_user(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> list[Consent]:
    """Every choice of a person, oldest first."""
    rows = tx.all(
        "SELECT * FROM consents WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at, id",
        tenant=tenant_id,
        sub=sub,
    )
    return [from_row(row) for row in rows if _intact(tx, vault, row)]


def given_before(tx: Transaction, vault: Vault, policy_version: str, after: str, limit: int) -> list[Consent]:
    """Choices given under another version than this, by id, after an id: for marking those that it made stale."""
    rows = tx.all(
        """SELECT * FROM consents WHERE choice = 'given' AND policy_version <> :version AND id > :after
           ORDER BY id LIMIT :limit""",
        version=policy_version,
        after=after,
        limit=limit,
    )
    return [from_row(row) for row in rows if _intact(tx, vault, row)]


def of_connection(tx: Transaction, vault: Vault, connection_id: str) -> list[Consent]:
    """Every choice about one connection, by direction and field group."""
    rows = tx.all(
        "SELECT * FROM consents WHERE connection_id = :connection ORDER BY direction, field_group",
        connection=connection_id,
    )
    return [from_row(row) for row in rows if _intact(tx, vault, row)]


def record_of(tx: Transaction, vault: Vault, consent: Consent) -> dict[str, Any]:
    """The record with all its events, as the person may have it.

    Raises:
        KeyDestroyed: the person was erased.
        RowSealBroken: somebody edited the events.
    """
    row = tx.one("SELECT * FROM consents WHERE id = :id", id=consent.id)
    if row is None:
        return {}
    key = vault.key(tx, Owner(consent.tenant_id, "user", consent.sub), row["key_epoch"])
    record: dict[str, Any] = json.loads(key.open(address(row), bytes(row["record"]), generation=row["generation"]))
    events = events_of(tx, tenant_key(tx, vault, consent.tenant_id), consent.id, Choice(row["choice"]))
    record["events"] = [
        event_entry(each.event, each.by, each.method, each.policy_version, each.at)
        | ({} if each.sealed else {"sealed": False})
        for each in events
    ]
    return record


def _intact(tx: Transaction, vault: Vault, row: Row) -> bool:
    try:
        tenant_key(tx, vault, row["tenant_id"]).check_row(TABLE, sealed_fields(row), bytes(row["seal"]))
    except RowSealBroken:
        _log.warning("vault.row_seal_broken", table=TABLE, id=row["id"])
        return False
    return True
