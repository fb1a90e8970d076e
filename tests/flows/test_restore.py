"""A backup comes back: nothing that was ended lives again, and no stale refresh token is ever shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector import app, work
from connector.flows import erase, refresh, restore, revoke
from connector.flows.backup import back_up, read_manifest
from connector.flows.outside import Outside, refuse_rolled_back
from connector.flows.restore import put_in_place, settle
from connector.model.errors import BadInput, Conflict, ConnectorError, Misconfigured
from connector.model.states import ConnectionState, Ended
from connector.storage import Store, open_store
from connector.storage.schema import metadata
from tests.clock import ManualClock
from tests.connected import Linked, linked, recovered
from vault import FileKeySource

_dumps: dict[Path, dict[str, bytes]] = {}


@pytest.fixture
def at_home(tmp_path: Path, store: Store, clock: ManualClock) -> Linked:
    """One connection at a provider that rotates refresh tokens."""
    return linked(tmp_path, store, clock)


@pytest.fixture
def on_sqlite(tmp_path: Path, sqlite_store: Store, clock: ManualClock) -> Linked:
    """The same on SQLite, whose copies are ours to make and to put in place."""
    return linked(tmp_path, sqlite_store, clock)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def source(home: Linked) -> FileKeySource:
    return FileKeySource(home.house.folder / "kek.json")


def backed_up(home: Linked, tmp_path: Path, name: str = "backup") -> Path:
    folder = tmp_path / name
    made = back_up(home.store, home.gateway.vault, folder)
    if home.store.dialect == "postgresql":
        _dumps[folder] = dumped(home)
        assert made.to_do is not None
    else:
        assert made.to_do is None
    return folder


def on_server(home: Linked) -> psycopg.Connection[Any]:
    return psycopg.connect(home.store.url.replace("postgresql+psycopg", "postgresql"))


def dumped(home: Linked) -> dict[str, bytes]:
    """What pg_dump does, which not every server comes with."""
    with on_server(home) as server, server.cursor() as cursor:
        found = {}
        for table in metadata.sorted_tables:
            with cursor.copy(f'COPY "{table.name}" TO STDOUT (FORMAT BINARY)'.encode()) as copy:
                found[table.name] = b"".join(bytes(part) for part in copy)
        return found


def put_back(home: Linked, dump: dict[str, bytes]) -> None:
    """What pg_restore does: no trigger fires."""
    with on_server(home) as server, server.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for name, content in dump.items():
            cursor.execute(f'DELETE FROM "{name}"'.encode())
            with cursor.copy(f'COPY "{name}" FROM STDIN (FORMAT BINARY)'.encode()) as copy:
                copy.write(content)


def brought_back(home: Linked, folder: Path) -> None:
    """The database is lost, and the backup takes its place."""
    home.store.dispose()
    if home.store.dialect == "postgresql":
        put_back(home, _dumps[folder])
        return
    put_in_place(folder, home.store.url, source(home), home.gateway.clock, replace=True)


def all_asks(home: Linked, clock: ManualClock) -> None:
    """Everything that would refresh: a caller, the background, and recovery; now and after the token is over."""
    for _ in range(3):
        for act in (home.fresh, lambda: refresh.due(home.gateway), lambda: recovered(home.gateway, frozenset())):
            try:
                act()  # type: ignore[operator]  # each takes nothing
            except ConnectorError:
                continue
        clock.advance(hours=2)


def reuses(home: Linked) -> int:
    """How often the provider saw a refresh token that was used before."""
    return sum(max(0, len(one["uses"]) - 1) for one in home.provider.oracle.report()["refresh_tokens"])


def test_a_restored_database_never_shows_a_stale_refresh_token(
    at_home: Linked, tmp_path: Path, outside: Outside, clock: ManualClock
) -> None:
    folder = backed_up(at_home, tmp_path)
    clock.advance(hours=2)
    at_home.fresh()  # rotates: the backup's refresh token is used up
    assert at_home.refreshes() == 1
    brought_back(at_home, folder)
    settled = settle(at_home.gateway, outside)
    assert (settled.serving, settled.needs_reauth) == (0, 1)
    all_asks(at_home, clock)
    assert (reuses(at_home), at_home.refreshes()) == (0, 1)
    found = at_home.connection()
    assert (found.state, found.reason) == (ConnectionState.NEEDS_REAUTH, "restore")


def test_twin_without_setting_aside_the_provider_sees_a_token_twice(
    at_home: Linked, tmp_path: Path, outside: Outside, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "may_be_stale", lambda _connection: False)
    folder = backed_up(at_home, tmp_path)
    clock.advance(hours=2)
    at_home.fresh()
    brought_back(at_home, folder)
    settle(at_home.gateway, outside)
    all_asks(at_home, clock)
    assert reuses(at_home) >= 1


def test_a_token_that_still_lives_is_served_until_it_is_over(
    at_home: Linked, tmp_path: Path, outside: Outside, clock: ManualClock
) -> None:
    folder = backed_up(at_home, tmp_path)
    brought_back(at_home, folder)
    assert settle(at_home.gateway, outside).serving == 1
    assert at_home.works(at_home.fresh().access_token)
    clock.advance(hours=2)
    with pytest.raises(Conflict) as caught:
        at_home.fresh()
    assert caught.value.code == "needs_reauth"
    assert reuses(at_home) == 0


def test_what_was_revoked_since_is_revoked_again(at_home: Linked, tmp_path: Path, outside: Outside) -> None:
    folder = backed_up(at_home, tmp_path)
    revoke.revoke(at_home.gateway, at_home.house.tenant.id, at_home.connection_id, by=Ended.PERSON)
    outside.note(at_home.store)
    brought_back(at_home, folder)
    assert at_home.connection().state is ConnectionState.ACTIVE  # what the backup says
    assert settle(at_home.gateway, outside).revoked == 1
    assert at_home.connection().state is ConnectionState.REVOKED


def test_keys_destroyed_since_are_destroyed_again(at_home: Linked, tmp_path: Path, outside: Outside) -> None:
    folder = backed_up(at_home, tmp_path)
    sub = at_home.connection().sub
    erase.delete_user(at_home.gateway, at_home.house.tenant.id, sub, Ended.PERSON)
    outside.note(at_home.store)
    brought_back(at_home, folder)
    settled = settle(at_home.gateway, outside)
    assert (settled.revoked, settled.erased) == (1, 1)
    with at_home.store.read() as tx:
        row = tx.one("SELECT COUNT(*) AS many FROM data_keys WHERE owner_id = :sub AND wrapped IS NOT NULL", sub=sub)
    assert row is not None
    assert row["many"] == 0


def test_twin_without_the_list_outside_they_come_back(at_home: Linked, tmp_path: Path, outside: Outside) -> None:
    folder = backed_up(at_home, tmp_path)
    sub = at_home.connection().sub
    erase.delete_user(at_home.gateway, at_home.house.tenant.id, sub, Ended.PERSON)
    brought_back(at_home, folder)
    assert settle(at_home.gateway, outside).erased == 0


def test_a_database_that_went_back_is_noticed_and_does_not_start(
    at_home: Linked, tmp_path: Path, clock: ManualClock
) -> None:
    outside = Outside(at_home.house.folder)  # beside the key file
    folder = backed_up(at_home, tmp_path)
    at_home.fresh()
    at_home.gateway.handouts.stop()
    outside.note(at_home.store)
    refuse_rolled_back(at_home.gateway.settings, at_home.store)
    brought_back(at_home, folder)
    with pytest.raises(Misconfigured, match="--in-place"):
        refuse_rolled_back(at_home.gateway.settings, at_home.store)
    settle(at_home.gateway, outside)
    refuse_rolled_back(at_home.gateway.settings, at_home.store)


def test_another_database_beside_the_same_key_is_none_that_went_back(outside: Outside, at_home: Linked) -> None:
    outside.note(at_home.store)
    mark = json.loads((outside.folder / "high-water.json").read_text())
    (outside.folder / "high-water.json").write_text(json.dumps({**mark, "ledger": 10_000}))
    assert outside.rolled_back(at_home.store)
    (outside.folder / "high-water.json").write_text(json.dumps({"database": "ten_other", "ledger": 10_000}))
    assert not outside.rolled_back(at_home.store)


def test_lines_outside_are_written_once_and_a_cut_off_one_is_written_again(at_home: Linked, outside: Outside) -> None:
    revoke.revoke(at_home.gateway, at_home.house.tenant.id, at_home.connection_id, by=Ended.PERSON)
    assert outside.note(at_home.store) >= 1
    assert outside.note(at_home.store) == 0
    file = outside.folder / "ended.jsonl"
    whole = file.read_text()
    assert Outside(outside.folder).note(at_home.store) == 0
    file.write_text(whole[:-5])
    again = Outside(outside.folder)
    assert again.note(at_home.store) == 1
    assert sorted(file.read_text().splitlines()) == sorted(whole.splitlines())
    assert file.stat().st_mode & 0o077 == 0


# Work that waited ------------------------------------------------------------------------------------


def waiting(home: Linked) -> None:
    """An import, a letter and two deliveries wait, one of them already sent, as far as anybody knows."""
    connection = home.connection()
    with home.store.transaction() as tx:
        for number, (state, sent) in enumerate((("queued", None), ("claimed", 1))):
            tx.run(
                "INSERT INTO deliveries (id, tenant_id, sub, connection_id, field_group, state, pointers,"
                " idempotency_key, sent_at, created_at) VALUES (:id, :tenant, :sub, :connection, 'name', :state, '[]',"
                " :id, :sent, 1)",
                id=f"dlv_{number}",
                tenant=connection.tenant_id,
                sub=connection.sub,
                connection=connection.id,
                state=state,
                sent=sent,
            )
        tx.run(
            "INSERT INTO imports (id, tenant_id, connection_id, number, asked_by, state, created_at)"
            " VALUES ('imp_1', :tenant, :connection, 77, 'app', 'queued', 1)",
            tenant=connection.tenant_id,
            connection=connection.id,
        )
        tx.run(
            "INSERT INTO mails (id, tenant_id, sub, item_id, created_at) VALUES ('mal_1', :tenant, :sub, 'itm_1', 1)",
            tenant=connection.tenant_id,
            sub=connection.sub,
        )


def rows(home: Linked, sql: str) -> list[Any]:
    with home.store.read() as tx:
        return [tuple(dict(row).values()) for row in tx.all(sql)]


def claimed(home: Linked) -> int:
    with home.store.transaction() as tx:
        return sum(len(work.claim(tx, table, "somebody", 10, 1_000)) for table in ("deliveries", "imports", "mails"))


def test_what_waited_in_a_backup_is_not_done_a_second_time(at_home: Linked, tmp_path: Path, outside: Outside) -> None:
    waiting(at_home)
    folder = backed_up(at_home, tmp_path)
    brought_back(at_home, folder)
    settled = settle(at_home.gateway, outside)
    assert (settled.deliveries, settled.imports, settled.letters) == (2, 1, 1)
    assert claimed(at_home) == 0
    outcomes = rows(at_home, "SELECT state, outcome FROM deliveries")
    assert outcomes == [("void", '{"result": "void", "reason": "restore"}')] * 2
    for table in ("imports", "mails"):
        assert rows(at_home, f"SELECT state, error FROM {table}") == [("void", "restore")]
    assert settle(at_home.gateway, outside).deliveries == 0


def test_twin_without_ending_it_the_work_is_claimed_again(
    at_home: Linked, tmp_path: Path, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore.ending, "void_restored", lambda *_: (0, 0))
    monkeypatch.setattr(restore.inbox, "void_letters", lambda *_: 0)
    waiting(at_home)
    folder = backed_up(at_home, tmp_path)
    brought_back(at_home, folder)
    settle(at_home.gateway, outside)
    assert claimed(at_home) >= 3


# What is not whole -----------------------------------------------------------------------------------


def test_a_connection_whose_row_was_altered_stays_as_it_is_and_holds_nobody_else_up(
    at_home: Linked, tmp_path: Path, outside: Outside, clock: ManualClock
) -> None:
    other = at_home.connect("grace")
    with at_home.store.transaction() as tx:
        tx.run("UPDATE connections SET granted_scopes = '[\"all\"]' WHERE id = :id", id=at_home.connection_id)
    settled = settle(at_home.gateway, outside)
    assert (settled.unreadable, settled.serving) == (1, 1)
    assert at_home.connection(other).reason == "restore"


def test_a_list_of_endings_that_cannot_be_read_stops_the_restore(at_home: Linked, outside: Outside) -> None:
    revoke.revoke(at_home.gateway, at_home.house.tenant.id, at_home.connection_id, by=Ended.PERSON)
    outside.note(at_home.store)
    file = outside.folder / "ended.jsonl"
    file.write_text("{half a line\n" + file.read_text())
    with pytest.raises(Misconfigured, match="cannot be read") as caught:
        settle(at_home.gateway, Outside(outside.folder))
    assert caught.value.code == "outside_damaged"


def test_keys_and_data_of_two_backups_are_told_from_damage(at_home: Linked, tmp_path: Path) -> None:
    """Half a restore: the canaries are of one day, the keys of another."""
    with at_home.store.transaction() as tx:
        kept = bytes((tx.one("SELECT sealed FROM vault_canaries") or {})["sealed"])
        tx.run("UPDATE data_keys SET wrapped = :other WHERE owner_kind = 'vault_canary'", other=b"x" * 60)
        assert {one.code for one in at_home.gateway.vault.check(tx)} == {"canary_broken"}
        tx.run("DELETE FROM vault_canaries WHERE sealed = :kept", kept=kept)
        assert {one.code for one in at_home.gateway.vault.check(tx)} == {"canary_broken", "canary_missing"}
        tx.run("DELETE FROM tenant_keys")
        assert {one.code for one in at_home.gateway.vault.check(tx)} == {"tenant_keys_missing"}


# The copy ------------------------------------------------------------------------------------------


def test_a_backup_holds_no_key_and_says_which_it_needs(on_sqlite: Linked, tmp_path: Path) -> None:
    folder = backed_up(on_sqlite, tmp_path)
    manifest = read_manifest(folder)
    assert manifest.keks == ("local:1",)
    assert sorted(file.name for file in folder.iterdir()) == ["connector.db", "manifest.json"]
    assert folder.stat().st_mode & 0o077 == (folder / "connector.db").stat().st_mode & 0o077 == 0


def test_the_check_opens_the_canaries_and_a_sample_and_leaves_no_trace(on_sqlite: Linked, tmp_path: Path) -> None:
    made = back_up(on_sqlite.store, on_sqlite.gateway.vault, tmp_path / "good", check=True, draw=lambda: 0.0)
    assert made.sound
    assert made.report is not None
    assert made.report.checked.total() > 3
    with on_sqlite.store.transaction() as tx:
        tx.run(
            "UPDATE vault_canaries SET sealed = :junk WHERE tenant_id = :id",
            junk=b"x" * 99,
            id=on_sqlite.house.tenant.id,
        )
    made = back_up(on_sqlite.store, on_sqlite.gateway.vault, tmp_path / "bad", check=True, draw=lambda: 1.0)
    assert [finding.code for finding in made.findings] == ["canary_broken"]
    assert not list((tmp_path / "good").glob("trial*"))


def test_nothing_is_overwritten(on_sqlite: Linked, tmp_path: Path) -> None:
    folder = backed_up(on_sqlite, tmp_path)
    with pytest.raises(BadInput, match="not empty"):
        back_up(on_sqlite.store, on_sqlite.gateway.vault, folder)
    with pytest.raises(Conflict, match="--replace"):
        put_in_place(folder, on_sqlite.store.url, source(on_sqlite), on_sqlite.gateway.clock)
    on_sqlite.store.dispose()
    before = put_in_place(folder, on_sqlite.store.url, source(on_sqlite), on_sqlite.gateway.clock, replace=True)
    assert before is not None
    assert before.is_file()


def test_a_damaged_copy_and_a_folder_without_one_are_refused(on_sqlite: Linked, tmp_path: Path) -> None:
    folder = backed_up(on_sqlite, tmp_path)
    with (folder / "connector.db").open("r+b") as file:
        file.seek(5_000)
        file.write(b"damage")
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with pytest.raises(Misconfigured, match="damaged"):
        put_in_place(folder, elsewhere, source(on_sqlite), on_sqlite.gateway.clock)
    with pytest.raises(BadInput, match="no manifest"):
        put_in_place(tmp_path, elsewhere, source(on_sqlite), on_sqlite.gateway.clock)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_backup_whose_key_is_gone_is_refused_and_one_whose_key_is_retired_brings_it_back(
    on_sqlite: Linked, tmp_path: Path
) -> None:
    folder = backed_up(on_sqlite, tmp_path)
    keys = source(on_sqlite)
    keys.add("local:2")
    keys.promote("local:2")
    keys.retire("local:1")
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    put_in_place(folder, url, keys, on_sqlite.gateway.clock)
    assert "local:1" in keys.key_ids()
    store = open_store(url, on_sqlite.gateway.clock)
    app.check_keys(store, app.open_vault(on_sqlite.gateway.settings, on_sqlite.gateway.clock, keys))
    store.dispose()
    with pytest.raises(Misconfigured, match="local:1"):
        put_in_place(
            folder,
            f"sqlite:///{tmp_path / 'third.db'}",
            FileKeySource.create(tmp_path / "other.json", name="9"),
            on_sqlite.gateway.clock,
        )


def test_a_backup_of_a_newer_version_or_of_an_unknown_form_is_refused_and_nothing_is_moved(
    on_sqlite: Linked, tmp_path: Path
) -> None:
    folder = backed_up(on_sqlite, tmp_path)
    whole = json.loads((folder / "manifest.json").read_text())
    before = Path(on_sqlite.store.url.removeprefix("sqlite:///")).read_bytes()
    for changed, code in (
        ({"revision": "9999"}, "backup_newer"),
        ({"format": "gw/backup/v9"}, "unknown_backup"),
        ({"sha256": "0" * 64}, "backup_damaged"),
        ({"keks": ["local:lost"]}, "kek_unknown"),
    ):
        (folder / "manifest.json").write_text(json.dumps({**whole, **changed}))
        with pytest.raises((BadInput, Misconfigured)) as caught:
            put_in_place(folder, on_sqlite.store.url, source(on_sqlite), on_sqlite.gateway.clock, replace=True)
        assert caught.value.code == code
    assert Path(on_sqlite.store.url.removeprefix("sqlite:///")).read_bytes() == before
    assert not list(Path(on_sqlite.house.folder).glob("*before*"))


def test_a_disk_that_is_full_while_the_copy_is_made_changes_nothing(
    on_sqlite: Linked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = backed_up(on_sqlite, tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore.shutil, "copyfile", full)
    with pytest.raises(Misconfigured, match="Make room"):
        put_in_place(folder, on_sqlite.store.url, source(on_sqlite), on_sqlite.gateway.clock, replace=True)
    assert on_sqlite.connection().state is ConnectionState.ACTIVE


# PostgreSQL ----------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_postgresql_is_copied_by_its_own_tools_and_never_put_in_place_by_us(
    tmp_path: Path, migrated_postgresql: str, clock: ManualClock, on_sqlite: Linked
) -> None:
    store = open_store(migrated_postgresql, clock)
    made = back_up(store, on_sqlite.gateway.vault, tmp_path / "backup")
    assert "pg_dump --format=custom" in str(made.to_do)
    assert read_manifest(tmp_path / "backup").dialect == "postgresql"
    with pytest.raises(Conflict, match="pg_restore"):
        put_in_place(tmp_path / "backup", store.url, source(on_sqlite), clock)
    store.dispose()
