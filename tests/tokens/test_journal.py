"""The journal's files: on the disk before it returns, looked after by one process, gone without a trace when done."""

from __future__ import annotations

import os
import stat

import pytest

from connector.tokens import Journal, journal


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "landings"


def test_what_is_put_is_read_again_by_who_comes_after(folder):
    Journal(folder).put("con_a.1.2", b"sealed").leave()
    (found,) = Journal(folder).abandoned()
    assert found.content() == b"sealed"
    found.leave()


def test_what_somebody_holds_is_nobody_elses(folder):
    kept = Journal(folder).put("con_a.1.2", b"sealed")
    assert list(Journal(folder).abandoned()) == []
    kept.leave()
    for found in Journal(folder).abandoned():
        found.leave()


def test_only_its_owner_may_read_it(folder):
    kept = Journal(folder).put("con_a.1.2", b"sealed")
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept.leave()


def test_file_and_folder_are_synced_before_it_returns_and_the_content_is_cut_before_it_goes(folder, monkeypatch):
    done: list[str] = []
    sync, cut = os.fsync, os.ftruncate
    monkeypatch.setattr(os, "fsync", lambda one: (done.append("sync"), sync(one)))
    monkeypatch.setattr(os, "ftruncate", lambda one, size: (done.append(f"cut to {size}"), cut(one, size)))
    kept = Journal(folder).put("con_a.1.2", b"sealed")
    assert done == ["sync", "sync"]
    other = os.open(kept.path, os.O_RDONLY)  # as a link or an undelete would
    kept.drop()
    assert done == ["sync", "sync", "cut to 0", "sync", "sync"]
    assert os.fstat(other).st_size == 0
    os.close(other)
    assert list(folder.iterdir()) == []


def test_what_is_set_aside_is_kept_and_never_found_again(folder):
    kept = Journal(folder).put("con_a.1.2", b"sealed")
    kept.set_aside()
    assert [path.suffix for path in folder.iterdir()] == [journal.SET_ASIDE]
    assert list(Journal(folder).abandoned()) == []


def test_a_disk_that_is_full_is_told_and_leaves_nothing_behind(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        Journal(folder).put("con_a.1.2", b"sealed")
    monkeypatch.undo()
    assert list(folder.iterdir()) == []


def test_without_a_folder_nothing_is_kept():
    assert Journal(None).put("con_a.1.2", b"sealed") is None
    assert list(Journal(None).abandoned()) == []


def test_a_link_that_somebody_put_there_is_not_followed(folder, tmp_path):
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"kept")
    (folder / "con_a.1.2.landing").symlink_to(tmp_path / "elsewhere")
    assert list(Journal(folder).abandoned()) == []
