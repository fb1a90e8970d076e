"""The tree as files, in the layout of c2sp.org/tlog-tiles: what standard tools, mirrors and witnesses of logs read.

    checkpoint                 the signed note
    tile/<L>/<N>[.p/<W>]       256 hashes of level 8·L, from position 256·N; W of them where there are no more yet
    tile/entries/<N>[.p/<W>]   the entries under such a tile of level 0, each behind its length in two bytes

A full tile never changes, so who exports again writes only what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.ledger.tree import LedgerBroken
from connector.storage import Transaction

WIDTH = 256
HEIGHT = 8  # levels of the tree in one tile
_IN_A_PATH = 1000
_LONGEST = 0xFFFF


def tiles(tx: Transaction, size: int, have: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Every file of the tree of `size` but the checkpoint, as (path, content); full ones that are there are left out.

    Raises:
        LedgerBroken: a hash or an entry is missing.
    """
    for number, width in _numbers(size):
        if not (width == WIDTH and have(_path("entries", number, width))):
            yield _path("entries", number, width), _bundle(tx, number, width)
    level, held = 0, size
    while held:
        for number, width in _numbers(held):
            if not (width == WIDTH and have(_path(str(level), number, width))):
                yield _path(str(level), number, width), _hashes(tx, level, number, width)
        level, held = level + 1, held >> HEIGHT


def _numbers(held: int) -> Iterator[tuple[int, int]]:
    """The tiles over so many hashes, as (number, width)."""
    yield from ((number, WIDTH) for number in range(held // WIDTH))
    if held % WIDTH:
        yield held // WIDTH, held % WIDTH


def _path(kind: str, number: int, width: int) -> str:
    parts = [f"{number % _IN_A_PATH:03}"]
    while number := number // _IN_A_PATH:
        parts.insert(0, f"x{number % _IN_A_PATH:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{kind}/{'/'.join(parts)}{partial}"


def _bundle(tx: Transaction, number: int, width: int) -> bytes:
    rows = tx.all(
        "SELECT entry FROM ledger_entries WHERE tree_index >= :first AND tree_index < :past ORDER BY tree_index",
        first=number * WIDTH,
        past=number * WIDTH + width,
    )
    entries = [row["entry"].encode() for row in rows]
    _whole(len(entries), width, f"entries from {number * WIDTH}")
    if any(len(entry) > _LONGEST for entry in entries):
        raise LedgerBroken(f"an entry from {number * WIDTH} on is too long for a tile")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _hashes(tx: Transaction, level: int, number: int, width: int) -> bytes:
    first, past = number * WIDTH, number * WIDTH + width
    if level == 0:
        rows = tx.all(
            "SELECT leaf_hash AS hash FROM ledger_entries WHERE tree_index >= :first AND tree_index < :past"
            " ORDER BY tree_index",
            first=first,
            past=past,
        )
    else:
        rows = tx.all(
            "SELECT hash FROM ledger_nodes WHERE level = :level AND position >= :first AND position < :past"
            " ORDER BY position",
            level=level * HEIGHT,
            first=first,
            past=past,
        )
    _whole(len(rows), width, f"level {level * HEIGHT} from {first}")
    return b"".join(bytes(row["hash"]) for row in rows)


def _whole(found: int, wanted: int, where: str) -> None:
    if found != wanted:
        raise LedgerBroken(f"{where}: {found} of {wanted} are there")
