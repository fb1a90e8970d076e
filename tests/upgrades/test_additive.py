"""The version before works on this version's schema: nothing it knows is gone, and nothing new is asked of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.pool import NullPool

from connector.storage import head_revision, marks, open_store, upgrade
from connector.storage.upgrade import COMPATIBLE_FROM, _configuration
from tests.clock import ManualClock

RELEASED = "0001"
NEVER_FILLED = {("identities", "subject_index_next")}  # there from the beginning, left empty by all released code


def reflected(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """Every table as the database itself describes it."""
    inspector = sa.inspect(connection)
    return {
        table: {
            "columns": {column["name"]: column for column in inspector.get_columns(table)},
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": {tuple(each["column_names"]) for each in inspector.get_unique_constraints(table)}
            | {tuple(each["column_names"]) for each in inspector.get_indexes(table) if each["unique"]},
            "checks": {each["name"]: words_in(each["sqltext"]) for each in inspector.get_check_constraints(table)},
            "foreign": inspector.get_foreign_keys(table),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def words_in(check: str) -> frozenset[str]:
    """The words that a check lets in."""
    return frozenset(re.findall(r"'([^']*)'", check))


@pytest.fixture
def empty_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table; on PostgreSQL a schema of its own."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    url = sa.make_url(request.getfixturevalue("migrated_postgresql"))
    name = f"old_{tmp_path.name}".lower().replace("-", "_")[:50]
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'))
        connection.execute(sa.text(f'CREATE SCHEMA "{name}"'))
    yield url.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.text(f'DROP SCHEMA "{name}" CASCADE'))
    engine.dispose()


def migrated_to(url: str, revision: str) -> dict[str, dict[str, Any]]:
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
        with warnings.catch_warnings(action="ignore", category=sa.exc.SAWarning):  # an index over an expression
            found = reflected(connection)
    engine.dispose()
    return found


def test_the_version_before_finds_all_it_knows_and_is_asked_for_nothing_new(empty_url: str) -> None:
    before = migrated_to(empty_url, RELEASED)
    after = migrated_to(empty_url, "head")
    for table, old in before.items():
        new = after[table]
        for name, column in old["columns"].items():
            there = new["columns"][name]
            assert str(there["type"]) == str(column["type"]), f"{table}.{name} has another type"
            assert there["nullable"] or not column["nullable"], f"{table}.{name} may not be empty any more"
            assert (there["default"] is None) == (column["default"] is None), f"{table}.{name} has another default"
        for name in set(new["columns"]) - set(old["columns"]):
            column = new["columns"][name]
            assert column["nullable"] or column["default"] is not None, f"{table}.{name} is asked of whoever inserts"
        assert new["key"] == old["key"], f"{table} has another key"
        assert new["foreign"] == old["foreign"], f"{table} has other foreign keys"
        for name, words in old["checks"].items():
            assert words <= new["checks"].get(name, words), f"{table}.{name} lets in less than before"
        assert set(new["checks"]) <= set(old["checks"]), f"{table} has a check that old inserts may break"
        for unique in new["unique"] - old["unique"]:
            added = [part for part in unique if part not in old["columns"] or (table, part) in NEVER_FILLED]
            assert added, f"{table} has a unique index over columns that old inserts fill: {unique}"
            assert all(new["columns"][part]["nullable"] for part in added)


def test_an_upgraded_database_says_from_which_revision_on_code_may_work_on_it(empty_url: str) -> None:
    store = open_store(empty_url, ManualClock())
    assert upgrade(store) == head_revision()
    assert marks.marks_of(store)[marks.COMPATIBLE_FROM] == COMPATIBLE_FROM == RELEASED
    store.dispose()
