"""What each level of destroying a key claims, by looking for the key's bytes in every file; and what it does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector import ledger
from connector.flows import erase, evidence, shredding
from connector.flows.key_epochs import BOTH, calendar, due_kinds, forget_due
from connector.flows.rotate_keys import rotate
from connector.flows.rotation_parts import Parts
from connector.flows.shredding import Upkeep, levels
from connector.model.instants import iso
from connector.model.states import Ended
from connector.settings import Settings
from connector.storage import Store, open_store
from tests.clock import ManualClock
from tests.rooms_vault import TENANT, make_vault
from tests.signing_up import Town
from vault import FileKeySource, KekUnknown, Owner, TagMismatch, Vault, VaultError

KEYS = 120
DAY_MS = 86_400_000


@dataclass
class Shredded:
    """Many people's keys, as they lay in their rows, and where the database's files are."""

    store: Store
    vault: Vault
    clock: ManualClock
    owners: list[Owner]
    wrapped: list[bytes]

    def destroy(self) -> None:
        with self.store.transaction() as tx:
            for owner in self.owners:
                self.vault.destroy(tx, owner)

    def found_in(self, files: Iterable[Path], *, enough: int = KEYS) -> int:
        """How many of the keys lie in these files, whole; the search ends with the file that makes it `enough`."""
        left = set(self.wrapped)
        for file in files:
            if len(self.wrapped) - len(left) >= enough:
                break
            try:
                content = file.read_bytes()
            except (FileNotFoundError, IsADirectoryError):  # a server removes its files as it likes
                continue
            left -= {key for key in left if key in content}
        return len(self.wrapped) - len(left)


def seeded(tmp_path: Path, store: Store, clock: ManualClock) -> Shredded:
    vault = make_vault(tmp_path, store, clock)
    owners = [Owner(TENANT, "user", f"usr_{number:04}") for number in range(KEYS)]
    with store.transaction() as tx:
        for owner in owners:
            vault.create_key(tx, owner)
    with store.read() as tx:
        rows = tx.all("SELECT wrapped FROM data_keys WHERE owner_kind = 'user'")
    return Shredded(store, vault, clock, owners, [bytes(row["wrapped"]) for row in rows])


# SQLite: the database, its log, its journal, and temporary files ------------------------------------------


@pytest.fixture
def on_sqlite(tmp_path: Path, sqlite_store: Store, clock: ManualClock) -> Shredded:
    made = seeded(tmp_path, sqlite_store, clock)
    sqlite_store.scrub()  # everything lies in the file itself
    return made


def beside(shredded: Shredded, tmp_path: Path, *endings: str) -> Iterator[Path]:
    """The database's files: itself, -wal, -shm, -journal, and whatever else lies there or in the temporary folder."""
    every = [file for file in tmp_path.rglob("*") if file.is_file() and "kek" not in file.name]
    return (file for file in every if not endings or file.name.endswith(endings))


def test_sqlite_holds_no_byte_of_a_destroyed_key_once_its_log_is_cut(
    on_sqlite: Shredded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    assert on_sqlite.found_in(beside(on_sqlite, tmp_path, ".db")) == KEYS
    on_sqlite.destroy()
    assert on_sqlite.store.scrub()
    assert on_sqlite.found_in(beside(on_sqlite, tmp_path)) == 0
    with on_sqlite.store.read() as tx:
        for owner in on_sqlite.owners:
            with pytest.raises(VaultError):
                on_sqlite.vault.key(tx, owner)


def test_twin_before_the_log_is_cut_the_file_still_holds_them(on_sqlite: Shredded, tmp_path: Path) -> None:
    """What the live level does not claim."""
    on_sqlite.destroy()
    assert on_sqlite.found_in(beside(on_sqlite, tmp_path)) == KEYS


def test_twin_without_secure_delete_bytes_stay_in_freed_places(on_sqlite: Shredded, tmp_path: Path) -> None:
    with on_sqlite.store.read() as tx:
        tx.all("PRAGMA secure_delete=OFF")
        tx.run("DELETE FROM data_keys WHERE owner_kind = 'user'")
        tx.all("PRAGMA wal_checkpoint(TRUNCATE)")
    assert on_sqlite.found_in(beside(on_sqlite, tmp_path)) > 0


def test_a_copy_made_before_keeps_them_which_is_why_backups_have_a_level_of_their_own(
    on_sqlite: Shredded, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / "connector.db"
    copy.parent.mkdir()
    shutil.copyfile(on_sqlite.store.url.removeprefix("sqlite:///"), copy)
    on_sqlite.destroy()
    on_sqlite.store.scrub()
    assert on_sqlite.found_in(iter([copy])) == KEYS


# PostgreSQL: its folder and its log -----------------------------------------------------------------------


@pytest.fixture
def on_postgresql(
    tmp_path: Path, clock: ManualClock, migrated_postgresql: str, request: pytest.FixtureRequest
) -> Iterator[Shredded]:
    from tests.services.database import _EMPTY  # noqa: PLC0415  as the fixture beside it does

    store = open_store(migrated_postgresql, clock)
    with store.transaction() as tx:
        tx.run(_EMPTY)
    yield seeded(tmp_path, store, clock)
    store.dispose()


def server(shredded: Shredded) -> psycopg.Connection[Any]:
    return psycopg.connect(shredded.store.url.replace("postgresql+psycopg", "postgresql"), autocommit=True)


def folders(shredded: Shredded) -> tuple[Path, Path]:
    """The folder of this database's files, and the server's log."""
    with server(shredded) as asked:
        asked.execute("CHECKPOINT")
        row = asked.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    if not os.access(row[0], os.R_OK):
        pytest.skip("the server's folder belongs to somebody else")
    return Path(row[0]) / "base" / str(row[1]), Path(row[0]) / "pg_wal"


@pytest.mark.postgresql
def test_postgresql_holds_no_byte_in_its_files_once_the_tables_of_keys_are_rewritten(
    on_postgresql: Shredded,
) -> None:
    base, log = folders(on_postgresql)
    assert on_postgresql.found_in(base.iterdir()) == KEYS
    on_postgresql.destroy()
    base, log = folders(on_postgresql)
    before = on_postgresql.found_in(base.iterdir())
    assert before > KEYS // 2  # the live level does not claim it
    assert shredding.rewrite(on_postgresql.store)
    base, log = folders(on_postgresql)
    assert on_postgresql.found_in(base.iterdir()) == 0
    newest_first = sorted((file for file in log.iterdir() if file.is_file()), reverse=True)  # named in their order
    assert on_postgresql.found_in(newest_first, enough=1) > 0  # and the storage level does not claim the log


@pytest.mark.postgresql
def test_twin_a_plain_vacuum_leaves_bytes_behind(on_postgresql: Shredded) -> None:
    on_postgresql.destroy()
    with server(on_postgresql) as asked:
        asked.execute("VACUUM data_keys")
    base, _log = folders(on_postgresql)
    assert on_postgresql.found_in(base.iterdir()) > 0


@pytest.mark.postgresql
def test_two_do_not_rewrite_at_once(on_postgresql: Shredded) -> None:
    with server(on_postgresql) as other:
        other.execute(f"SELECT pg_advisory_lock({shredding._REWRITING})")
        assert not shredding.rewrite(on_postgresql.store)
        other.execute(f"SELECT pg_advisory_unlock({shredding._REWRITING})")
    assert shredding.rewrite(on_postgresql.store)


# Backups: the key of that time is forgotten ------------------------------------------------------------


@dataclass
class Backup:
    """What a backup holds of one person's key, and of the keys above it."""

    row: dict[str, Any]
    tenant_keys: list[dict[str, Any]]

    def opens(self, store: Store, vault: Vault, owner: Owner) -> bool:
        """Whether somebody who has it, today's database and today's key file can open the key."""
        with store.transaction() as tx:
            tx.run("DELETE FROM data_keys WHERE owner_id = :id", id=owner.id)
            for one in self.tenant_keys:
                tx.run(
                    "INSERT INTO tenant_keys (id, tenant_id, purpose, kek_id, wrapped, created_at)"
                    " VALUES (:id, :tenant_id, :purpose, :kek_id, :wrapped, :created_at) ON CONFLICT DO NOTHING",
                    **{name: one[name] for name in ("id", "tenant_id", "purpose", "kek_id", "wrapped", "created_at")},
                )
            tx.run(
                "INSERT INTO data_keys (tenant_id, owner_kind, owner_id, epoch, tenant_key_id, wrapped, created_at)"
                " VALUES (:tenant_id, :owner_kind, :owner_id, :epoch, :tenant_key_id, :wrapped, :created_at)",
                **{name: value for name, value in self.row.items() if name != "destroyed_at"},
            )
            try:
                vault.key(tx, owner)
            except (KekUnknown, TagMismatch):
                return False
            return True


def copied(shredded: Shredded, owner: Owner) -> Backup:
    with shredded.store.read() as tx:
        row = tx.one("SELECT * FROM data_keys WHERE owner_id = :id", id=owner.id)
        assert row is not None
        return Backup(dict(row), [dict(one) for one in tx.all("SELECT * FROM tenant_keys")])


def turned(shredded: Shredded, tmp_path: Path, *kinds: Any) -> FileKeySource:
    """The keys rotated, and every retired KEK forgotten."""
    source = FileKeySource(tmp_path / "kek.json")
    for kind in kinds:
        parts = Parts(shredded.store, Vault(source, now=shredded.clock.now), source, "test", lambda *_: None)
        assert rotate(parts, kind).finished
        shredded.clock.advance(seconds=1)
    for kek_id in source.retired_ids():
        source.forget(kek_id)
    return source


@pytest.fixture
def shredded(tmp_path: Path, store: Store, clock: ManualClock) -> Shredded:
    return seeded(tmp_path, store, clock)


def test_no_backup_opens_what_was_destroyed_once_the_epoch_s_key_is_forgotten(
    shredded: Shredded, tmp_path: Path
) -> None:
    backup = copied(shredded, shredded.owners[0])
    shredded.destroy()
    turned(shredded, tmp_path, *BOTH)
    with shredded.store.read() as tx:
        assert len(tx.all("SELECT id FROM tenant_keys WHERE purpose = 'wrap'")) == 1  # the older one was left behind
    fresh = Vault(FileKeySource(tmp_path / "kek.json"), now=shredded.clock.now)
    assert not backup.opens(shredded.store, fresh, shredded.owners[0])


@pytest.mark.parametrize("kinds", [(), ("kek",), ("kek", "tenant_keys")], ids=["none", "kek alone", "the other order"])
def test_twin_without_both_in_this_order_the_backup_opens(shredded: Shredded, tmp_path: Path, kinds: Any) -> None:
    backup = copied(shredded, shredded.owners[0])
    shredded.destroy()
    turned(shredded, tmp_path, *kinds)
    fresh = Vault(FileKeySource(tmp_path / "kek.json"), now=shredded.clock.now)
    assert backup.opens(shredded.store, fresh, shredded.owners[0])


# Dates ----------------------------------------------------------------------------------------------------


def keeping(settings: Settings, retention: timedelta | None, epoch: timedelta = timedelta(days=30)) -> Settings:
    vault = settings.vault.model_copy(update={"backup_retention": retention, "epoch": epoch})
    return settings.model_copy(update={"vault": vault})


def test_the_dates_of_the_levels_follow_from_the_epoch_and_from_how_long_backups_are_kept(town: Town) -> None:
    gateway, began = town.gateway, town.gateway.clock.now()
    with gateway.store.read() as tx:
        kept = levels(keeping(gateway.settings, timedelta(days=14)), tx, began + 3 * DAY_MS)
        assert (kept.live_at, kept.backups_by) == (began + 3 * DAY_MS, began + 44 * DAY_MS)
        late = levels(keeping(gateway.settings, timedelta(days=14)), tx, began + 90 * DAY_MS)
        assert late.backups_by == began + 104 * DAY_MS  # nobody rotated; then not before they do
        assert levels(keeping(gateway.settings, None), tx, began).backups_by is None
        assert kept.storage_by - kept.live_at == (3_600_000 if tx.dialect == "sqlite" else 2 * DAY_MS)


def test_the_receipt_of_a_deletion_says_when_each_level_is_reached(town: Town) -> None:
    from dataclasses import replace  # noqa: PLC0415  only here

    sub = town.sign_up("ada")["claims"]["sub"]
    gateway = replace(town.gateway, settings=keeping(town.gateway.settings, timedelta(days=14)))
    now = gateway.clock.now()
    receipt = erase.delete_user(gateway, town.house.tenant.id, sub, Ended.PERSON).receipt_id
    body = receipt_body(town, receipt)["shredding"]
    assert body["live_at"] == iso(now)
    assert body["storage_by"] > body["live_at"]
    assert body["backups_by"] == iso(began(town) + 44 * DAY_MS)
    assert "log" in body["storage"]


def began(town: Town) -> int:
    with town.gateway.store.read() as tx:
        return int((tx.one("SELECT MIN(created_at) AS at FROM tenant_keys WHERE purpose = 'wrap'") or {})["at"])


def receipt_body(town: Town, receipt_id: str) -> dict[str, Any]:
    with town.gateway.store.read() as tx:
        kept = ledger.receipts.by_id(tx, town.house.tenant.id, receipt_id)
        assert kept is not None
        return dict(evidence._reopened(town.gateway, tx, kept).body)


def test_a_rotation_is_due_at_the_epoch_s_end_and_retired_keys_are_forgotten_with_the_backups(
    town: Town,
) -> None:
    settings = keeping(town.gateway.settings, timedelta(days=14))
    store, clock = town.gateway.store, town.gateway.clock
    assert isinstance(clock, ManualClock)
    source = FileKeySource(town.house.folder / "kek.json")
    assert due_kinds(settings, store) == ()
    clock.advance(days=31)
    assert due_kinds(settings, store) == BOTH
    for kind in BOTH:
        assert rotate(Parts(store, Vault(source, now=clock.now), source, "test", lambda *_: None), kind).finished
    assert due_kinds(settings, store) == ()
    with store.read() as tx:
        dates = calendar(settings, tx, source)
    assert [one.kek_id for one in dates.retired] == ["local:1"]
    assert dates.retired[0].forget_from == dates.retired[0].retired_at + 14 * DAY_MS
    assert forget_due(settings, store, source) == []
    clock.advance(days=15)
    assert forget_due(keeping(settings, None), store, source) == []
    assert forget_due(settings, store, source) == ["local:1"]
    assert source.retired_ids() == frozenset()


def test_upkeep_cleans_the_files_once_after_keys_were_destroyed(town: Town) -> None:
    upkeep = Upkeep(town.gateway)
    clock = town.gateway.clock
    assert isinstance(clock, ManualClock)
    assert upkeep.step() == 0
    sub = town.sign_up("ada")["claims"]["sub"]
    erase.delete_user(town.gateway, town.house.tenant.id, sub, Ended.PERSON)
    clock.advance(days=2)
    assert [upkeep.step(), upkeep.step()] == [1, 0]
