"""The versions that were in force: recorded once, at the first moment, and never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.storage import Row, Transaction


@dataclass(frozen=True, slots=True)
class InForce:
    """A version that decided something, or could have. Times in ms.

    Attributes:
        sha256: over its files, hex.
        first_used_at: when it was first seen to be in effect.
        ledger_entry_id: the entry that says the same.
        consents_checked: whether every consent that it widened was marked stale.
    """

    version: str
    sha256: str
    effective_at: int
    first_used_at: int
    ledger_entry_id: int | None
    consents_checked: bool


def in_force(tx: Transaction) -> dict[str, InForce]:
    """Every version that was in force, by name."""
    return {row["version"]: _from_row(row) for row in tx.all("SELECT * FROM policy_versions ORDER BY effective_at")}


def record(tx: Transaction, version: str, sha256: str, effective_at: int, entry: Callable[[], int]) -> bool:
    """Write down that a version is in force; whether it was not yet. `entry` writes the ledger entry; its id."""
    new = tx.run(
        """INSERT INTO policy_versions (version, sha256, effective_at, first_used_at)
           VALUES (:version, :sha256, :effective, :now) ON CONFLICT (version) DO NOTHING""",
        version=version,
        sha256=sha256,
        effective=effective_at,
        now=tx.now(),
    )
    if new:
        tx.run("UPDATE policy_versions SET ledger_entry_id = :id WHERE version = :version", id=entry(), version=version)
    return bool(new)


def consents_checked(tx: Transaction, version: str) -> None:
    """No consent is left that this version widened and that is not marked stale."""
    tx.run(
        "UPDATE policy_versions SET consents_checked_at = :now WHERE version = :version", now=tx.now(), version=version
    )


def _from_row(row: Row) -> InForce:
    return InForce(
        version=row["version"],
        sha256=row["sha256"],
        effective_at=row["effective_at"],
        first_used_at=row["first_used_at"],
        ledger_entry_id=row["ledger_entry_id"],
        consents_checked=row["consents_checked_at"] is not None,
    )
