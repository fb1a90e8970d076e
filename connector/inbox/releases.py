"""What was given to somebody outside, and who answers for it: the ground is sealed under the person's key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.inbox.seals import is_whole, seal_of
from connector.storage import Transaction
from vault import Address, Owner, Vault


@dataclass(frozen=True, slots=True)
class NewRelease:
    """One release about one person. `ground`: approver, reason, reference. `silent_until` in ms, None: told at once."""

    id: str
    tenant_id: str
    sub: str
    recipient: str
    name: str
    purpose: str
    fields: Sequence[str]
    count: int
    ground: Mapping[str, str] = field(repr=False)
    silent_until: int | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A release as it is kept. Times in ms."""

    id: str
    tenant_id: str
    sub: str
    recipient: str
    name: str
    purpose: str
    fields: tuple[str, ...]
    count: int
    silent_until: int | None
    created_at: int


def keep_release(tx: Transaction, vault: Vault, new: NewRelease) -> None:
    """Write it down, in the transaction of its ledger entry and before anything leaves."""
    key = vault.key(tx, Owner(new.tenant_id, "user", new.sub))
    row: dict[str, Any] = {
        "id": new.id,
        "tenant_id": new.tenant_id,
        "sub": new.sub,
        "recipient": new.recipient,
        "name": new.name,
        "purpose": new.purpose,
        "fields": json.dumps(list(new.fields)),
        "count": new.count,
        "key_epoch": key.epoch,
        "silent_until": new.silent_until,
        "created_at": tx.now(),
    }
    row["sealed"] = key.seal(address(row), json.dumps(dict(new.ground)).encode(), generation=1)
    row["seal"] = seal_of(tx, vault, "releases", row)
    names = list(row)
    tx.run(f"INSERT INTO releases ({', '.join(names)}) VALUES ({', '.join(':' + one for one in names)})", **row)


def releases_of(tx: Transaction, vault: Vault, tenant_id: str, sub: str, *, hidden: bool = False) -> list[Release]:
    """What was given about a person, newest first. `hidden`: also what they may not be told of yet."""
    rows = tx.all(
        "SELECT * FROM releases WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at DESC, id",
        tenant=tenant_id,
        sub=sub,
    )
    found = [_release(row) for row in rows if is_whole(tx, vault, "releases", row)]
    return [one for one in found if hidden or one.silent_until is None or one.silent_until <= tx.now()]


def hidden_of(tx: Transaction, tenant_id: str, sub: str) -> frozenset[str]:
    """The ids of releases that the law forbids to tell the person of, for now."""
    rows = tx.all(
        "SELECT id FROM releases WHERE tenant_id = :tenant AND sub = :sub AND silent_until > :now",
        tenant=tenant_id,
        sub=sub,
        now=tx.now(),
    )
    return frozenset(row["id"] for row in rows)


def terms_of_release(tx: Transaction, vault: Vault, release: Release) -> dict[str, str]:
    """Approver, reason and reference. Raises VaultError where they do not open."""
    row = tx.one("SELECT * FROM releases WHERE id = :id", id=release.id)
    if row is None:
        return {}
    key = vault.key(tx, Owner(release.tenant_id, "user", release.sub), row["key_epoch"])
    found: dict[str, str] = json.loads(key.open(address(row), bytes(row["sealed"]), generation=1))
    return found


def address(row: Mapping[str, Any]) -> Address:
    """Where the ground of a release lives."""
    return Address(row["tenant_id"], "user", row["sub"], "", f"releases.sealed:{row['id']}")


def _release(row: Mapping[str, Any]) -> Release:
    parts = {name: row[name] for name in Release.__dataclass_fields__}
    return Release(**{**parts, "fields": tuple(json.loads(row["fields"]))})
