"""Migrations: one set, forwards only, for both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from connector.storage.store import Store, translation_of


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
    engine.dispose()
    return head_revision()


def current_revision(store: Store) -> str | None:
    """The revision the database is on; None where it is empty. Raises DatabaseUnavailable."""
    engine = sa.create_engine(store.url, poolclass=NullPool)
    try:
        with _reaching(), engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def head_revision() -> str:
    """The newest revision that this code knows."""
    head = ScriptDirectory.from_config(_configuration()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are shipped")
    return head


def known_revisions() -> tuple[str, ...]:
    """Every revision that this code knows, newest first. A database on another one is newer than the code."""
    script = ScriptDirectory.from_config(_configuration())
    return tuple(step.revision for step in script.walk_revisions())


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
