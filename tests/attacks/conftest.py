from __future__ import annotations

from pathlib import Path

import pytest

from connector.storage import Store
from tests.clock import ManualClock
from tests.signing_up import Town, make_town


@pytest.fixture
def street(tmp_path: Path, sqlite_store: Store, clock: ManualClock) -> Town:
    """Everybody who takes part, on SQLite alone: for attacks on what is not the database's."""
    return make_town(tmp_path, sqlite_store, clock)
