"""A reader of C2SP tlog-tiles written from that page alone: it shares no code with the gateway's ledger."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def above(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tiles:
    """A folder of tiles, under its checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        origin, size, root = (folder / "checkpoint").read_text().split("\n")[:3]
        self.origin, self.size, self.root = origin, int(size), base64.b64decode(root)

    def tile(self, kind: str, number: int, held: int) -> bytes:
        full, rest = divmod(held, 256)
        parts = [f"{number // 1000**place % 1000:03}" for place in range(max(1, -(-len(str(number)) // 3)))][::-1]
        name = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        return (self.folder / f"tile/{kind}/{name}{'' if number < full else f'.p/{rest}'}").read_bytes()

    def entries(self) -> list[bytes]:
        found = []
        for number in range(-(-self.size // 256)):
            data = self.tile("entries", number, self.size)
            while data:
                length = int.from_bytes(data[:2], "big")
                found.append(data[2 : 2 + length])
                data = data[2 + length :]
        return found

    def level(self, level: int) -> list[bytes]:
        """The hashes of a level of tiles."""
        held = self.size >> (8 * level)
        data = b"".join(self.tile(str(level), number, held) for number in range(-(-held // 256)))
        return [data[at : at + 32] for at in range(0, len(data), 32)]

    def holds(self) -> bool:
        """Entries make the leaves, leaves the tiles above, and all of it the root."""
        leaves = self.level(0)
        if [leaf(entry) for entry in self.entries()] != leaves:
            return False
        below, level = leaves, 0
        while len(below) >= 256:
            made = [_root(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)]
            below, level = self.level(level + 1), level + 1
            if made != below:
                return False
        return _root(leaves) == self.root


def _root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return above(_root(hashes[:half]), _root(hashes[half:]))
