"""A client for loopback, as in development."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.egress import Egress
from connector.model.clock import SystemClock


@pytest.fixture
def make_egress() -> Iterator[Callable[..., Egress]]:
    """Makes clients that are closed when the test ends."""
    made: list[Egress] = []

    def make(**options: Any) -> Egress:
        made.append(Egress(SystemClock(), **{"development": True, "deadline_s": 3.0, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def egress(make_egress: Callable[..., Egress]) -> Egress:
    return make_egress()
