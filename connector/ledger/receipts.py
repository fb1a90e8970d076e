"""Receipts in the database: versions of one statement, from `trying` to `final`."""

from __future__ import annotations

from dataclasses import dataclass

from connector.model.errors import Conflict
from connector.storage import Row, Transaction


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt as it is kept. `about` is the id of the consent, revocation or erasure.

    Exactly one is set: `sealed` (a draft's sealed form, under the person's key) or `body` (the same, where it holds
    nothing personal).
    """

    id: str
    tenant_id: str
    sub: str
    kind: str
    about: str
    version: int
    status: str
    ledger_entry_id: int
    sealed: bytes | None
    body: str | None
    key_epoch: int | None
    created_at: int


def keep(
    tx: Transaction,
    *,
    id: str,  # noqa: A002  the column's own name
    tenant_id: str,
    sub: str,
    kind: str,
    about: str,
    version: int,
    status: str,
    ledger_entry_id: int,
    sealed: bytes | None = None,
    body: str | None = None,
    key_epoch: int | None = None,
) -> Kept:
    """Keep one version.

    Raises:
        ValueError: both or neither of `sealed` and `body`.
        Conflict: a final version is there already, or not the version before this one.
    """
    if (sealed is None) == (body is None):
        raise ValueError("a receipt is kept either sealed or open")
    before = newest(tx, about)
    if (before.version if before else 0) != version - 1 or (before is not None and before.status == "final"):
        raise Conflict("receipt_version", "This receipt has another newest version.", detail=f"version {version}")
    made = Kept(id, tenant_id, sub, kind, about, version, status, ledger_entry_id, sealed, body, key_epoch, tx.now())
    tx.run(
        f"INSERT INTO receipts ({_COLUMNS}) VALUES (:id, :tenant_id, :sub, :kind, :about, :version, :status,"
        " :ledger_entry_id, :sealed, :body, :key_epoch, :created_at)",
        **{name: getattr(made, name) for name in Kept.__dataclass_fields__},
    )
    return made


def newest(tx: Transaction, about: str) -> Kept | None:
    """The newest version of the receipt about one thing."""
    row = tx.one(f"SELECT {_COLUMNS} FROM receipts WHERE about = :about ORDER BY version DESC LIMIT 1", about=about)
    return None if row is None else _kept(row)


def versions(tx: Transaction, about: str) -> list[Kept]:
    """Every version of the receipt about one thing, the oldest first."""
    return [
        _kept(r) for r in tx.all(f"SELECT {_COLUMNS} FROM receipts WHERE about = :about ORDER BY version", about=about)
    ]


def by_id(tx: Transaction, tenant_id: str, receipt_id: str) -> Kept | None:
    """One version by its id, within a tenant."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM receipts WHERE id = :id AND tenant_id = :tenant_id", id=receipt_id, tenant_id=tenant_id
    )
    return None if row is None else _kept(row)


def of_person(tx: Transaction, tenant_id: str, sub: str, limit: int = 200) -> list[Kept]:
    """A person's receipts, the newest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM receipts WHERE tenant_id = :tenant_id AND sub = :sub"
        " ORDER BY created_at DESC, about, version DESC LIMIT :limit",
        tenant_id=tenant_id,
        sub=sub,
        limit=limit,
    )
    return [_kept(row) for row in rows]


def forget_person(tx: Transaction, tenant_id: str, sub: str) -> int:
    """Delete a person's sealed receipts; how many. Open ones hold nothing personal and stay."""
    return tx.run(
        "DELETE FROM receipts WHERE tenant_id = :tenant_id AND sub = :sub AND sealed IS NOT NULL",
        tenant_id=tenant_id,
        sub=sub,
    )


_COLUMNS = ", ".join(Kept.__dataclass_fields__)


def _kept(row: Row) -> Kept:
    values = {name: row[name] for name in Kept.__dataclass_fields__}
    values["sealed"] = None if row["sealed"] is None else bytes(row["sealed"])
    return Kept(**values)
