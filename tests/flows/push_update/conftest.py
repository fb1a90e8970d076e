from __future__ import annotations

import pytest

from tests.agreed import WRITING, agree, grant_scopes
from tests.connected import Linked, linked


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    """One connection that may write, whose person switched phones and name on."""
    made = linked(tmp_path, store, clock)
    grant_scopes(made, *WRITING)
    agree(made, "push", "phones", "name")
    return made
