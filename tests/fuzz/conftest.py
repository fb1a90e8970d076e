from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.http import limits
from connector.storage import open_store
from tests.clock import ManualClock
from tests.signing_up import Town, make_town


@pytest.fixture(scope="module")
def fair(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One gateway for all examples of a file: strangers leave nothing behind that matters to the next."""
    folder = tmp_path_factory.mktemp("fair")
    shutil.copyfile(migrated_sqlite, folder / "connector.db")
    clock = ManualClock()
    store = open_store(f"sqlite:///{folder / 'connector.db'}", clock)
    town = make_town(folder, store, clock)
    town.app.extensions[limits.EXTENSION].within = lambda _limit, _who: True  # else limits hide what is behind them
    yield town
    store.dispose()
