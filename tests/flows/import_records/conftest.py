from __future__ import annotations

import pytest

from tests.agreed import agree
from tests.connected import Linked, linked


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    """One connection whose person agreed to both imports."""
    made = linked(tmp_path, store, clock)
    agree(made, "import", "profile", "contacts")
    return made
