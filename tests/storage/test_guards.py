"""The database refuses what the table of moves does not name, even from whoever writes to it directly."""

from __future__ import annotations

from itertools import product

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from connector.model.states import MOVES, ConnectionState, may_move
from connector.storage import current_revision, guards, head_revision, missing_guards, upgrade
from connector.storage.errors import GuardRefused
from connector.storage.schema import metadata

CONNECTIONS, TOKENS = metadata.tables["connections"], metadata.tables["connection_tokens"]


def put(store, state: str = "active", **columns) -> None:
    """A row as no gateway wrote it: triggers ask nothing about seals."""
    row = {
        column.name: b"x" if isinstance(column.type, sa.LargeBinary) else 0 if "INT" in str(column.type) else "x"
        for column in CONNECTIONS.columns
        if not column.nullable
    }
    row |= {"id": "con_a", "state": state, "generation": 5, "fence": 5, **columns}
    with store.transaction() as tx:
        tx.run("DELETE FROM connections")
        tx.run(f"INSERT INTO connections ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})", **row)


def change(store, **columns) -> None:
    with store.transaction() as tx:
        assert tx.run(f"UPDATE connections SET {', '.join(f'{name} = :{name}' for name in columns)}", **columns) == 1


def without(store, rule: str):
    """The same database with one guard dropped; the function puts it back."""
    (guard,) = [one for one in guards.guards() if one.rule == rule]
    with store.transaction() as tx:
        tx.run(guards.drop(store.dialect, guard.name, guard.table))


@pytest.fixture
def guarded(store):
    yield store
    upgrade(store)


def test_the_guards_are_there_after_an_upgrade(store):
    assert missing_guards(store) == []
    assert current_revision(store) == head_revision()


@pytest.mark.parametrize("old", list(ConnectionState))
def test_only_the_moves_of_the_table_are_let_through(store, old):
    for new in ConnectionState:
        if new is old:
            continue
        put(store, old.value)
        try:
            change(store, state=new.value, fence=6)
        except GuardRefused:
            assert not may_move(old, new)
        else:
            assert may_move(old, new)


@pytest.mark.parametrize(
    ("old", "change_to", "rule"),
    [
        ("active", {"fence": 4}, "fence"),
        ("active", {"state": "refreshing"}, "fence"),
        ("refreshing", {"lease_owner": "wrk_b"}, "fence"),
        ("active", {"generation": 4}, "generation"),
        ("revoked", {"generation": 6}, "rest"),
        ("needs_reauth", {"fence": 6}, "rest"),
        ("shredded", {"state": "active"}, "moves"),
        ("revoked", {"state": "active"}, "moves"),
    ],
)
def test_what_goes_back_or_leaves_the_end_is_refused_and_the_guard_is_what_refuses(guarded, old, change_to, rule):
    put(guarded, old, lease_owner="wrk_a")
    with pytest.raises(GuardRefused) as refused:
        change(guarded, **change_to)
    assert refused.value.detail.startswith(f"guard_{rule}_")
    without(guarded, rule)  # the twin: without it, the same goes through
    change(guarded, **change_to)


def test_tokens_never_go_back_to_an_older_generation(guarded):
    def older() -> None:
        with guarded.transaction() as tx:
            tx.run("UPDATE connection_tokens SET generation = 4")

    with guarded.transaction() as tx:
        tx.run(
            "INSERT INTO connection_tokens (connection_id, generation, access, token_type, landed_at)"
            " VALUES ('con_a', 5, :x, 'Bearer', 0)",
            x=b"x",
        )
    with pytest.raises(GuardRefused):
        older()
    without(guarded, "tokens")
    older()


@pytest.mark.parametrize("state", list(ConnectionState))
def test_what_is_no_move_is_left_alone(store, state):
    put(store, state.value)
    change(store, pseudonym=None, next_attempt_at=7, import_at=8)


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_a_table_that_a_migration_made_anew_gets_its_guards_back(guarded):
    """What Alembic's batch mode does to a table on SQLite. Whoever forgets the triggers finds them again."""
    if guarded.dialect == "sqlite":
        engine = sa.create_engine(guarded.url, poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("connections", recreate="always"):
                pass
        engine.dispose()
        assert len(missing_guards(guarded)) == len([one for one in guards.guards() if one.table == "connections"])
    else:
        without(guarded, "moves")
        assert len(missing_guards(guarded)) == 1
    upgrade(guarded)
    assert missing_guards(guarded) == []


def test_a_table_of_moves_that_changed_replaces_the_guard(guarded, monkeypatch):
    (before,) = [one.name for one in guards.guards() if one.rule == "moves"]
    monkeypatch.setitem(MOVES, ConnectionState.REVOKED, frozenset({ConnectionState.ACTIVE}))
    upgrade(guarded)
    assert missing_guards(guarded) == []
    assert before not in [one.name for one in guards.guards()]
    put(guarded, "revoked")
    change(guarded, state="active", fence=6)
    monkeypatch.undo()
    upgrade(guarded)
    put(guarded, "revoked")
    with pytest.raises(GuardRefused):
        change(guarded, state="active", fence=6)


def test_every_pair_of_states_is_in_the_database(store):
    """The trigger's text names every legal pair once, so the two lists cannot drift apart unseen."""
    (text,) = [one.when for one in guards.guards() if one.rule == "moves"]
    named = sum(len(after) for after in MOVES.values())
    listed = sum(part.count("'") // 2 for part in text.split(" IN (")[1:]) - (text.count("OLD.state = '") - 1)
    assert listed == named
    assert all(f"'{old.value}'" in text for old, new in product(MOVES, MOVES) if may_move(old, new))
