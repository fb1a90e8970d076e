"""The finite space of all combinations, and sets of them as big integers.

Thirteen dimensions make 36,578,304 cells. A set of cells is one integer per `Use` (504 of them), with one bit for each
combination of tags and standing (72,576). A box, the set where each dimension is in a list of words, is the same
integer under each use it names, so it is built once. Union, intersection and difference are `|`, `&` and `& ~`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from math import prod
from typing import Final

from connector.model.tags import (
    Account,
    Action,
    Age,
    Category,
    Choice,
    Form,
    Link,
    Notice,
    Purpose,
    Recipient,
    Revision,
    Source,
    Standing,
    Tags,
    Use,
    Visibility,
    Word,
)

DIMENSIONS: Final[Mapping[str, type[Word]]] = {
    "action": Action,
    "recipient": Recipient,
    "purpose": Purpose,
    "category": Category,
    "source": Source,
    "form": Form,
    "age": Age,
    "visibility": Visibility,
    "revision": Revision,
    "account": Account,
    "link": Link,
    "choice": Choice,
    "notice": Notice,
}
_USE: Final = ("action", "recipient", "purpose")
TAG_NAMES: Final = ("category", "source", "form", "age", "visibility", "revision")
STANDING_NAMES: Final = ("account", "link", "choice", "notice")

USES: Final = tuple(Use(*words) for words in product(Action, Recipient, Purpose))
TAGS: Final = tuple(Tags(*words) for words in product(Category, Source, Form, Age, Visibility, Revision))
STANDINGS: Final = tuple(Standing(*words) for words in product(Account, Link, Choice, Notice))
WIDTH: Final = len(TAGS) * len(STANDINGS)
COMBINATIONS: Final = len(USES) * WIDTH


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination."""

    use: Use
    tags: Tags
    standing: Standing

    def word(self, dimension: str) -> Word:
        """The word this cell has in a dimension."""
        part = self.use if dimension in _USE else self.tags if dimension in TAG_NAMES else self.standing
        word: Word = getattr(part, dimension)
        return word

    def __str__(self) -> str:
        return ", ".join(f"{name}={self.word(name)}" for name in DIMENSIONS)


@dataclass(frozen=True, slots=True)
class Box:
    """All cells whose word is among the listed ones, in each dimension listed; the others are free."""

    words: Mapping[str, frozenset[Word]] = field(default_factory=dict)

    def allows(self, dimension: str) -> frozenset[Word]:
        """The words of a dimension inside this box."""
        return self.words.get(dimension, frozenset(DIMENSIONS[dimension]))

    def without(self, dimension: str) -> Box:
        """The same box with one dimension set free."""
        return Box({name: words for name, words in self.words.items() if name != dimension})

    def size(self) -> int:
        """How many cells it holds."""
        return prod(len(self.allows(name)) for name in DIMENSIONS)

    def minus(self, other: Box) -> list[Box]:
        """This box less another, as boxes that do not overlap."""
        rest: list[Box] = []
        inside = dict(self.words)
        for name in DIMENSIONS:
            mine, theirs = self.allows(name), other.allows(name)
            if mine - theirs:
                rest.append(Box({**inside, name: mine - theirs}))
            if not mine & theirs:
                return [self]
            inside[name] = mine & theirs
        return rest

    def minus_all(self, others: tuple[Box, ...]) -> list[Box]:
        """This box less several."""
        rest = [self]
        for other in others:
            rest = [piece for box in rest for piece in box.minus(other)]
        return rest

    def uses(self) -> Iterator[int]:
        """The indices of the uses inside."""
        return self._indices(_USE)

    def tags(self) -> Iterator[int]:
        """The indices of the tags inside."""
        return self._indices(TAG_NAMES)

    def standings(self) -> Iterator[int]:
        """The indices of the standings inside."""
        return self._indices(STANDING_NAMES)

    def block(self) -> int:
        """The bits of the tags and standings inside, the same under every use."""
        bits, width = 1, 1
        for name in reversed(TAG_NAMES + STANDING_NAMES):
            wider = 0
            for word in self.allows(name):
                wider |= bits << (word.rank * width)
            bits, width = wider, width * len(DIMENSIONS[name])
        return bits

    def _indices(self, names: tuple[str, ...]) -> Iterator[int]:
        sizes = [len(DIMENSIONS[name]) for name in names]
        steps = [prod(sizes[place + 1 :]) for place in range(len(sizes))]
        offsets = ([word.rank * step for word in self.allows(name)] for name, step in zip(names, steps, strict=True))
        return map(sum, product(*offsets))


@dataclass(frozen=True, slots=True)
class Cells:
    """A set of cells: bits by use index, uses without any left out."""

    blocks: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def union(cls, sets: Iterable[Cells]) -> Cells:
        """The cells of any of several sets."""
        blocks: dict[int, int] = {}
        for cells in sets:
            for use, bits in cells.blocks.items():
                blocks[use] = blocks.get(use, 0) | bits
        return cls(blocks)

    @classmethod
    def of(cls, box: Box, exceptions: tuple[Box, ...] = ()) -> Cells:
        """The cells of a box less its exceptions."""
        bits = box.block()
        cells = cls(dict.fromkeys(box.uses(), bits) if bits else {})
        for exception in exceptions:
            cells = cells - cls.of(exception)
        return cells

    def __or__(self, other: Cells) -> Cells:
        return Cells.union((self, other)) if self.blocks and other.blocks else self if self.blocks else other

    def __and__(self, other: Cells) -> Cells:
        few, many = sorted((self.blocks, other.blocks), key=len)
        common = ((use, bits & many.get(use, 0)) for use, bits in few.items())
        return Cells({use: bits for use, bits in common if bits})

    def __sub__(self, other: Cells) -> Cells:
        rest = ((use, bits & ~other.blocks.get(use, 0)) for use, bits in self.blocks.items())
        return Cells({use: bits for use, bits in rest if bits})

    def __bool__(self) -> bool:
        return any(self.blocks.values())

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self.blocks.values())

    def __contains__(self, cell: Cell) -> bool:
        bit = cell.tags.index * len(STANDINGS) + cell.standing.index
        return bool(self.blocks.get(cell.use.index, 0) >> bit & 1)

    def first(self) -> Cell | None:
        """The lowest cell of the set, as a witness; None when it is empty."""
        for use in sorted(self.blocks):
            bits = self.blocks[use]
            if bits:
                tags, standing = divmod((bits & -bits).bit_length() - 1, len(STANDINGS))
                return Cell(USES[use], TAGS[tags], STANDINGS[standing])
        return None

    def sha256(self) -> str:
        """A hash over every cell in or out, in the order of the dimensions."""
        digest = sha256()
        for use in range(len(USES)):
            digest.update(self.blocks.get(use, 0).to_bytes(WIDTH // 8, "little"))
        return digest.hexdigest()

    def words(self) -> dict[str, tuple[str, ...]]:
        """The words that occur in the set, for each dimension that is not free: a description, not the exact set."""
        seen: dict[str, tuple[str, ...]] = {}
        for name, kind in DIMENSIONS.items():
            present = tuple(str(word) for word in kind if self & Cells.of(Box({name: frozenset([word])})))
            if len(present) < len(kind):
                seen[name] = present
        return seen


def shifted(cells: Cells, dimension: str, word: Word, onto: Word) -> Cells:
    """The cells with `word` in a dimension of tags or standing, moved onto another word of it."""
    inner = (TAG_NAMES + STANDING_NAMES)[(TAG_NAMES + STANDING_NAMES).index(dimension) + 1 :]
    distance = (onto.rank - word.rank) * prod(len(DIMENSIONS[name]) for name in inner)
    chosen = cells & Cells.of(Box({dimension: frozenset([word])}))
    if distance >= 0:
        return Cells({use: bits << distance for use, bits in chosen.blocks.items()})
    return Cells({use: bits >> -distance for use, bits in chosen.blocks.items()})
