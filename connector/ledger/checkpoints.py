"""Signed checkpoints: made, never contradicting an earlier one, and read back."""

from __future__ import annotations

from connector.ledger.note import Checkpoint, parse_checkpoint, sign_checkpoint
from connector.ledger.signer import Signer
from connector.ledger.tree import LedgerBroken, lock, root, size
from connector.storage import Transaction


def checkpoint(tx: Transaction, signer: Signer, origin: str) -> str:
    """Sign the tree as it stands; the note. A tree that has not grown keeps the checkpoint it has.

    `origin` names the ledger toward others, for good: the public host and a path, such as `gateway.example/ledger`.

    Raises:
        LedgerBroken: the tree does not begin with what the last checkpoint signed. Nothing is signed then.
        ValueError: the origin cannot be a key name.
    """
    lock(tx)
    total = size(tx)
    last = latest_checkpoint(tx)
    if last is not None:
        _refuse_contradiction(tx, last, total)
        if last.size == total and last.origin == origin:
            return _note(tx, total)
    top = root(tx, total)
    note = sign_checkpoint(origin, total, top, signer)
    tx.run(
        "INSERT INTO ledger_checkpoints (size, root, note, at) VALUES (:size, :root, :note, :at)"
        " ON CONFLICT (size) DO UPDATE SET note = :note, at = :at",
        size=total,
        root=top,
        note=note,
        at=tx.now(),
    )
    return note


def latest_checkpoint(tx: Transaction) -> Checkpoint | None:
    """The newest checkpoint, or None before the first. Raises LedgerBroken if it cannot be read."""
    row = tx.one("SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
    if row is None:
        return None
    try:
        found = parse_checkpoint(row["note"])
    except ValueError as error:
        raise LedgerBroken(f"the checkpoint of size {row['size']}: {error}") from error
    if found.size != row["size"]:
        raise LedgerBroken(f"the checkpoint of size {row['size']} states {found.size}")
    return found


def latest_note(tx: Transaction) -> str | None:
    """The text of the newest checkpoint, or None before the first."""
    row = tx.one("SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
    return None if row is None else str(row["note"])


def _note(tx: Transaction, of_size: int) -> str:
    row = tx.one("SELECT note FROM ledger_checkpoints WHERE size = :size", size=of_size)
    if row is None:
        raise LedgerBroken(f"the checkpoint of size {of_size} vanished")
    return str(row["note"])


def _refuse_contradiction(tx: Transaction, last: Checkpoint, total: int) -> None:
    if last.size > total:
        raise LedgerBroken(f"the last checkpoint signed {last.size} entries, there are {total}")
    if root(tx, last.size) != last.root:
        raise LedgerBroken(f"the first {last.size} entries are not those that were signed")
