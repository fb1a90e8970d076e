"""Callers who want tokens all the time, and what they get."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from connector.flows.fresh_token import Handed
from connector.model.errors import ConnectorError
from tests.chaos.town import Town

PAUSE_S = 0.02


class Callers:
    """A few threads, each asking for the token of one connection after another, from `with` to its end."""

    def __init__(
        self, town: Town, *, threads: int = 3, told: Callable[[str, float, Handed], None] | None = None
    ) -> None:
        self._town = town
        self._told = told
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._asking, args=(number,), daemon=True) for number in range(threads)
        ]
        self.asked = 0
        self.longest_s = 0.0
        self.refused: list[str] = []
        self.codes: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _asking(self, number: int) -> None:
        rng = random.Random(number)
        while not self._over.wait(PAUSE_S):
            wanted = rng.choice(self._town.ids)
            began = time.monotonic()
            try:
                handed = self._town.linked.fresh(wanted)
            except ConnectorError as error:
                self.codes[error.code] += 1
                if error.code not in {"revoked", "needs_reauth"}:
                    self.refused.append(error.code)
            else:
                self.asked += 1
                if self._told is not None:
                    self._told(wanted, began, handed)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
