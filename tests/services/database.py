"""The database under test: every test that asks for `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.storage import Store, open_store, upgrade
from connector.storage.schema import metadata
from tests.clock import ManualClock

_DELETED = " ".join(f'DELETE FROM "{table.name}";' for table in reversed(metadata.sorted_tables))
_EMPTY = f"DO $$ BEGIN {_DELETED} END $$"  # one statement: one way to the server and back


@pytest.fixture
def clock() -> ManualClock:
    """Time under the test's hand."""
    return ManualClock()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that went through all migrations, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    store = open_store(f"sqlite:///{file}", ManualClock())
    upgrade(store)
    store.dispose()
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> str:
    """This process's PostgreSQL database after all migrations."""
    store = open_store(postgresql, ManualClock())
    upgrade(store)
    store.dispose()
    return postgresql


@pytest.fixture(scope="session")
def emptied_postgresql(migrated_postgresql: str) -> Iterator[Callable[[], str]]:
    """A function that empties this process's PostgreSQL database and answers its URL.

    It keeps its connection: the plans of a hundred deletions and their checks are made once, not for every test.
    """
    store = open_store(migrated_postgresql, ManualClock())

    def empty() -> str:
        with store.transaction() as tx:
            tx.run(_EMPTY)
        return migrated_postgresql

    yield empty
    store.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on."""
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database of this test's own."""
    if database_kind == "sqlite":
        return sqlite_copy(request, tmp_path)
    empty: Callable[[], str] = request.getfixturevalue("emptied_postgresql")
    return empty()


def sqlite_copy(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a fresh copy of the migrated SQLite file."""
    file = folder / "connector.db"
    shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
    return f"sqlite:///{file}"


@pytest.fixture
def open_another(database_url: str) -> Iterator[Callable[..., Store]]:
    """A function that opens a further store on the same database, as another process would."""
    opened: list[Store] = []

    def open_it(clock: Any = None, **options: Any) -> Store:
        opened.append(open_store(database_url, clock or ManualClock(), **options))
        return opened[-1]

    yield open_it
    for store in opened:
        store.dispose()


@pytest.fixture
def store(clock: ManualClock, open_another: Callable[..., Store]) -> Store:
    """A migrated, empty database with the test's clock: once on SQLite, once on PostgreSQL."""
    return open_another(clock)


@pytest.fixture
def sqlite_store(clock: ManualClock, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The same on SQLite alone, for tests about what is not the database's."""
    opened = open_store(sqlite_copy(request, tmp_path), clock)
    yield opened
    opened.dispose()
