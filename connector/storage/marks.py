"""What a database says about itself to whoever opens it: notes of one word, beside the revision.

compatible_from  the oldest revision whose code may work on this schema; older code must not start
copying          a copy into this database was begun and is not whole; nothing is served from it
moved_to         everything was copied from here to another database; nothing is served from here any more
"""

from __future__ import annotations

from connector.storage.store import Store
from connector.storage.transaction import Transaction

COMPATIBLE_FROM, COPYING, MOVED_TO = "compatible_from", "copying", "moved_to"
TABLE = "schema_marks"


def marks_of(store: Store) -> dict[str, str]:
    """Every mark. The table must be there: only code that knows it asks. Raises DatabaseUnavailable."""
    with store.read() as tx:
        return {row["name"]: row["value"] for row in tx.all("SELECT name, value FROM schema_marks")}


def mark(tx: Transaction, name: str, value: str) -> None:
    """Write one down, in the place of what it said before."""
    tx.run(
        "INSERT INTO schema_marks (name, value) VALUES (:name, :value)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name=name,
        value=value,
    )


def unmark(tx: Transaction, name: str) -> None:
    """Take one away."""
    tx.run("DELETE FROM schema_marks WHERE name = :name", name=name)
