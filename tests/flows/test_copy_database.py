"""A database copied into another one: everything, once, and nothing served from half of it. In both directions."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connector import app, work
from connector.flows import copy_database as flow
from connector.flows import import_records
from connector.flows.revoke import revoke
from connector.http import create_app
from connector.model.errors import Conflict, Misconfigured
from connector.model.states import Ended
from connector.people import create_user
from connector.storage import Store, copying, marks, open_store
from connector.storage.schema import metadata
from tests.clock import ManualClock
from tests.gateways import api_token, bearer, make_settings, shipped_policy
from tests.moving_in import movers_of
from tests.services.database import sqlite_copy
from tests.signing_up import Town


@pytest.fixture
def other_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the other kind."""
    if database_kind == "postgresql":
        folder = tmp_path / "other"
        folder.mkdir()
        return sqlite_copy(request, folder)
    url: str = request.getfixturevalue("migrated_postgresql")
    store = open_store(url, ManualClock())
    with store.transaction() as tx:
        copying.empty(tx)
        tx.run("DELETE FROM schema_marks")
    store.dispose()
    return url


@pytest.fixture
def other(other_url: str, clock: ManualClock):
    store = open_store(other_url, clock)
    yield store
    store.dispose()


def value_for(column: sa.Column[Any], number: int) -> Any:
    """Something of the column's kind, at its edges where it has any."""
    if column.name == "state":
        return "revoked" if column.table.name == "connections" else "done"
    if isinstance(column.type, sa.LargeBinary):
        return bytes([0, 255, number]) * 7
    if isinstance(column.type, sa.Integer):
        return 2**62 + number if isinstance(column.type, sa.BigInteger) and not column.primary_key else number
    return f"Größe 'x' \" : % \\ {number}"


def fill(store: Store) -> None:
    """Two rows in every table that there is, so that none can be forgotten; one of them with nothing where it may."""
    with store.transaction() as tx:
        for table in copying.tables():
            for number in (1, 2):
                row = {
                    column.name: None if number == 2 and column.nullable else value_for(column, number)
                    for column in table.columns
                }
                tx.run(copying._insert(table), **row)


def parts(town: Town, target: Store, **more: Any) -> flow.Copying:
    gateway = town.gateway
    given: dict[str, Any] = {
        "vault_of": lambda _store: gateway.vault,
        "keys": lambda _store, _vault: {},
        "tell": lambda *_: None,
    }
    return flow.Copying(gateway.store, target, gateway.clock, **(given | more))


def lived_in(town: Town) -> dict[str, Any]:
    """A town in which things have happened."""
    movers = movers_of(town)
    movers.moved(movers.granted("cleo"))
    ada = town.sign_up("ada")
    gone = town.sign_up("bob")
    while import_records.step(town.gateway):
        pass
    revoke(town.gateway, town.house.tenant.id, gone["connection"], by=Ended.PERSON)
    return ada


def test_every_table_comes_over_whole_and_the_next_rows_get_numbers_of_their_own(store: Store, other: Store) -> None:
    fill(store)
    with store.transaction() as source, other.transaction() as target:
        copying.hold_still(source)
        found = copying.copy_all(source, target, lambda *_: None)
    assert {one.table for one in found} == set(metadata.tables) - {marks.TABLE}
    assert [one for one in found if not one.same or one.source_rows < 2] == []
    with other.transaction() as tx:
        for table in copying.tables():
            column = table.autoincrement_column
            if column is None:
                continue
            names = [one.name for one in table.columns if one is not column]
            row = {name: value_for(table.columns[name], 3) for name in names}
            sql = f'INSERT INTO "{table.name}" ({", ".join(names)}) VALUES ({", ".join(":" + name for name in names)})'
            tx.run(sql, **row)
            assert (tx.one(f'SELECT MAX({column.name}) AS top FROM "{table.name}"') or {})["top"] == 3


def test_a_changed_value_shows_in_the_sum(store: Store, other: Store) -> None:
    fill(store)
    with store.transaction() as source, other.transaction() as target:
        copying.copy_all(source, target, lambda *_: None)
        target.run("UPDATE tenants SET created_at = created_at + 1 WHERE name LIKE '%1'")
        table = metadata.tables["tenants"]
        assert copying._summed(source, table) != copying._summed(target, table)


def test_a_copied_gateway_goes_on_where_the_other_was_set_aside(
    town: Town, other: Store, clock: ManualClock, tmp_path: Path
) -> None:
    ada = lived_in(town)
    report = flow.copy_database(parts(town, other))
    assert all(one.same for one in report.tables)
    assert (report.vault.broken, report.ledger.ok) == (0, True)
    assert sum(report.vault.checked.values()) > 20
    with pytest.raises(Misconfigured) as refusal:
        app.check_schema(town.gateway.store)
    assert refusal.value.code == "database_moved"
    settings = make_settings(tmp_path, other.url)
    moved = app.build(settings, clock=clock, store=other, policy=shipped_policy())
    town.gateway = replace(moved, egress=town.egress)  # type: ignore[arg-type]  # it drives exchanges
    served = create_app(town.gateway)
    clock.advance(3600)
    headers = bearer(api_token(served, town.house.worker, town.house.worker_secret))
    answer = served.test_client().post(f"/v1/connections/{ada['connection']}/token", json={}, headers=headers)
    assert answer.status_code == 200, answer.text
    with other.transaction() as tx:
        create_user(tx, moved.vault, town.house.tenant.id)
    assert flow.reopen(town.house.gateway.store)
    app.check_schema(town.house.gateway.store)


def test_a_source_that_is_served_a_full_target_and_another_revision_are_refused(town: Town, other: Store) -> None:
    presence = work.Presence(town.gateway.store, "wrk_" + "a" * 26, "worker")
    presence.start()
    try:
        with pytest.raises(Conflict, match="source_served"):
            flow.copy_database(parts(town, other))
    finally:
        presence.stop()
    with other.transaction() as tx:
        marks.unmark(tx, marks.COPYING)
        tx.run("INSERT INTO tenants (id, name, created_at) VALUES ('ten_x', 'there', 1)")
    with pytest.raises(Conflict, match="target_not_empty"):
        flow.copy_database(parts(town, other))
    with other.transaction() as tx:
        tx.run("UPDATE alembic_version SET version_num = '0001'")
    try:
        with pytest.raises(Misconfigured, match="target_revision"):
            flow.copy_database(parts(town, other))
    finally:
        with other.transaction() as tx:
            tx.run("UPDATE alembic_version SET version_num = :head", head=flow.head_revision())
    app.check_schema(town.gateway.store)  # the source goes on as if nothing had been


def test_what_does_not_open_in_the_target_keeps_it_closed(town: Town, other: Store) -> None:
    lived_in(town)
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE integrations SET name = 'changed outside'")
    with pytest.raises(Misconfigured, match="copy_does_not_open"):
        flow.copy_database(parts(town, other))
    with pytest.raises(Misconfigured, match="copy_incomplete"):
        app.check_schema(other)
    app.check_schema(town.gateway.store)


SLOWLY = """
import sys, time
from connector.storage import copying
real = copying.set_counter
def slow(tx, table):
    real(tx, table)
    if table.name == "connections":
        print("halfway", flush=True)
        time.sleep(600)
copying.set_counter = slow
from connector.cli import main
main()
"""


@pytest.mark.loopback
def test_killed_halfway_the_target_is_closed_until_it_is_copied_again(
    town: Town, other: Store, other_url: str, tmp_path: Path
) -> None:
    town.sign_up("ada")
    config = tmp_path / "connector.toml"
    config.write_text(
        f'[server]\nmode = "development"\n[database]\nurl = "{town.gateway.store.url}"\n'
        f'[vault]\nkek = "file:{tmp_path / "kek.json"}"\n',
        encoding="utf-8",
    )
    words = ["database", "copy", "--to", other_url, "--config", str(config), "--json"]
    with subprocess.Popen([sys.executable, "-P", "-c", SLOWLY, *words], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"halfway\n"
        running.send_signal(signal.SIGKILL)
    with pytest.raises(Misconfigured, match="copy_incomplete"):
        app.check_schema(other)
    app.check_schema(town.gateway.store)
    assert all(one.same for one in flow.copy_database(parts(town, other)).tables)
    app.check_schema(other)
