"""What is remembered outside the database, so that a backup that comes back does not undo it. Ids only.

    ended.jsonl       a line for each key that was destroyed and each connection that was revoked; only ever appended to
    high-water.json   how far the ledger had come: a database that is behind it was put back

Both lie beside the key file (or where `vault.outside` says): not in the database, and not in its backups.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.model.errors import Misconfigured
from connector.settings import Settings
from connector.storage import Store, Transaction
from vault import Owner
from vault.shreds import Shred, shreds_since

OVERLAP_MS = 10 * 60_000  # a transaction may commit after a later one was seen
_ENDED, _MARK = "ended.jsonl", "high-water.json"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a restored database must end again: keys by owner, and connections by tenant and id."""

    shreds: tuple[Shred, ...] = ()
    revoked: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a database had come. `database` tells it from another one that has nothing to do with it."""

    database: str
    ledger: int


@dataclass
class Outside:
    """The folder outside. One writer at a time is enough; two write some lines twice, which harms nothing."""

    folder: Path
    _noted: dict[str, int] | None = field(default=None, repr=False)

    def note(self, store: Store) -> int:
        """Write down what ended since the last time, and how far the ledger is; how many lines that were."""
        known = self._known()
        since = max(known.values(), default=0) - OVERLAP_MS
        with store.read() as tx:
            lines = [line for line in _ended_since(tx, since) if line["id"] not in known]
            mark = _mark_of(tx)
        if lines:
            self._append(lines)
            known |= {line["id"]: line["at"] for line in lines}
        if mark is not None and mark != self.mark():
            self._write_mark(mark)
        newest = max(known.values(), default=0)
        self._noted = {one: at for one, at in known.items() if at >= newest - 2 * OVERLAP_MS}
        return len(lines)

    def ended(self) -> Ended:
        """Everything that was written down. A last line that was cut off is passed over."""
        lines = list(self._lines())
        shreds = tuple(
            Shred(line["id"], Owner(line["tenant"], line["kind"], line["owner"]), line["epoch"], line["at"])
            for line in lines
            if "epoch" in line
        )
        revoked = frozenset((line["tenant"], line["connection"]) for line in lines if "connection" in line)
        return Ended(shreds, revoked)

    def mark(self) -> Mark | None:
        """How far the ledger had come when it was last looked at."""
        try:
            found = json.loads((self.folder / _MARK).read_text(encoding="utf-8"))
            return Mark(str(found["database"]), int(found["ledger"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def rolled_back(self, store: Store) -> bool:
        """Whether the database is behind what was seen of it."""
        mark = self.mark()
        with store.read() as tx:
            now = _mark_of(tx)
        return mark is not None and now is not None and mark.database == now.database and mark.ledger > now.ledger

    def accept(self, store: Store) -> None:
        """From now on the database counts as it is."""
        with store.read() as tx:
            mark = _mark_of(tx)
        if mark is not None:
            self._write_mark(mark)

    def _known(self) -> dict[str, int]:
        if self._noted is None:
            self._noted = {line["id"]: line["at"] for line in self._lines()}
        return self._noted

    def _lines(self) -> list[dict[str, Any]]:
        try:
            text = (self.folder / _ENDED).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        try:
            return [json.loads(line) for line in text.split("\n")[:-1] if line]
        except ValueError as error:
            raise Misconfigured(
                "outside_damaged",
                f"{self.folder / _ENDED} has a line that cannot be read, so nobody can say what was ended. Put the "
                "file back as it was, or remove the line if its end is known to be in the database.",
            ) from error

    def _append(self, lines: list[dict[str, Any]]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / _ENDED
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            if cut:
                os.ftruncate(descriptor, _last_whole(os.pread(descriptor, size, 0)))
            os.write(descriptor, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _write_mark(self, mark: Mark) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / f".{_MARK}.{os.getpid()}"
        fresh.write_text(json.dumps({"database": mark.database, "ledger": mark.ledger}) + "\n", encoding="utf-8")
        fresh.replace(self.folder / _MARK)


def outside_of(settings: Settings) -> Outside | None:
    """The folder outside; None where keys come from elsewhere and no folder is named."""
    if settings.vault.outside is not None:
        return Outside(settings.vault.outside)
    kind, _, rest = settings.vault.kek.partition(":")
    return Outside(Path(rest).parent) if kind == "file" else None


def refuse_rolled_back(settings: Settings, store: Store) -> None:
    """Do not start on a database that was put back: its tokens may be stale, its endings undone.

    Raises:
        Misconfigured: it is behind the high-water mark.
    """
    outside = outside_of(settings)
    if outside is not None and outside.rolled_back(store):
        raise Misconfigured(
            "database_rolled_back",
            "This database is older than what was seen of it before: it came from a backup. "
            "Bring it up to what happened since, and set stale tokens aside: connector vault restore --in-place",
        )


def _mark_of(tx: Transaction) -> Mark | None:
    first = tx.one("SELECT id FROM tenants ORDER BY created_at, id LIMIT 1")
    row = tx.one("SELECT COALESCE(MAX(id), 0) AS newest FROM ledger_entries")
    return None if first is None or row is None else Mark(first["id"], int(row["newest"]))


def _ended_since(tx: Transaction, since: int) -> list[dict[str, Any]]:
    shreds: list[dict[str, Any]] = [
        {
            "id": one.id,
            "tenant": one.owner.tenant,
            "kind": one.owner.kind,
            "owner": one.owner.id,
            "epoch": one.epoch,
            "at": one.destroyed_at,
        }
        for one in shreds_since(tx, since)
        if one.owner.kind != "flow"  # flows are over within minutes by themselves
    ]
    rows = tx.all(
        "SELECT id, tenant_id, connection_id, created_at FROM revocations"
        " WHERE created_at >= :since AND reason <> 'orphan' AND connection_id IS NOT NULL ORDER BY created_at, id",
        since=since,
    )
    return shreds + [
        {"id": row["id"], "tenant": row["tenant_id"], "connection": row["connection_id"], "at": row["created_at"]}
        for row in rows
    ]


def _last_whole(content: bytes) -> int:
    return content.rfind(b"\n") + 1
