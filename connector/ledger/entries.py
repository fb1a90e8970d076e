"""Entries: made, written in the transaction of their effect, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring
from typing import Any

from connector.ledger.intents import follow, followed
from connector.ledger.kinds import Fact, check_facts
from connector.ledger.merkle import hash_leaf
from connector.storage import Row, Transaction

FORMAT = 1
ROWS_PER_INSERT = 16  # measured: fewer cost more statements, more cost slower binding of names


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    `tenant_id` is an id of ours, `pseudonym` the person's random word or None, `facts` what the kind allows.

    Raises:
        ValueError: an unknown kind or fact, or a value without the shape of its fact.
    """

    kind: str
    tenant_id: str
    pseudonym: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_facts(self.kind, self.facts)
        if not _is_handle(self.tenant_id):
            raise ValueError("the tenant of a ledger entry is an id")
        if self.pseudonym is not None and not _is_handle(self.pseudonym):
            raise ValueError("the pseudonym of a ledger entry is a random word of letters, digits, _ and -")

    def canonical(self, at: int) -> str:
        """The entry as RFC 8785 JSON, as it is hashed. `at` in ms since the epoch."""
        facts = ",".join([f'"{name}":{_canonical(value)}' for name, value in sorted(self.facts.items())])
        kind, pseudonym, tenant = _canonical(str(self.kind)), _canonical(self.pseudonym), _canonical(self.tenant_id)
        return f'{{"at":{at},"facts":{{{facts}}},"kind":{kind},"pseudonym":{pseudonym},"tenant":{tenant},"v":{FORMAT}}}'


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the ledger; `tree_index` is None until it has its place in the tree."""

    id: int
    tree_index: int | None
    tenant_id: str
    pseudonym: str | None
    kind: str
    at: int
    facts: Mapping[str, Any]
    text: str


def append(tx: Transaction, entry: Entry) -> int:
    """Write one entry in the caller's transaction; its id. It has a place in the tree after `sequence`."""
    return append_all(tx, [entry])[0]


def append_all(tx: Transaction, entries: Sequence[Entry]) -> list[int]:
    """Write entries in the caller's transaction; their ids, in the same order."""
    at = tx.now()
    ids: list[int] = []
    rest = iter(entries)
    while chunk := list(islice(rest, ROWS_PER_INSERT)):
        given = _insert(tx, chunk, at)
        ids += given
        if followed([entry.kind for entry in chunk]):
            for entry_id, entry in zip(given, chunk, strict=True):
                follow(tx, entry_id, entry.kind, entry.facts)
    return ids


def get(tx: Transaction, entry_id: int) -> Recorded | None:
    """One entry."""
    row = tx.one(f"SELECT {_COLUMNS} FROM ledger_entries WHERE id = :id", id=entry_id)
    return None if row is None else recorded(row)


def show(
    tx: Transaction,
    pseudonym: str | None = None,
    limit: int = 50,
    before: int | None = None,
    *,
    tenant_id: str | None = None,
) -> list[Recorded]:
    """Entries from the newest down, of one person, one tenant or all. `before` is the last id of the page before."""
    wanted = {"pseudonym": pseudonym, "tenant_id": tenant_id}
    named = {name: value for name, value in wanted.items() if value is not None}
    conditions = [f"{name} = :{name}" for name in named]
    if before is not None:
        conditions.append("id < :before")
        named["before"] = before  # type: ignore[assignment]  # a number among texts: all are bound parameters
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = tx.all(f"SELECT {_COLUMNS} FROM ledger_entries {where} ORDER BY id DESC LIMIT :limit", limit=limit, **named)
    return [recorded(row) for row in rows]


def recorded(row: Row) -> Recorded:
    """A row of `ledger_entries` as a value. A text that is no longer JSON has no facts; `verify` names it."""
    try:
        facts = json.loads(row["entry"])["facts"]
    except (ValueError, KeyError, TypeError):
        facts = {}
    return Recorded(
        id=row["id"],
        tree_index=row["tree_index"],
        tenant_id=row["tenant_id"],
        pseudonym=row["pseudonym"],
        kind=row["kind"],
        at=row["at"],
        facts=facts,
        text=row["entry"],
    )


def _canonical(value: Fact) -> str:
    """A fact as RFC 8785 writes it, six times as fast: its texts are ASCII, its numbers whole (a test compares)."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{','.join(map(encode_basestring, value))}]"
    return str(value)


_COLUMNS = "id, tree_index, tenant_id, pseudonym, kind, entry, leaf_hash, at"
_WRITTEN = ("tenant_id", "pseudonym", "kind", "entry", "leaf_hash", "at")
_NAMES = [tuple(f"{name}_{number}" for name in _WRITTEN) for number in range(ROWS_PER_INSERT)]


def _is_handle(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("_", "").replace("-", "").isalnum()  # noqa: PLR2004


def _insert(tx: Transaction, entries: Sequence[Entry], at: int) -> list[int]:
    values: dict[str, object] = {}
    hashes: list[bytes] = []
    for number, entry in enumerate(entries):
        text = entry.canonical(at)
        hashes.append(hash_leaf(text.encode()))
        row = (entry.tenant_id, entry.pseudonym, str(entry.kind), text, hashes[-1], at)
        values.update(zip(_NAMES[number], row, strict=True))
    # Rows come back in no promised order. Two with one hash are the same entry twice, so either id serves either.
    given: dict[bytes, list[int]] = {}
    for row_back in tx.all(_insert_sql(len(entries)), **values):
        given.setdefault(bytes(row_back["leaf_hash"]), []).append(int(row_back["id"]))
    found = {leaf: iter(sorted(ids)) for leaf, ids in given.items()}
    return [next(found[leaf]) for leaf in hashes]


@lru_cache(maxsize=ROWS_PER_INSERT)
def _insert_sql(rows: int) -> str:
    listed = ", ".join("(" + ", ".join(f":{name}" for name in names) + ")" for names in _NAMES[:rows])
    return f"INSERT INTO ledger_entries ({', '.join(_WRITTEN)}) VALUES {listed} RETURNING id, leaf_hash"
