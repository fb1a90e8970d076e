"""A backup comes back: nothing that was ended lives again, and no stale refresh token is ever shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import app
from connector.flows import erase, refresh, restore, revoke
from connector.flows.backup import back_up, read_manifest
from connector.flows.outside import Outside, refuse_rolled_back
from connector.flows.restore import put_in_place, settle
from connector.model.errors import BadInput, Conflict, ConnectorError, Misconfigured
from connector.model.states import ConnectionState, Ended
from connector.storage import Store, open_store
from tests.clock import ManualClock
from tests.connected import Linked, linked
from vault import FileKeySource


@pytest.fixture
def at_home(tmp_path: Path, sqlite_store: Store, clock: ManualClock) -> Linked:
    """One connection at a provider that rotates refresh tokens, on SQLite."""
    return linked(tmp_path, sqlite_store, clock)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def source(home: Linked) -> FileKeySource:
    return FileKeySource(home.house.folder / "kek.json")


def backed_up(home: Linked, tmp_path: Path, name: str = "backup") -> Path:
    folder = tmp_path / name
    assert back_up(home.store, home.gateway.vault, folder).to_do is None
    return folder


def brought_back(home: Linked, folder: Path) -> None:
    """The database is lost, and the backup takes its place."""
    home.store.dispose()
    put_in_place(folder, home.store.url, source(home), home.gateway.clock, replace=True)


def all_asks(home: Linked, clock: ManualClock) -> None:
    """Everything that would refresh: a caller, the background, and recovery; now and after the token is over."""
    for _ in range(3):
        for act in (home.fresh, lambda: refresh.due(home.gateway), lambda: refresh.recover(home.gateway, frozenset())):
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


# The copy ------------------------------------------------------------------------------------------


def test_a_backup_holds_no_key_and_says_which_it_needs(at_home: Linked, tmp_path: Path) -> None:
    folder = backed_up(at_home, tmp_path)
    manifest = read_manifest(folder)
    assert manifest.keks == ("local:1",)
    assert sorted(file.name for file in folder.iterdir()) == ["connector.db", "manifest.json"]
    assert folder.stat().st_mode & 0o077 == (folder / "connector.db").stat().st_mode & 0o077 == 0


def test_the_check_opens_the_canaries_and_a_sample_and_leaves_no_trace(at_home: Linked, tmp_path: Path) -> None:
    made = back_up(at_home.store, at_home.gateway.vault, tmp_path / "good", check=True, draw=lambda: 0.0)
    assert made.sound
    assert made.report is not None
    assert made.report.checked.total() > 3
    with at_home.store.transaction() as tx:
        tx.run(
            "UPDATE vault_canaries SET sealed = :junk WHERE tenant_id = :id", junk=b"x" * 99, id=at_home.house.tenant.id
        )
    made = back_up(at_home.store, at_home.gateway.vault, tmp_path / "bad", check=True, draw=lambda: 1.0)
    assert [finding.code for finding in made.findings] == ["canary_broken"]
    assert not list((tmp_path / "good").glob("trial*"))


def test_nothing_is_overwritten(at_home: Linked, tmp_path: Path) -> None:
    folder = backed_up(at_home, tmp_path)
    with pytest.raises(BadInput, match="not empty"):
        back_up(at_home.store, at_home.gateway.vault, folder)
    with pytest.raises(Conflict, match="--replace"):
        put_in_place(folder, at_home.store.url, source(at_home), at_home.gateway.clock)
    at_home.store.dispose()
    before = put_in_place(folder, at_home.store.url, source(at_home), at_home.gateway.clock, replace=True)
    assert before is not None
    assert before.is_file()


def test_a_damaged_copy_and_a_folder_without_one_are_refused(at_home: Linked, tmp_path: Path) -> None:
    folder = backed_up(at_home, tmp_path)
    with (folder / "connector.db").open("r+b") as file:
        file.seek(5_000)
        file.write(b"damage")
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with pytest.raises(Misconfigured, match="damaged"):
        put_in_place(folder, elsewhere, source(at_home), at_home.gateway.clock)
    with pytest.raises(BadInput, match="no manifest"):
        put_in_place(tmp_path, elsewhere, source(at_home), at_home.gateway.clock)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_backup_whose_key_is_gone_is_refused_and_one_whose_key_is_retired_brings_it_back(
    at_home: Linked, tmp_path: Path
) -> None:
    folder = backed_up(at_home, tmp_path)
    keys = source(at_home)
    keys.add("local:2")
    keys.promote("local:2")
    keys.retire("local:1")
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    put_in_place(folder, url, keys, at_home.gateway.clock)
    assert "local:1" in keys.key_ids()
    store = open_store(url, at_home.gateway.clock)
    app.check_keys(store, app.open_vault(at_home.gateway.settings, at_home.gateway.clock, keys))
    store.dispose()
    with pytest.raises(Misconfigured, match="local:1"):
        put_in_place(
            folder,
            f"sqlite:///{tmp_path / 'third.db'}",
            FileKeySource.create(tmp_path / "other.json", name="9"),
            at_home.gateway.clock,
        )


# PostgreSQL ----------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_postgresql_is_copied_by_its_own_tools_and_settled_here(
    tmp_path: Path, migrated_postgresql: str, clock: ManualClock, outside: Outside, empty_postgresql: Store
) -> None:
    home = linked(tmp_path, empty_postgresql, clock)
    made = back_up(home.store, home.gateway.vault, tmp_path / "backup")
    assert "pg_dump --format=custom" in str(made.to_do)
    assert read_manifest(tmp_path / "backup").dialect == "postgresql"
    with pytest.raises(Conflict, match="pg_restore"):
        put_in_place(tmp_path / "backup", home.store.url, source(home), clock)
    assert settle(home.gateway, outside).serving == 1
    clock.advance(hours=2)
    all_asks(home, clock)
    assert home.refreshes() == 0


@pytest.fixture
def empty_postgresql(migrated_postgresql: str, clock: ManualClock) -> Iterator[Store]:
    from tests.services.database import _EMPTY  # noqa: PLC0415  as the fixture beside it does

    store = open_store(migrated_postgresql, clock)
    with store.transaction() as tx:
        tx.run(_EMPTY)
    yield store
    store.dispose()
