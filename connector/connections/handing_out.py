"""Handouts against endings: whichever is committed first wins, and the other one knows.

Who ends a connection holds a lock on it until the commit; who hands out shares that lock, without waiting, and looks at
the row after that. SQLite has one writer at a time and needs no lock. The row itself is neither locked nor written.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.states import ConnectionState
from connector.storage import Transaction

HANDING_OUT = frozenset({ConnectionState.ACTIVE, ConnectionState.REFRESHING, ConnectionState.EXPIRED})

_STATES = ", ".join(f"'{state.value}'" for state in sorted(HANDING_OUT))
_SPACE = 4020216  # of the advisory locks


def still_handing_out(tx: Transaction, wanted: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those (connection id, generation) of `wanted` whose tokens may leave; that stays true until the commit."""
    ids = _not_ending(tx, sorted({connection_id for connection_id, _ in wanted}))
    if not ids:
        return set()
    named = {f"c{number}": one for number, one in enumerate(ids)}
    rows = tx.all(
        f"SELECT id, generation FROM connections WHERE id IN ({', '.join(':' + name for name in named)})"
        f" AND state IN ({_STATES})",
        **named,
    )
    return {(row["id"], row["generation"]) for row in rows}.intersection(wanted)


def end_handouts(tx: Transaction, connection_id: str) -> None:
    """Wait for handouts that are being committed, and let none begin until this transaction is over.

    The row is locked first, as everybody does who ends a connection, so that two of them never wait for each other.
    """
    if tx.dialect == "postgresql":
        tx.all("SELECT id FROM connections WHERE id = :id FOR UPDATE", id=connection_id)
        tx.all("SELECT pg_advisory_xact_lock(hashtextextended(:id, :space))", id=connection_id, space=_SPACE)


def _not_ending(tx: Transaction, ids: list[str]) -> list[str]:
    if tx.dialect != "postgresql":
        return ids
    rows = tx.all(
        """SELECT id, pg_try_advisory_xact_lock_shared(hashtextextended(id, :space)) AS shared
           FROM unnest(CAST(:ids AS text[])) AS id""",
        ids=ids,
        space=_SPACE,
    )
    return [row["id"] for row in rows if row["shared"]]
