from __future__ import annotations

from pathlib import Path

import pytest

from connector.storage import Store
from tests.clock import ManualClock
from tests.signing_up import Town, make_town


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    """A gateway with Rehearsal, on each database."""
    return make_town(tmp_path, store, clock)
