"""Recompute the whole ledger and name the first place that is wrong.

Every column of `ledger_entries` that says something is in the hashed text or is its place; every stored subtree and
every checkpoint is made anew and compared. An `id` is a handle, no evidence: it is only checked to be whole. What was
never under a checkpoint can be cut off without a trace; that is why checkpoints are made often and sent elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.ledger.intents import INTENTS, OUTCOMES, attempt_of
from connector.ledger.merkle import EMPTY_ROOT, Node, fold, grow, hash_leaf, subtrees
from connector.ledger.note import parse_checkpoint, signed_by
from connector.ledger.tree import size
from connector.storage import Row, Transaction

PAGE = 1024
Unanswered = tuple[int, str, str, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """The first place that is wrong: which row, and what about it."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked.

    `signed_to`: the greatest size under a checkpoint whose signature was verified. `unanswered`: attempts at something
    outside that no entry gives an outcome, as (id of the intent's entry, kind, work, attempt): under way, or cut off.
    """

    size: int
    waiting: int
    checkpoints: int
    signed_to: int
    root: bytes
    problem: Problem | None
    unanswered: tuple[Unanswered, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing wrong was found."""
        return self.problem is None


class _Wrong(Exception):
    """The walk ends at the first problem."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(place)
        self.problem = Problem(place, what)


def verify(
    tx: Transaction,
    public_keys: Mapping[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check every entry, subtree and checkpoint.

    `public_keys` (kid to raw Ed25519 key) are the ledger's, from a source other than this database: without them the
    signatures of checkpoints are not checked and `signed_to` is 0. `progress` hears (done, all) after each page.
    """
    walk = _Walk(tx, public_keys or {})
    problem = None
    try:
        walk.run(progress or _silent)
    except _Wrong as wrong:
        problem = wrong.problem
    unanswered = tuple((entry, kind, *attempt) for attempt, (entry, kind) in walk.unanswered.items())
    return Report(walk.size, walk.waiting, walk.checkpoints, walk.signed_to, walk.top, problem, unanswered)


def _silent(_done: int, _all: int) -> None:
    """Nobody listens."""


class _Walk:
    """One pass over the tables."""

    def __init__(self, tx: Transaction, keys: Mapping[str, bytes]) -> None:
        self.tx, self.keys = tx, keys
        self.size = size(tx)
        self.waiting = self.checkpoints = self.signed_to = 0
        self.top = EMPTY_ROOT
        self.unanswered: dict[tuple[str, int], tuple[int, str]] = {}
        self._frontier: list[tuple[Node, bytes]] = []

    def run(self, progress: Callable[[int, int], None]) -> None:
        signed = self._signed_sizes()
        for start in range(0, self.size, PAGE):
            end = min(start + PAGE, self.size)
            self._page(start, end, signed)
            progress(end, self.size)
        self.top = fold([value for _, value in self._frontier])
        self._outside()
        for row in _pages(self.tx, "tree_index IS NULL"):
            self._entry(row, f"waiting entry id={row['id']}")
            self.waiting += 1

    def _page(self, start: int, end: int, signed: dict[int, Row]) -> None:
        if start == 0 and 0 in signed:
            self._checkpoint(signed[0], EMPTY_ROOT)
        rows = self.tx.all(
            f"SELECT {_COLUMNS} FROM ledger_entries WHERE tree_index >= :start AND tree_index < :stop"
            " ORDER BY tree_index",
            start=start,
            stop=end,
        )
        self._check_places(rows, start, end)
        for row in rows:
            self._entry(row, f"entry tree_index={row['tree_index']}")
        made = grow(self._frontier, start, [bytes(row["leaf_hash"]) for row in rows])
        self._check_nodes(made)
        known = dict(self._frontier) | dict(made)
        for at in sorted(n for n in signed if start < n <= end):
            self._checkpoint(signed[at], fold([known[node] for node in subtrees(0, at)]))
        self._frontier = [(node, known[node]) for node in subtrees(0, end)]

    def _entry(self, row: Row, place: str) -> None:
        facts = _check_entry(row, place)
        begun, ended = attempt_of(row["kind"], facts, INTENTS), attempt_of(row["kind"], facts, OUTCOMES)
        if begun is not None:
            self.unanswered[begun] = (int(row["id"]), row["kind"])
        if ended is not None:
            self.unanswered.pop(ended, None)

    def _check_places(self, rows: Sequence[Row], start: int, end: int) -> None:
        places = [int(row["tree_index"]) for row in rows]
        for wanted, found in zip(range(start, end), [*places, -1], strict=False):
            if wanted != found:
                raise _Wrong(f"entry tree_index={wanted}", "is missing")

    def _check_nodes(self, made: Sequence[tuple[Node, bytes]]) -> None:
        wanted: dict[int, dict[int, bytes]] = {}
        for (level, position), value in made:
            if level:
                wanted.setdefault(level, {})[position] = value
        for level, values in sorted(wanted.items()):
            rows = self.tx.all(
                "SELECT position, hash FROM ledger_nodes WHERE level = :level AND position BETWEEN :low AND :high",
                level=level,
                low=min(values),
                high=max(values),
            )
            stored = {int(row["position"]): bytes(row["hash"]) for row in rows}
            for position, value in values.items():
                place = f"node level={level} position={position}"
                if position not in stored:
                    raise _Wrong(place, "is missing")
                if stored[position] != value:
                    raise _Wrong(place, "its hash is not that of its children")

    def _signed_sizes(self) -> dict[int, Row]:
        rows = self.tx.all("SELECT size, root, note FROM ledger_checkpoints ORDER BY size")
        now = size(self.tx)
        for row in rows:
            if int(row["size"]) > now:
                raise _Wrong(f"checkpoint size={row['size']}", f"there are only {now} entries: some were cut off")
        if self.size == 0 and rows:
            self._checkpoint(rows[0], EMPTY_ROOT)
        return {int(row["size"]): row for row in rows}

    def _checkpoint(self, row: Row, root: bytes) -> None:
        place = f"checkpoint size={row['size']}"
        try:
            stated = parse_checkpoint(row["note"])
        except ValueError as error:
            raise _Wrong(place, str(error)) from error
        if stated.size != row["size"] or stated.root != bytes(row["root"]):
            raise _Wrong(place, "its note states something else than its row")
        if stated.root != root:
            raise _Wrong(place, "the entries are not those that were signed")
        self.checkpoints += 1
        if self.keys:
            if signed_by(stated, self.keys) is None:
                raise _Wrong(place, "no given key signed it")
            self.signed_to = stated.size

    def _outside(self) -> None:
        """Rows that no place of the tree accounts for."""
        stray = self.tx.one("SELECT min(tree_index) AS first FROM ledger_entries")
        if stray is not None and stray["first"] is not None and int(stray["first"]) < 0:
            raise _Wrong(f"entry tree_index={stray['first']}", "is outside the tree")
        now = size(self.tx)
        for row in self.tx.all(
            "SELECT level, min(position) AS low, max(position) AS high FROM ledger_nodes GROUP BY level"
        ):
            level, low, high = int(row["level"]), int(row["low"]), int(row["high"])
            for position in (low, high):
                if level < 1 or not 0 <= position < now >> level:
                    raise _Wrong(f"node level={level} position={position}", "is outside the tree")


_COLUMNS = "id, tree_index, tenant_id, pseudonym, kind, entry, leaf_hash, at"


def _pages(tx: Transaction, where: str) -> Iterator[Row]:
    last: int | None = None
    while True:
        after = "" if last is None else " AND id > :last"
        values: dict[str, int] = {} if last is None else {"last": last}
        rows = tx.all(f"SELECT {_COLUMNS} FROM ledger_entries WHERE {where}{after} ORDER BY id LIMIT {PAGE}", **values)
        yield from rows
        if len(rows) < PAGE:
            return
        last = int(rows[-1]["id"])


def _check_entry(row: Row, place: str) -> Mapping[str, Any]:
    """Its facts, if it is what it says it is."""
    text = row["entry"]
    if bytes(row["leaf_hash"]) != hash_leaf(text.encode()):
        raise _Wrong(place, "its leaf_hash is not that of its entry")
    try:
        stated = json.loads(text)
    except ValueError as error:
        raise _Wrong(place, "its entry is not JSON") from error
    for column, key in (("tenant_id", "tenant"), ("pseudonym", "pseudonym"), ("kind", "kind"), ("at", "at")):
        if row[column] != stated.get(key):
            raise _Wrong(place, f"its {column} is not what its entry says")
    facts: Mapping[str, Any] = stated.get("facts") or {}
    return facts
