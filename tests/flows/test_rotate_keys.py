"""Rotation on both databases: nothing left behind, nothing unreadable, whatever happens meanwhile."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connector.flows.rotate_keys import rotate
from connector.flows.rotation_parts import Parts
from connector.model.errors import Conflict, Misconfigured
from connector.storage import Store
from tests.clock import ManualClock
from vault import Address, EnvironmentKeySource, FileKeySource, KekUnknown, KeySource, Owner, Vault, VaultError
from vault.inventory import inventory
from vault.jobs import PHASES, Kind, advance, newest_jobs, open_job

TENANTS = ("ten_a", "ten_b")
KEYS = 60


@dataclass
class Keys:
    """A database with keys and values, and the key file beside it."""

    store: Store
    clock: ManualClock
    path: Path
    sealed: dict[Owner, bytes]

    def parts(self, tell: Any = None, source: KeySource | None = None) -> Parts:
        """As another process would have them: nothing is in memory yet."""
        source = source or FileKeySource(self.path)
        return Parts(self.store, self.vault(source), source, "test", tell or (lambda *_: None))

    def vault(self, source: KeySource | None = None) -> Vault:
        return Vault(source or FileKeySource(self.path), now=self.clock.now)

    def unreadable(self, vault: Vault | None = None) -> list[Owner]:
        vault = vault or self.vault()
        with self.store.read() as tx:
            return [owner for owner, blob in self.sealed.items() if not _opens(tx, vault, owner, blob)]

    def wraps(self) -> dict[str, int]:
        with self.store.read() as tx:
            return dict(inventory(tx).tenant_keys)


def _address(owner: Owner) -> Address:
    return Address(owner.tenant, owner.kind, owner.id, "", "test")


def _opens(tx: Any, vault: Vault, owner: Owner, blob: bytes) -> bool:
    try:
        return vault.key(tx, owner).open(_address(owner), blob, generation=1) == owner.id.encode()
    except VaultError:
        return False


@pytest.fixture
def keys(store: Store, clock: ManualClock, tmp_path: Path) -> Keys:
    made = Keys(store, clock, tmp_path / "kek.json", {})
    vault = made.vault(FileKeySource.create(made.path))
    with store.transaction() as tx:
        for tenant in TENANTS:
            vault.create_tenant(tx, tenant)
            for number in range(KEYS):
                owner = Owner(tenant, "user", f"{tenant}-{number}")
                key = vault.create_key(tx, owner)
                made.sealed[owner] = key.seal(_address(owner), owner.id.encode(), generation=1)
    return made


def under_replaced(keys: Keys) -> int:
    with keys.store.read() as tx:
        return keys.vault().rotation().count_under_old(tx)


# The whole way -------------------------------------------------------------------------------------


def test_everything_comes_under_the_new_kek_and_the_old_one_is_retired(keys: Keys) -> None:
    outcome = rotate(keys.parts(), "kek")
    assert (outcome.finished, outcome.job.done, outcome.job.failed) == (True, 4, 0)
    assert keys.wraps() == {"local:2": 4}
    source = FileKeySource(keys.path)
    assert (source.key_id(), source.key_ids(), source.retired_ids()) == ("local:2", {"local:2"}, {"local:1"})
    assert keys.unreadable() == []


def test_every_data_key_comes_under_a_new_tenant_key(keys: Keys) -> None:
    outcome = rotate(keys.parts(), "tenant_keys")
    assert (outcome.finished, outcome.job.done) == (True, 2 * KEYS + 2)  # the canaries' keys too
    assert under_replaced(keys) == 0
    assert keys.unreadable() == []
    with keys.store.read() as tx:
        assert keys.vault().check(tx) == []
        assert len(tx.all("SELECT id FROM tenant_keys WHERE retired_at IS NOT NULL")) == 2


def test_a_second_rotation_follows_the_first_and_drops_what_was_retired_a_day_ago(keys: Keys) -> None:
    rotate(keys.parts(), "tenant_keys")
    keys.clock.advance(days=2)
    rotate(keys.parts(), "kek", to="winter")
    rotate(keys.parts(), "tenant_keys")
    assert keys.wraps() == {"local:winter": 6}  # two tenants: index, newest, and the one retired now
    assert keys.unreadable() == []


def test_a_destroyed_key_stays_destroyed_and_holds_no_old_key_back(keys: Keys) -> None:
    gone = next(iter(keys.sealed))
    with keys.store.transaction() as tx:
        keys.vault().destroy(tx, gone)
    rotate(keys.parts(), "tenant_keys")
    assert keys.unreadable() == [gone]
    keys.clock.advance(days=2)
    rotate(keys.parts(), "tenant_keys")
    with keys.store.read() as tx:
        used = {row["tenant_key_id"] for row in tx.all("SELECT DISTINCT tenant_key_id FROM data_keys")}
        assert used <= {row["id"] for row in tx.all("SELECT id FROM tenant_keys")}


def test_an_old_backup_needs_the_retired_key_and_forgetting_it_ends_the_backup(keys: Keys) -> None:
    with keys.store.read() as tx:
        backup = [dict(row) for row in tx.all("SELECT * FROM tenant_keys")]
    rotate(keys.parts(), "kek")
    rotate(keys.parts(), "tenant_keys")
    source = FileKeySource(keys.path)
    row = next(one for one in backup if one["purpose"] == "wrap")
    with keys.store.transaction() as tx:
        tx.run(
            "UPDATE tenant_keys SET kek_id = :kek, wrapped = :old WHERE id = :id",
            kek=row["kek_id"],
            old=bytes(row["wrapped"]),
            id=row["id"],
        )
        assert [one.code for one in keys.vault().check(tx)] == ["kek_unknown"]
        source.reinstate("local:1")
        assert keys.vault().check(tx) == []
        source.retire("local:1")
    source.forget("local:1")
    with pytest.raises(KekUnknown):
        source.reinstate("local:1")


# While the gateway works ---------------------------------------------------------------------------


def test_readers_open_everything_while_keys_are_rotated(keys: Keys, open_another: Callable[..., Store]) -> None:
    over, failures, opened = threading.Event(), [], [0]
    running = [keys.vault() for _ in range(2)]  # processes that began under the old key, one of them with a cold cache

    def read(store: Store, vault: Vault) -> None:
        while not over.is_set():
            for owner, blob in keys.sealed.items():
                keys.clock.advance(seconds=10)  # tenant keys leave the cache all the time
                with store.read() as tx:
                    if not _opens(tx, vault, owner, blob):
                        failures.append(owner)
                opened[0] += 1

    threads = [threading.Thread(target=read, args=(open_another(keys.clock), vault)) for vault in running]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            assert rotate(keys.parts(), "kek").finished
            assert rotate(keys.parts(), "tenant_keys").finished
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert opened[0] > 0


def test_a_tenant_and_a_key_that_are_made_meanwhile_are_not_left_behind(keys: Keys) -> None:
    began_before = keys.vault()
    made: list[str] = []

    def tell(phase: str, *_: int) -> None:
        if phase in {"rewrap", "verify", "retire"} and phase not in made:
            made.append(phase)
            with keys.store.transaction() as tx:
                began_before.create_tenant(tx, f"ten_{phase}")
                owner = Owner("ten_a", "user", f"late-{phase}")
                key = began_before.create_key(tx, owner)
                keys.sealed[owner] = key.seal(_address(owner), owner.id.encode(), generation=1)

    rotate(keys.parts(tell), "kek")
    assert set(keys.wraps()) == {"local:2"}
    made.clear()
    made.append("skip")
    rotate(keys.parts(), "tenant_keys")
    assert under_replaced(keys) == 0
    assert keys.unreadable() == []


def test_two_runners_harm_nothing(keys: Keys, open_another: Callable[..., Store]) -> None:
    problems: list[BaseException] = []

    def run(store: Store) -> None:
        try:
            for kind in ("kek", "tenant_keys"):
                assert rotate(replace(keys.parts(), store=store), kind, to="2" if kind == "kek" else None).finished  # type: ignore[arg-type]  # words
        except BaseException as error:  # noqa: BLE001  it is looked at below
            problems.append(error)

    threads = [threading.Thread(target=run, args=(open_another(keys.clock),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The slower one may find its goal reached.
    assert [getattr(one, "detail", one) for one in problems if "retired" not in str(one)] == []
    assert set(keys.wraps()) == {"local:2"}
    assert under_replaced(keys) == 0
    assert keys.unreadable() == []


def test_a_key_destroyed_while_it_is_rewrapped_stays_destroyed(keys: Keys) -> None:
    gone = next(iter(keys.sealed))
    rotation = keys.vault().rotation()
    with keys.store.transaction() as tx:
        since = keys.clock.now() + 1
        rotation.begin_epoch(tx, since, rotation.new_wraps(rotation.without_epoch(tx, since, 10)))
        old = next(one for one in rotation.old_wraps(tx) if one.tenant == gone.tenant)
        new = rotation.newest_wrap(tx, gone.tenant)
        assert new is not None
        done, broken = rotation.rewrapping(old, new)(rotation.data_keys_under(tx, old, 1_000))
        assert broken == []
        keys.vault().destroy(tx, gone)
        assert rotation.exchange_data_keys(tx, new, done) == len(done) - 1
    assert keys.unreadable() == [gone]


# Key services ----------------------------------------------------------------------------------------


class Asked(FileKeySource):
    """A key source that hears what it is asked while a write transaction is open, as a service would let it wait."""

    def __init__(self, path: Path, is_writing: Callable[[], bool]) -> None:
        super().__init__(path)
        self._is_writing = is_writing
        self.kept_waiting: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in {"key_id", "key_ids", "wrap", "unwrap", "rewrap", "add", "promote"} and self._is_writing():
            self.kept_waiting.append(name)
        return super().__getattribute__(name)


class Watched:
    """A store that knows whether a write transaction is open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.writing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._store.transaction() as tx:
            self.writing = True
            try:
                yield tx
            finally:
                self.writing = False


@pytest.mark.parametrize("kind", ["kek", "tenant_keys"])
def test_no_key_service_is_asked_while_a_transaction_is_open(keys: Keys, kind: Kind) -> None:
    watched = Watched(keys.store)
    source = Asked(keys.path, lambda: watched.writing)
    parts = replace(keys.parts(source=source), store=watched)  # type: ignore[arg-type]  # it is one in all but its type
    assert rotate(parts, kind).finished
    assert source.kept_waiting == []
    assert keys.unreadable() == []


def test_who_begins_an_epoch_a_second_time_adds_nothing(keys: Keys) -> None:
    rotation, since = keys.vault().rotation(), keys.clock.now() + 1
    with keys.store.transaction() as tx:
        fresh = rotation.new_wraps(rotation.without_epoch(tx, since, 10))
        assert rotation.begin_epoch(tx, since, fresh) == len(TENANTS)
        assert rotation.begin_epoch(tx, since, rotation.new_wraps(TENANTS)) == 0


# Cut off -------------------------------------------------------------------------------------------


class _CutOff(Exception):
    pass


@pytest.mark.parametrize("kind", ["kek", "tenant_keys"])
@pytest.mark.parametrize("phase", PHASES[:-1])
def test_whoever_comes_next_goes_on_from_any_phase(keys: Keys, kind: Any, phase: str) -> None:
    def tell(now: str, *_: int) -> None:
        if now == phase:
            raise _CutOff

    with pytest.raises(_CutOff):
        rotate(keys.parts(tell), kind)
    with keys.store.read() as tx:
        job = open_job(tx, kind)
    assert job is not None
    assert job.phase == phase
    assert keys.unreadable() == []
    assert rotate(keys.parts(), kind).job.id == job.id
    assert keys.unreadable() == []
    assert under_replaced(keys) == 0
    if kind == "kek":
        assert set(keys.wraps()) == {"local:2"}


def test_another_goal_waits_until_the_first_is_reached(keys: Keys) -> None:
    rotate(keys.parts(), "kek", other_hosts=frozenset({"elsewhere"}))
    with pytest.raises(Conflict, match="local:2 is under way"):
        rotate(keys.parts(), "kek", to="9")


# What only the operator can do ---------------------------------------------------------------------


def test_other_hosts_are_waited_for_before_the_new_key_wraps(keys: Keys) -> None:
    outcome = rotate(keys.parts(), "kek", other_hosts=frozenset({"web-2"}))
    assert not outcome.finished
    assert "web-2" in str(outcome.to_do)
    source = FileKeySource(keys.path)
    assert (source.key_id(), source.key_ids()) == ("local:1", {"local:1", "local:2"})
    assert rotate(keys.parts(), "kek").finished


def test_keys_of_the_environment_are_changed_by_the_operator_and_rewrapped_here(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    first, second = (f"{name}:{base64.b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate("ab"))
    old = EnvironmentKeySource("KEK", {"KEK": first})
    keys = Keys(store, clock, tmp_path / "none", {})
    with store.transaction() as tx:
        keys.vault(old).create_tenant(tx, "ten_a")
    assert "Make a key named b" in str(rotate(keys.parts(source=old), "kek", to="b").to_do)
    both = EnvironmentKeySource("KEK", {"KEK": f"{first},{second}"})
    assert "Put the key b first" in str(rotate(keys.parts(source=both), "kek").to_do)
    turned = EnvironmentKeySource("KEK", {"KEK": f"{second},{first}"})
    assert rotate(keys.parts(source=turned), "kek").finished
    assert keys.wraps() == {"local:b": 2}


def test_a_key_that_does_not_open_is_counted_and_keeps_the_old_kek(keys: Keys) -> None:
    with keys.store.transaction() as tx:
        tx.run(
            "UPDATE tenant_keys SET wrapped = :junk WHERE tenant_id = 'ten_a' AND purpose = 'wrap'", junk=b"gk1 junk"
        )
    with pytest.raises(Misconfigured, match="1 keys do not open"):
        rotate(keys.parts(), "kek")
    assert FileKeySource(keys.path).key_ids() == {"local:1", "local:2"}
    with keys.store.read() as tx:
        assert (newest_jobs(tx)[0].phase, newest_jobs(tx)[0].failed) == ("rewrap", 1)


def test_a_data_key_that_does_not_open_stays_as_it_is(keys: Keys) -> None:
    victim = next(iter(keys.sealed))
    with keys.store.transaction() as tx:
        tx.run("UPDATE data_keys SET wrapped = :junk WHERE owner_id = :id", junk=b"x" * 60, id=victim.id)
    with pytest.raises(Misconfigured, match="1 keys do not open"):
        rotate(keys.parts(), "tenant_keys")
    assert keys.unreadable() == [victim]
    with keys.store.read() as tx:
        row = tx.one("SELECT wrapped FROM data_keys WHERE owner_id = :id", id=victim.id)
    assert row is not None
    assert bytes(row["wrapped"]) == b"x" * 60


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # PostgreSQL puts a changed row elsewhere as well
def test_twin_without_the_condition_a_destroyed_key_comes_back(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault import rotation_tables as module  # noqa: PLC0415  only the twin reaches in

    monkeypatch.setattr(module, "_ONE_BY_ONE", module._ONE_BY_ONE.replace("wrapped = :old", ":old = :old"))
    gone = next(iter(keys.sealed))
    rotation = keys.vault().rotation()
    with keys.store.transaction() as tx:
        since = keys.clock.now() + 1
        rotation.begin_epoch(tx, since, rotation.new_wraps(rotation.without_epoch(tx, since, 10)))
        old = next(one for one in rotation.old_wraps(tx) if one.tenant == gone.tenant)
        new = rotation.newest_wrap(tx, gone.tenant)
        assert new is not None
        done, _ = rotation.rewrapping(old, new)(rotation.data_keys_under(tx, old, 1_000))
        keys.vault().destroy(tx, gone)
        rotation.exchange_data_keys(tx, new, done)
    assert keys.unreadable() == []


def test_the_phase_moves_once(keys: Keys) -> None:
    rotate(keys.parts(), "kek", other_hosts=frozenset({"elsewhere"}))
    with keys.store.transaction() as tx:
        job = open_job(tx, "kek")
        assert job is not None
        assert [advance(tx, job, "promote"), advance(tx, job, "promote")] == [True, False]
