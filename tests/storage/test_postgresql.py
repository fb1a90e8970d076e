"""Statements go to PostgreSQL prepared, and come back as the same values from both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.storage import Store
from connector.storage.errors import DatabaseUnavailable
from tests.clock import ManualClock

TIMES = 4  # a statement is prepared when it comes again


def test_values_come_back_as_they_went(store: Store) -> None:
    sent = {"name": "tenant-é", "id": "ten_%s :x $1", "created_at": 2**53 - 1}
    with store.transaction() as tx:
        tx.run("INSERT INTO tenants (id, name, created_at) VALUES (:id, :name, :created_at)", **sent)
    for _ in range(TIMES):
        with store.read() as tx:
            assert dict(tx.one("SELECT id, name, created_at FROM tenants WHERE id = :id", id=sent["id"]) or {}) == sent
            assert tx.one("SELECT id FROM tenants WHERE id = :id", id="absent") is None


@pytest.mark.parametrize("value", [None, 0, -1, 2**31, 2**62])
def test_a_parameter_may_be_of_any_size_from_one_call_to_the_next(store: Store, value: int | None) -> None:
    for _ in range(TIMES):
        with store.read() as tx:
            row = tx.one("SELECT COUNT(*) AS found FROM connections WHERE expires_at = :at OR :at IS NULL", at=value)
        assert row is not None
        assert row["found"] == 0


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_migration_between_two_uses_is_not_noticed_by_who_reads(
    store: Store, open_another: Callable[[], Store]
) -> None:
    with store.transaction() as tx:
        tx.run("CREATE TABLE growing (id TEXT)")
        tx.run("INSERT INTO growing (id) VALUES ('one')")
    try:
        for _ in range(TIMES):
            _read(store)
        with open_another().transaction() as tx:
            tx.run("ALTER TABLE growing ADD COLUMN more BIGINT")
        assert _read(store) == {"id": "one", "more": None}
    finally:
        with store.transaction() as tx:
            tx.run("DROP TABLE growing")


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_within_a_transaction_a_migration_is_an_outage_that_passes(
    store: Store, open_another: Callable[[], Store]
) -> None:
    with store.transaction() as tx:
        tx.run("CREATE TABLE growing (id TEXT)")
    try:
        for _ in range(TIMES):
            _read(store)
        with open_another().transaction() as tx:
            tx.run("ALTER TABLE growing ADD COLUMN more BIGINT")
        with pytest.raises(DatabaseUnavailable), store.transaction() as tx:
            tx.one("SELECT * FROM growing")
        with store.transaction() as tx:
            assert tx.one("SELECT * FROM growing") is None
    finally:
        with store.transaction() as tx:
            tx.run("DROP TABLE growing")


def _read(store: Store) -> dict[str, object]:
    with store.read() as tx:
        return dict(tx.one("SELECT * FROM growing") or {})


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_text_with_a_zero_byte_is_refused_and_not_cut(store: Store, clock: ManualClock) -> None:
    with pytest.raises(Exception, match="NUL"), store.transaction() as tx:
        tx.run("INSERT INTO tenants (id, name, created_at) VALUES ('ten_x', :name, :now)", name="a\0b", now=clock.now())


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_server_that_goes_in_the_middle_of_a_statement_is_an_outage(store: Store) -> None:
    with pytest.raises(DatabaseUnavailable), store.read() as tx:
        tx.all("SELECT pg_terminate_backend(pg_backend_pid())")
    with store.read() as tx:
        assert tx.one("SELECT 1 AS one") == {"one": 1}
