"""A key file that grows, and processes that have it open meanwhile."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from vault import FileKeySource, KekUnknown, KeySourceError
from vault.sources import key_file

KEY, CONTEXT = bytes(range(32)), b"tenant ten_a"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    FileKeySource.create(tmp_path / "kek.json")
    return tmp_path / "kek.json"


def test_another_process_learns_of_a_new_key_by_itself(path: Path) -> None:
    running, changing = FileKeySource(path), FileKeySource(path)
    changing.add("local:2")
    assert (running.key_id(), running.key_ids()) == ("local:1", {"local:1", "local:2"})
    changing.promote("local:2")
    wrapped = changing.wrap(KEY, CONTEXT)
    assert running.unwrap(wrapped, CONTEXT) == KEY
    assert running.key_id() == "local:2"


def test_a_new_key_opens_before_it_wraps_and_adding_it_twice_changes_nothing(path: Path) -> None:
    source = FileKeySource(path)
    source.add("local:2")
    check = source.check_value("local:2")
    source.add("local:2")
    assert source.check_value("local:2") == check
    assert source.key_id() == "local:1"


def test_a_retired_key_opens_nothing_and_can_be_brought_back_until_it_is_forgotten(path: Path) -> None:
    source = FileKeySource(path)
    wrapped = source.wrap(KEY, CONTEXT)
    with pytest.raises(KeySourceError, match="wraps"):
        source.retire("local:1")
    source.add("local:2")
    source.promote("local:2")
    source.retire("local:1")
    with pytest.raises(KekUnknown):
        source.unwrap(wrapped, CONTEXT)
    with pytest.raises(KeySourceError, match="Choose another name"):
        source.add("local:1")
    source.reinstate("local:1")
    assert source.unwrap(wrapped, CONTEXT) == KEY
    source.retire("local:1")
    source.forget("local:1")
    assert source.retired_ids() == frozenset()
    for act in (source.reinstate, source.forget, source.promote):
        with pytest.raises(KekUnknown):
            act("local:1")


def test_a_key_that_is_in_use_cannot_be_forgotten(path: Path) -> None:
    source = FileKeySource(path)
    with pytest.raises(KekUnknown):
        source.forget("local:1")
    assert source.key_ids() == {"local:1"}


def test_a_file_that_is_damaged_or_gone_stops_no_process_that_has_its_keys(path: Path) -> None:
    source = FileKeySource(path)
    wrapped = source.wrap(KEY, CONTEXT)
    path.write_bytes(b"damage")
    assert source.unwrap(wrapped, CONTEXT) == KEY
    path.unlink()
    assert source.unwrap(source.wrap(KEY, CONTEXT), CONTEXT) == KEY
    with pytest.raises(KeySourceError):
        source.add("local:2")


def test_the_file_stays_private_and_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    old = os.umask(0)
    try:
        FileKeySource(link).add("local:2")
    finally:
        os.umask(old)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileKeySource(path).key_ids() == {"local:1", "local:2"}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kek.json", "link.json"]


def test_a_passphrase_holds_for_new_keys_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "_SCRYPT", {"n": 1 << 14, "r": 8, "p": 1})
    path = tmp_path / "kek.json"
    source = FileKeySource.create(path, passphrase=b"correct horse")
    source.add("local:2")
    source.promote("local:2")
    source.retire("local:1")
    assert FileKeySource(path, passphrase=b"correct horse").retired_ids() == {"local:1"}
    with pytest.raises(KeySourceError, match="passphrase"):
        FileKeySource(path)


def test_changes_made_at_once_are_all_kept(path: Path) -> None:
    names = [f"local:{number}" for number in range(2, 10)]
    threads = [threading.Thread(target=FileKeySource(path).add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FileKeySource(path).key_ids() == {"local:1", *names}
