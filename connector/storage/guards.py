"""What the database itself refuses about connections, whoever asks: triggers, made from the table of moves.

    moves       from one state to another that the table of moves does not name; out of the last state to anywhere
    rest        a state that stays while its tokens or its fence change, where the table names no such move
    fence       a fence that goes down, or a claim that does not raise it
    generation  tokens that go back to an older generation, in the connection's row or beside its tokens

They hold for updates only: a row that is copied from another database comes in whatever state it is. A trigger's name
ends with a digest of its text, so that a table of moves that changed is seen, and the new text put in place.

SQLite's way of altering a table (Alembic's batch mode) makes it anew, and loses its triggers and its indexes over
expressions. So `upgrade` puts all of that in place after every migration, not only in the one that brought it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from connector.model.states import MOVES

PREFIX = "guard_"
_FUNCTION = "connector_refuse"
# All that is due, in one range of one index: a connection whose provider is down is not looked at before its time.
# Queries that want these must use the same words.
_WAITING = "state IN ('active', 'expired')"
DUE_AT = "(CASE WHEN refresh_at > next_attempt_at THEN refresh_at ELSE next_attempt_at END)"
DUE_WHERE = f"refresh_at IS NOT NULL AND {_WAITING}"
WANTED_WHERE = f"refresh_at = 0 AND {_WAITING}"  # somebody waits for it: sooner than any other
INDEXES = {
    "ix_connections_due": f"connections ({DUE_AT}) WHERE {DUE_WHERE}",
    "ix_connections_wanted": f"connections (next_attempt_at) WHERE {WANTED_WHERE}",
}
_MAKE_FUNCTION = f"""CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, MESSAGE = TG_NAME;
END $$"""
_FOUND = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
    " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace",
}

_FOUND_INDEX = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND name = :name",
    "postgresql": "SELECT relname FROM pg_class WHERE relname = :name AND relkind = 'i'"
    " AND relnamespace = current_schema()::regnamespace",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule: refuse an update of `table` where `when` is true of OLD and NEW."""

    rule: str
    table: str
    when: str

    @property
    def name(self) -> str:
        """The trigger's name, which changes with its text."""
        digest = hashlib.sha256(f"{self.table} {self.when}".encode()).hexdigest()[:8]
        return f"{PREFIX}{self.rule}_{digest}"

    def create(self, dialect: str) -> str:
        """The statement that makes the trigger."""
        if dialect == "sqlite":
            return (
                f"CREATE TRIGGER {self.name} BEFORE UPDATE ON {self.table} WHEN {self.when}"
                f" BEGIN SELECT RAISE(ABORT, '{self.name}'); END"
            )
        return (
            f"CREATE TRIGGER {self.name} BEFORE UPDATE ON {self.table} FOR EACH ROW WHEN ({self.when})"
            f" EXECUTE FUNCTION {_FUNCTION}()"
        )


def guards() -> tuple[Guard, ...]:
    """The rules of this version."""
    return (
        Guard("moves", "connections", f"OLD.state <> NEW.state AND NOT ({_legal()})"),
        Guard(
            "rest",
            "connections",
            "OLD.state = NEW.state AND (OLD.generation <> NEW.generation OR OLD.fence <> NEW.fence)"
            f" AND OLD.state NOT IN ({', '.join(_restless())})",
        ),
        Guard(
            "fence",
            "connections",
            "NEW.fence < OLD.fence OR (NEW.state = 'refreshing' AND NEW.fence = OLD.fence"
            " AND (OLD.state <> 'refreshing' OR COALESCE(NEW.lease_owner, '') <> COALESCE(OLD.lease_owner, '')))",
        ),
        Guard("generation", "connections", "NEW.generation < OLD.generation"),
        Guard("tokens", "connection_tokens", "NEW.generation < OLD.generation"),
    )


def install(connection: sa.Connection) -> None:
    """Put the guards and the indexes of this version in place; nothing is touched where they are there."""
    dialect = connection.dialect.name
    for name, of in INDEXES.items():
        if connection.scalar(sa.text(_FOUND_INDEX[dialect]), {"name": name}) is None:
            connection.execute(sa.text(f"CREATE INDEX {name} ON {of}"))
    wanted = {guard.name: guard for guard in guards()}
    found = _found(connection)
    for name, table in found.items():
        if name not in wanted:
            connection.execute(sa.text(drop(dialect, name, table)))
    missing = [guard for name, guard in wanted.items() if name not in found]
    if missing and dialect == "postgresql":
        connection.execute(sa.text(_MAKE_FUNCTION))
    for guard in missing:
        connection.execute(sa.text(guard.create(dialect)))


def drop(dialect: str, name: str, table: str) -> str:
    """The statement that removes a guard."""
    return f"DROP TRIGGER {name}" + ("" if dialect == "sqlite" else f" ON {table}")


def missing(connection: sa.Connection) -> list[str]:
    """Names of guards of this version that the database does not have."""
    found = _found(connection)
    return [guard.name for guard in guards() if guard.name not in found]


def _found(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(sa.text(_FOUND[connection.dialect.name]))
    return {name: table for name, table in rows if name.startswith(PREFIX)}


def _legal() -> str:
    return " OR ".join(
        f"OLD.state = '{old.value}' AND NEW.state IN ({', '.join(sorted(repr(new.value) for new in after))})"
        for old, after in MOVES.items()
        if after
    )


def _restless() -> Iterator[str]:
    return (repr(state.value) for state, after in sorted(MOVES.items()) if state in after)
