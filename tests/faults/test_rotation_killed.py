"""A rotation that is killed without warning, again and again, in every phase: nothing lost, nothing left behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from connector import people
from connector.people import NewIdentity
from connector.storage import Store
from tests.clock import ManualClock
from tests.faults.nursery import Nursery
from vault import Address, FileKeySource, Owner, Vault
from vault.inventory import inventory

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

KEYS = 1_500
DEAD = -signal.SIGKILL

# Phase, and at which of its reports: rewrapping is killed in several batches, every other phase as it begins.
KILLS = (
    ("distribute", 1),
    ("promote", 1),
    *(("rewrap", number) for number in (1, 2, 4, 3)),
    ("verify", 1),
    ("retire", 1),
)


Run = Callable[..., int]


@pytest.fixture
def run(store: Store, tmp_path: Path, nursery: Nursery) -> Run:
    """A function that rotates in a process of its own: its exit code."""

    def run_it(kind: str, phase: str = "never", calls: int = 0) -> int:
        with nursery.start("rotate", {}, store.url, str(tmp_path / "kek.json"), kind, phase, str(calls)) as child:
            return child.wait(100)

    return run_it


@pytest.mark.parametrize("kind", ["kek", "tenant_keys"])
def test_nothing_is_unreadable_or_left_behind_after_kills_in_every_phase(
    store: Store, clock: ManualClock, tmp_path: Path, run: Run, kind: str
) -> None:
    path = tmp_path / "kek.json"
    vault = Vault(FileKeySource.create(path), now=clock.now)
    sealed: dict[Owner, bytes] = {}
    with store.transaction() as tx:
        vault.create_tenant(tx, "ten_a")
        for number in range(KEYS):
            owner = Owner("ten_a", "user", str(number))
            sealed[owner] = vault.create_key(tx, owner).seal(_address(owner), owner.id.encode(), generation=1)

    killed = [run(kind, *kill) for kill in KILLS]
    assert killed.count(DEAD) >= (5 if kind == "kek" else 8), killed
    assert run(kind) == 0

    reader = Vault(FileKeySource(path), now=clock.now)
    with store.read() as tx:
        assert reader.check(tx) == []
        assert reader.rotation().count_under_old(tx) == 0
        left = [owner for owner, blob in sealed.items() if not _opens(tx, reader, owner, blob)]
        assert left == []
        if kind == "kek":
            assert set(inventory(tx).tenant_keys) == {FileKeySource(path).key_id()}


def test_everybody_is_found_after_index_keys_were_killed_in_every_phase(
    store: Store, clock: ManualClock, tmp_path: Path, run: Run
) -> None:
    path = tmp_path / "kek.json"
    vault = Vault(FileKeySource.create(path), now=clock.now)
    accounts = [NewIdentity("int_1", "rehearsal", "https://provider.example", str(number)) for number in range(KEYS)]
    with store.transaction() as tx:
        vault.create_tenant(tx, "ten_a")
        vault.create_key(tx, Owner("ten_a", "tenant", "ten_a"))
        for account in accounts[: KEYS // 2]:
            people.link_identity(tx, vault, people.create_user(tx, vault, "ten_a"), account)
        for account in accounts[KEYS // 2 :]:
            people.remember_refused(tx, vault, "ten_a", account)

    killed = [run("indexes", *kill) for kill in (*KILLS[:6], KILLS[6], ("promote", 1), KILLS[7])]
    assert killed.count(DEAD) >= 8, killed
    assert run("indexes") == 0

    reader = Vault(FileKeySource(path), now=clock.now)
    with store.read() as tx:
        for account in accounts[: KEYS // 2]:
            assert people.find_identity(tx, reader, "ten_a", account) is not None
        for account in accounts[KEYS // 2 :]:
            assert people.is_refused(tx, reader, "ten_a", account)
        beside = tx.one("SELECT COUNT(subject_index_next) AS many FROM identities")
        assert beside is not None
        assert beside["many"] == 0


def _address(owner: Owner) -> Address:
    return Address(owner.tenant, owner.kind, owner.id, "", "test")


def _opens(tx: object, vault: Vault, owner: Owner, blob: bytes) -> bool:
    return vault.key(tx, owner).open(_address(owner), blob, generation=1) == owner.id.encode()  # type: ignore[arg-type]  # a transaction
