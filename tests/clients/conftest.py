"""A gateway with two tenants, for every test of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import House, make_house


@pytest.fixture
def house(tmp_path: Path, store: Store, clock: ManualClock) -> House:
    return make_house(tmp_path, store, clock)
