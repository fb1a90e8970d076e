"""Migrations: one set, forwards only, for both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from connector.storage import guards, marks
from connector.storage.store import Store, translation_of

COMPATIBLE_FROM = "0001"  # whose code may work on the newest revision: raised with the first change that breaks it

_HAS_REVISION = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    "postgresql": "SELECT 1 AS found WHERE to_regclass('alembic_version') IS NOT NULL",
}


def upgrade(store: Store) -> str:
    """Bring the schema to the newest revision; returns it. Two that start at once are serialised.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    engine = sa.create_engine(store.url, poolclass=NullPool)
    with _reaching(), engine.begin() as connection:
        if store.dialect == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(4020211)"))
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
        _mark_compatible(connection)
        guards.install(connection)  # a migration in SQLite's batch mode loses triggers without a word
    engine.dispose()
    return head_revision()


def current_revision(store: Store) -> str | None:
    """The revision the database is on; None where it is empty. Raises DatabaseUnavailable."""
    with store.read() as tx:
        if tx.one(_HAS_REVISION[tx.dialect]) is None:
            return None
        row = tx.one("SELECT version_num FROM alembic_version")
    return None if row is None else str(row["version_num"])


def head_revision() -> str:
    """The newest revision that this code knows."""
    return known_revisions()[0]


@cache
def known_revisions() -> tuple[str, ...]:
    """Every revision that this code knows, newest first. A database on another one is newer than the code."""
    script = ScriptDirectory.from_config(_configuration())
    return tuple(step.revision for step in script.walk_revisions())


def missing_guards(store: Store) -> list[str]:
    """Triggers that the database should have and has not (see `guards`). Raises DatabaseUnavailable."""
    engine = sa.create_engine(store.url, poolclass=NullPool)
    with _reaching(), engine.connect() as connection:
        return guards.missing(connection)


def _mark_compatible(connection: sa.Connection) -> None:
    """Tell older code, which has never heard of this revision, whether it may work on it."""
    connection.execute(
        sa.text(
            "INSERT INTO schema_marks (name, value) VALUES (:name, :value)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        {"name": marks.COMPATIBLE_FROM, "value": COMPATIBLE_FROM},
    )


@contextmanager
def _reaching() -> Iterator[None]:
    """A database that cannot be reached is told as every transaction tells it."""
    try:
        yield
    except sa.exc.OperationalError as error:
        raise translation_of(error.orig or error) from error


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return configuration
