"""Giving, refusing and withdrawing. Each appends an event and seals the row again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import rfc8785

from connector.consent.events import append_event
from connector.model.ids import new_id
from connector.model.tags import Choice
from connector.storage import Transaction
from vault import Address, DataKey, Owner, Vault
from vault.rowseal import Field

TABLE = "consents"


class Direction(StrEnum):
    """Which way the data goes."""

    IMPORT = "import"  # from the account into ours; field groups: profile, contacts
    PUSH = "push"  # what the person typed, to the account; field groups of the catalogue


@dataclass(frozen=True, slots=True)
class Consent:
    """One choice as it stands. Times in ms since the epoch."""

    id: str
    tenant_id: str
    sub: str
    connection_id: str
    integration_id: str
    direction: Direction
    field_group: str
    choice: Choice
    policy_version: str
    fingerprint: bytes
    key_epoch: int
    generation: int
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Given:
    """What was chosen. `record` is made by `new_record`; `by` and `method` say who did it and how."""

    id: str
    tenant_id: str
    sub: str
    connection_id: str
    integration_id: str
    direction: Direction
    field_group: str
    policy_version: str
    fingerprint: bytes
    record: Mapping[str, Any] = field(repr=False)
    by: str = "subject"
    method: str = "form"


def give(tx: Transaction, vault: Vault, given: Given) -> Consent:
    """The person chose this. A consent that was there is renewed under the same id, with a new record."""
    return _decide(tx, vault, given, Choice.GIVEN)


def refuse(tx: Transaction, vault: Vault, given: Given) -> Consent:
    """The person was asked and said no. What was given before stays withdrawn or ends."""
    return _decide(tx, vault, given, Choice.NONE)


def withdraw(tx: Transaction, vault: Vault, consent: Consent, *, by: str, method: str) -> Consent:
    """From now on it permits nothing. Withdrawing twice changes nothing."""
    row = tx.one("SELECT * FROM consents WHERE id = :id", id=consent.id)
    if row is None or row["choice"] not in {Choice.GIVEN.value, Choice.STALE.value}:
        return consent
    changed = _turn(tx, vault, row, Choice.WITHDRAWN)
    append_event(
        tx,
        tenant_key(tx, vault, consent.tenant_id),
        consent.id,
        "withdrawn",
        by=by,
        method=method,
        policy_version=consent.policy_version,
    )
    return from_row(changed)


def invalidate(tx: Transaction, vault: Vault, consent: Consent, *, policy_version: str) -> Consent:
    """A newer policy would open more by it than was agreed to: it is stale, and asked again. Twice changes nothing."""
    row = tx.one("SELECT * FROM consents WHERE id = :id", id=consent.id)
    if row is None or row["choice"] != Choice.GIVEN.value:
        return consent
    changed = _turn(tx, vault, row, Choice.STALE)
    append_event(
        tx,
        tenant_key(tx, vault, consent.tenant_id),
        consent.id,
        "invalidated",
        by="system",
        method="policy",
        policy_version=policy_version,
    )
    return from_row(changed)


def forget_person(tx: Transaction, tenant_id: str, sub: str) -> int:
    """Delete every choice of a person with its record and events; how many. The ledger keeps that they were made."""
    whose = {"tenant": tenant_id, "sub": sub}
    tx.run(
        """DELETE FROM consent_events WHERE consent_id IN
             (SELECT id FROM consents WHERE tenant_id = :tenant AND sub = :sub)""",
        **whose,
    )
    return tx.run("DELETE FROM consents WHERE tenant_id = :tenant AND sub = :sub", **whose)


def new_consent_id(
    tx: Transaction, connection_id: str, direction: Direction, field_group: str
) -> tuple[str, str | None]:
    """The id that this choice has or will have, and the record it supersedes (None where it is the first)."""
    row = _existing(tx, connection_id, direction.value, field_group)
    return (new_id("cns"), None) if row is None else (row["id"], f"{row['id']}/{row['generation']}")


def address(row: Mapping[str, Any]) -> Address:
    """Where a record lives."""
    return Address(row["tenant_id"], "user", row["sub"], "", f"consents.record:{row['id']}")


def tenant_key(tx: Transaction, vault: Vault, tenant_id: str) -> DataKey:
    """The key that vouches for the rows."""
    return vault.key(tx, Owner(tenant_id, "tenant", tenant_id))


def sealed_fields(row: Mapping[str, Any]) -> list[Field]:
    """What the seal vouches for: the choice, whose it is, and what it opens."""
    names = (
        "id",
        "tenant_id",
        "sub",
        "connection_id",
        "integration_id",
        "direction",
        "field_group",
        "choice",
        "policy_version",
        "fingerprint",
        "key_epoch",
        "generation",
        "created_at",
    )
    return [row[name] for name in names]


def from_row(row: Mapping[str, Any]) -> Consent:
    """The value of a row; the seal is the caller's to check."""
    return Consent(
        id=row["id"],
        tenant_id=row["tenant_id"],
        sub=row["sub"],
        connection_id=row["connection_id"],
        integration_id=row["integration_id"],
        direction=Direction(row["direction"]),
        field_group=row["field_group"],
        choice=Choice(row["choice"]),
        policy_version=row["policy_version"],
        fingerprint=bytes(row["fingerprint"]),
        key_epoch=row["key_epoch"],
        generation=row["generation"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _turn(tx: Transaction, vault: Vault, row: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    changed: dict[str, Any] = {**row, "choice": choice.value, "updated_at": tx.now()}
    tx.run(
        "UPDATE consents SET choice = :choice, updated_at = :now, seal = :seal WHERE id = :id",
        choice=changed["choice"],
        now=changed["updated_at"],
        seal=tenant_key(tx, vault, row["tenant_id"]).seal_row(TABLE, sealed_fields(changed)),
        id=row["id"],
    )
    return changed


def _decide(tx: Transaction, vault: Vault, given: Given, choice: Choice) -> Consent:
    existing = _existing(tx, given.connection_id, given.direction.value, given.field_group)
    user_key = vault.key(tx, Owner(given.tenant_id, "user", given.sub))
    now = tx.now()
    row: dict[str, Any] = {
        "id": given.id if existing is None else existing["id"],
        "tenant_id": given.tenant_id,
        "sub": given.sub,
        "connection_id": given.connection_id,
        "integration_id": given.integration_id,
        "direction": given.direction.value,
        "field_group": given.field_group,
        "choice": choice.value,
        "policy_version": given.policy_version,
        "fingerprint": given.fingerprint,
        "key_epoch": user_key.epoch,
        "generation": 1 if existing is None else existing["generation"] + 1,
        "created_at": now if existing is None else existing["created_at"],
        "updated_at": now,
    }
    sealed = user_key.seal(address(row), rfc8785.dumps(dict(given.record)), generation=row["generation"])
    seal = tenant_key(tx, vault, given.tenant_id).seal_row(TABLE, sealed_fields(row))
    _write(tx, {**row, "record": sealed, "seal": seal})
    event = ("given" if existing is None else "renewed") if choice is Choice.GIVEN else "refused"
    append_event(
        tx,
        tenant_key(tx, vault, given.tenant_id),
        row["id"],
        event,
        by=given.by,
        method=given.method,
        policy_version=given.policy_version,
    )
    return from_row(row)


def _write(tx: Transaction, row: Mapping[str, Any]) -> None:
    kept = ("id", "tenant_id", "sub", "connection_id", "integration_id", "direction", "field_group", "created_at")
    updates = ", ".join(f"{column} = excluded.{column}" for column in row if column not in kept)
    tx.run(
        f"""INSERT INTO consents ({", ".join(row)}) VALUES ({", ".join(":" + column for column in row)})
            ON CONFLICT (connection_id, direction, field_group) DO UPDATE SET {updates}""",
        **row,
    )


def _existing(tx: Transaction, connection_id: str, direction: str, field_group: str) -> Mapping[str, Any] | None:
    return tx.one(
        """SELECT * FROM consents
           WHERE connection_id = :connection AND direction = :direction AND field_group = :field_group""",
        connection=connection_id,
        direction=direction,
        field_group=field_group,
    )
