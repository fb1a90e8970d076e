"""A rotation that is killed without warning, again and again, in every phase: nothing lost, nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connector import people
from connector.people import NewIdentity
from connector.storage import Store
from tests.clock import ManualClock
from vault import Address, FileKeySource, Owner, Vault
from vault.inventory import inventory

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

KEYS = 1_500
DEAD = -signal.SIGKILL

RUNNER = """
import os, signal, sys
from pathlib import Path
from connector.flows import rotate_indexes, rotate_keys, rotation_parts
from connector.model.clock import SystemClock
from connector.storage import open_store
from vault import FileKeySource, Vault

url, path, kind, phase, calls = sys.argv[1:]
rotate_keys.DATA_KEY_BATCH = rotate_indexes.BATCH = 200
left = int(calls)

def tell(now, done, total):
    global left
    left -= now == phase
    if now == phase and left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

source = FileKeySource(Path(path))
store = open_store(url)
parts = rotation_parts.Parts(store, Vault(source, now=SystemClock().now), source, "killed", tell)
outcome = rotate_keys.rotate(parts, kind)
sys.exit(0 if outcome.finished else 3)
"""

# Phase, and at which of its reports: rewrapping is killed in several batches, every other phase as it begins.
KILLS = (
    ("distribute", 1),
    ("promote", 1),
    *(("rewrap", number) for number in (1, 2, 4, 3)),
    ("verify", 1),
    ("retire", 1),
)


def run(store: Store, path: Path, kind: str, phase: str = "never", calls: int = 0) -> int:
    return subprocess.run(
        [sys.executable, "-c", RUNNER, store.url, str(path), kind, phase, str(calls)], check=False
    ).returncode


@pytest.mark.parametrize("kind", ["kek", "tenant_keys"])
def test_nothing_is_unreadable_or_left_behind_after_kills_in_every_phase(
    store: Store, clock: ManualClock, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "kek.json"
    vault = Vault(FileKeySource.create(path), now=clock.now)
    sealed: dict[Owner, bytes] = {}
    with store.transaction() as tx:
        vault.create_tenant(tx, "ten_a")
        for number in range(KEYS):
            owner = Owner("ten_a", "user", str(number))
            sealed[owner] = vault.create_key(tx, owner).seal(_address(owner), owner.id.encode(), generation=1)

    killed = [run(store, path, kind, *kill) for kill in KILLS]
    assert killed.count(DEAD) >= (5 if kind == "kek" else 8), killed
    assert run(store, path, kind) == 0

    reader = Vault(FileKeySource(path), now=clock.now)
    with store.read() as tx:
        assert reader.check(tx) == []
        assert reader.rotation().count_under_old(tx) == 0
        left = [owner for owner, blob in sealed.items() if not _opens(tx, reader, owner, blob)]
        assert left == []
        if kind == "kek":
            assert set(inventory(tx).tenant_keys) == {FileKeySource(path).key_id()}


def test_everybody_is_found_after_index_keys_were_killed_in_every_phase(
    store: Store, clock: ManualClock, tmp_path: Path
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

    killed = [run(store, path, "indexes", *kill) for kill in (*KILLS[:6], KILLS[6], ("promote", 1), KILLS[7])]
    assert killed.count(DEAD) >= 8, killed
    assert run(store, path, "indexes") == 0

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
