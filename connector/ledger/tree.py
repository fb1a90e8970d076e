"""The tree in the database: places given to entries, and proofs out of stored subtrees.

Level 0 is `ledger_entries.leaf_hash` by `tree_index`; `ledger_nodes` holds the complete subtrees above. A batch reads
O(log n) rows to go on, a proof reads O(log n) rows. Places are given under a lock, so that two sequencers cannot give
one place twice; in which order the entries of two processes come does not matter, only that it never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connector.ledger.merkle import (
    Node,
    Range,
    consistency_ranges,
    fold,
    grow,
    inclusion_ranges,
    range_hash,
    subtrees,
)
from connector.model.errors import ConnectorError, NotFound
from connector.storage import Transaction

SEQUENCER_LOCK = 4020212
NODES_PER_QUERY = 64


class LedgerBroken(ConnectorError):
    """The stored tree contradicts itself. `detail` names the place."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "ledger_broken",
            "The ledger does not hold together. Run `connector ledger verify`, and restore from a backup if it was "
            "damaged.",
            detail=detail,
        )


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that a leaf stands at `index` of the tree of `size`: hashes from the leaf upwards."""

    index: int
    size: int
    leaf: bytes
    hashes: tuple[bytes, ...]


def size(tx: Transaction) -> int:
    """How many entries have a place."""
    row = tx.one("SELECT max(tree_index) AS last FROM ledger_entries")
    return 0 if row is None or row["last"] is None else int(row["last"]) + 1


def sequence(tx: Transaction, limit: int = 1000) -> int:
    """Give up to `limit` waiting entries their place in the tree; how many. Needs a write transaction."""
    lock(tx)
    rows = tx.all(
        "SELECT id, leaf_hash FROM ledger_entries WHERE tree_index IS NULL ORDER BY id LIMIT :limit", limit=limit
    )
    if not rows:
        return 0
    start = size(tx)
    edge = subtrees(0, start)
    stored = read_nodes(tx, edge)
    grown = grow([(node, stored[node]) for node in edge], start, [bytes(row["leaf_hash"]) for row in rows])
    tx.many(
        "UPDATE ledger_entries SET tree_index = :tree_index WHERE id = :id AND tree_index IS NULL",
        [{"tree_index": index, "id": row["id"]} for index, row in enumerate(rows, start=start)],
    )
    tx.many(
        "INSERT INTO ledger_nodes (level, position, hash) VALUES (:level, :position, :hash)",
        [{"level": level, "position": position, "hash": value} for (level, position), value in grown if level],
    )
    return len(rows)


def lock(tx: Transaction) -> None:
    """Be the only one who changes the tree until the transaction ends. On SQLite the transaction itself is that."""
    if tx.dialect == "postgresql":
        tx.all("SELECT pg_advisory_xact_lock(:key)", key=SEQUENCER_LOCK)


def root(tx: Transaction, of_size: int) -> bytes:
    """The root of the first `of_size` entries, from stored subtrees. Raises LedgerBroken where one is missing."""
    nodes = subtrees(0, of_size)
    stored = read_nodes(tx, nodes)
    return fold([stored[node] for node in nodes])


def prove_inclusion(tx: Transaction, entry_id: int, of_size: int | None = None) -> Inclusion:
    """The proof that an entry is in the tree of `of_size` (default: the whole of it).

    Raises:
        NotFound: no such entry, or it has no place in a tree of that size yet.
        LedgerBroken: a stored subtree is missing.
    """
    row = tx.one("SELECT tree_index, leaf_hash FROM ledger_entries WHERE id = :id", id=entry_id)
    total = size(tx) if of_size is None else of_size
    if row is None or row["tree_index"] is None or row["tree_index"] >= total:
        raise NotFound("ledger entry in the tree", code="not_sequenced", detail=f"entry {entry_id}, size {total}")
    index = int(row["tree_index"])
    hashes = _range_hashes(tx, inclusion_ranges(index, total))
    return Inclusion(index=index, size=total, leaf=bytes(row["leaf_hash"]), hashes=hashes)


def prove_consistency(tx: Transaction, old: int, new: int) -> tuple[bytes, ...]:
    """The proof that the tree of `new` begins with the tree of `old`.

    Raises:
        NotFound: the ledger has not that many entries.
        LedgerBroken: a stored subtree is missing.
    """
    if not 0 <= old <= new <= size(tx):
        raise NotFound("ledger size", code="no_such_size", detail=f"old {old}, new {new}")
    return _range_hashes(tx, consistency_ranges(old, new))


def read_nodes(tx: Transaction, nodes: Iterable[Node]) -> Mapping[Node, bytes]:
    """Stored subtrees by name. Raises LedgerBroken for one that is missing."""
    wanted = list(dict.fromkeys(nodes))
    found: dict[Node, bytes] = {}
    for start in range(0, len(wanted), NODES_PER_QUERY):
        found |= _read_few(tx, wanted[start : start + NODES_PER_QUERY])
    for level, position in wanted:
        if (level, position) not in found:
            raise LedgerBroken(f"the subtree at level {level}, position {position} is missing")
    return found


def _read_few(tx: Transaction, nodes: list[Node]) -> dict[Node, bytes]:
    leaves = [position for level, position in nodes if level == 0]
    inner = [node for node in nodes if node[0]]
    found: dict[Node, bytes] = {}
    if leaves:
        names = {f"i{number}": index for number, index in enumerate(leaves)}
        listed = ", ".join(f":{name}" for name in names)
        for row in tx.all(f"SELECT tree_index, leaf_hash FROM ledger_entries WHERE tree_index IN ({listed})", **names):
            found[(0, int(row["tree_index"]))] = bytes(row["leaf_hash"])
    if inner:
        asked = " OR ".join(f"(level = :l{n} AND position = :p{n})" for n in range(len(inner)))
        values = {f"l{n}": level for n, (level, _) in enumerate(inner)}
        values |= {f"p{n}": position for n, (_, position) in enumerate(inner)}
        for row in tx.all(f"SELECT level, position, hash FROM ledger_nodes WHERE {asked}", **values):
            found[(int(row["level"]), int(row["position"]))] = bytes(row["hash"])
    return found


def _range_hashes(tx: Transaction, ranges: list[Range]) -> tuple[bytes, ...]:
    stored = read_nodes(tx, [node for span in ranges for node in subtrees(*span)])
    return tuple(range_hash(span, stored.__getitem__) for span in ranges)
