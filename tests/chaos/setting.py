"""What a storm is given: a database, a seed, where processes come from, and how long it may take."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.chaos.fleet import Fleet
from tests.chaos.servers import PostgreSQL
from tests.chaos.town import Rotation, Town, town_of
from tests.faults.nursery import Nursery

_NUMBERS = count(1)  # of databases: what is left of one storm must not meet the next


@dataclass(slots=True)
class Setting:
    """One storm's surroundings.

    Attributes:
        without: defences that are switched off (see `tests.faults.unsafe`); none, unless it is a twin.
        stretch: how much slower than by itself a process runs here at the moment, 1 or more: other people's work.
        longest_s: when to stop drawing blows, in seconds.
    """

    database: str
    folder: Path
    nursery: Nursery
    rng: random.Random
    kills: int
    longest_s: float
    stretch: float = 1.0
    server: PostgreSQL | None = None
    without: tuple[str, ...] = ()

    def url(self, tablespace: Path | None = None) -> str:
        """A fresh, empty database."""
        name = f"chaos_{next(_NUMBERS)}"
        if self.server is None:
            return f"sqlite:///{self.folder / name}.db"
        return self.server.database(name, tablespace)

    def town(self, rotation: Rotation, *, tablespace: Path | None = None, **how: Any) -> AbstractContextManager[Town]:
        """A provider and connections over a database of its own."""
        return town_of(self.folder, self.url(tablespace), rotation, **how)

    @contextmanager
    def fleet(self, town: Town, rotation: Rotation, size: int, **how: Any) -> Iterator[Fleet]:
        """Workers over a town."""
        how |= {"believes": rotation.believed, "without": list(self.without)}
        with Fleet(self.nursery, town.settings, how, size) as fleet:
            yield fleet
