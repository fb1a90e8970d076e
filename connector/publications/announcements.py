"""What people were told of a version before it takes effect."""

from __future__ import annotations

from dataclasses import dataclass

from connector.storage import Transaction


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement. Times in ms.

    Attributes:
        sha256: of the version as it was announced; an edited one is another.
        older: the version it was compared with.
        opened, eased, closed: how many cells change so.
        notice: the words that were posted.
        ledger_entry_id: the entry that says when.
    """

    version: str
    sha256: str
    older: str
    effective_at: int
    announced_at: int
    opened: int
    eased: int
    closed: int
    notice: str
    ledger_entry_id: int


_COLUMNS = (
    "version",
    "sha256",
    "older",
    "effective_at",
    "announced_at",
    "opened",
    "eased",
    "closed",
    "notice",
    "ledger_entry_id",
)


def announced(tx: Transaction) -> dict[str, Announced]:
    """Every announcement, by the version's name."""
    rows = tx.all("SELECT * FROM policy_announcements")
    return {row["version"]: Announced(**{name: row[name] for name in _COLUMNS}) for row in rows}


def announce(tx: Transaction, new: Announced) -> None:
    """Keep an announcement. A version that was changed before it took effect is announced anew, and waits anew."""
    updates = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
    tx.run(
        f"""INSERT INTO policy_announcements ({", ".join(_COLUMNS)})
            VALUES ({", ".join(":" + name for name in _COLUMNS)})
            ON CONFLICT (version) DO UPDATE SET {updates}""",
        **{name: getattr(new, name) for name in _COLUMNS},
    )
