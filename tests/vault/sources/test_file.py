import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from vault import FileKeySource, KeySourceError
from vault.sources import key_file, private_file
from vault.sources.private_file import read_private, write_new_private

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kek.json"


def _write(path: Path, document: Any) -> None:
    path.touch(mode=0o600)
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())


def _document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(key_file.dump({"1": KEY}, "1"))
    return loaded


def test_a_new_file_is_private_and_holds_one_random_key(path: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = FileKeySource.create(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileKeySource(path).check_value() == made.check_value()
    assert FileKeySource.create(tmp_path / "other.json").check_value() != made.check_value()


def test_creating_never_overwrites(path: Path, tmp_path: Path) -> None:
    made = FileKeySource.create(path)
    with pytest.raises(KeySourceError, match="never overwritten"):
        FileKeySource.create(path)
    assert FileKeySource(path).check_value() == made.check_value()
    dangling = tmp_path / "link.json"
    dangling.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(KeySourceError, match="never overwritten"):
        FileKeySource.create(dangling)
    assert not (tmp_path / "elsewhere.json").exists()


def test_a_missing_file_is_an_error_and_makes_no_key(path: Path) -> None:
    with pytest.raises(KeySourceError, match="Restore it"):
        FileKeySource(path)
    assert not path.exists()


def test_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeySourceError, match="Make its directory"):
        FileKeySource.create(tmp_path / "absent" / "kek.json")


def test_a_write_that_fails_leaves_no_half_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeySourceError, match="space"):
        write_new_private(path, b"x")
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_file_open_to_group_or_world_is_refused_with_the_command_that_mends_it(path: Path, mode: int) -> None:
    FileKeySource.create(path)
    path.chmod(mode)
    with pytest.raises(KeySourceError, match=f"chmod 600 {path}"):
        FileKeySource(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_open_to_its_owner_alone_is_read(path: Path, mode: int) -> None:
    FileKeySource.create(path)
    path.chmod(mode)
    assert FileKeySource(path).key_id() == "local:1"


def test_without_the_check_a_key_that_everyone_can_read_is_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FileKeySource.create(path)
    path.chmod(0o644)
    monkeypatch.setattr(private_file, "_refuse_unless_private", lambda path, found, trusted: None)
    assert FileKeySource(path).key_id() == "local:1"


def test_a_file_of_another_user_is_refused(path: Path) -> None:
    FileKeySource.create(path)
    with pytest.raises(KeySourceError, match="belongs to another user"):
        read_private(path, owners=frozenset({os.geteuid() + 1}))


def test_a_link_is_followed_if_its_maker_is_trusted(path: Path, tmp_path: Path) -> None:
    FileKeySource.create(path)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert FileKeySource(link).key_id() == "local:1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link in another user's name")
def test_a_link_that_another_user_made_is_refused(path: Path, tmp_path: Path) -> None:
    FileKeySource.create(path)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    os.lchown(link, 12345, 12345)
    with pytest.raises(KeySourceError, match="symbolic link"):
        FileKeySource(link)


def test_a_link_of_a_maker_who_is_not_trusted_is_refused_before_it_is_followed(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeySourceError, match="symbolic link"):
        read_private(link, owners=frozenset({os.geteuid() + 1}))


def test_pipes_and_directories_are_no_key_files(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(KeySourceError, match="not a regular file"):
        FileKeySource(path)
    with pytest.raises(KeySourceError):
        FileKeySource(tmp_path)


def test_a_huge_file_is_not_read(path: Path) -> None:
    _write(path, b" " * (1 << 17))
    with pytest.raises(KeySourceError, match="too large"):
        FileKeySource(path)


def test_a_key_that_does_not_match_its_check_value_is_refused(path: Path) -> None:
    document = _document()
    document["keys"][0]["key"] = base64.b64encode(bytes(32)).decode()
    _write(path, document)
    with pytest.raises(KeySourceError, match="check value"):
        FileKeySource(path)


def _with(**changes: Any) -> dict[str, Any]:
    return {**_document(), **changes}


def _entry(**changes: Any) -> dict[str, Any]:
    return {**_document()["keys"][0], **changes}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 5000,
        [],
        {},
        None,
        _with(format="gw/kek-file/v2"),
        _with(primary="2"),
        _with(primary=["1"]),
        _with(keys=[]),
        _with(keys=None),
        _with(extra=1),
        _with(scrypt={"n": 2}),
        _with(keys=[_entry(), _entry()]),
        _with(keys=[_entry(key="!!")]),
        _with(keys=[_entry(key=7)]),
        _with(keys=[_entry(key=base64.b64encode(bytes(16)).decode())]),
        _with(keys=[_entry(check="zz")]),
        _with(keys=[_entry(id="a/b")]),
        _with(keys=[_entry(id=1)]),
        _with(keys=[{"id": "1"}]),
        _with(keys=["1"]),
        json.dumps(_document()).replace('"primary"', '"primary": "2", "primary"').encode(),
    ],
    ids=lambda document: str(document)[:40],
)
def test_what_is_not_a_key_file_is_refused_without_showing_it(path: Path, document: Any) -> None:
    _write(path, document)
    with pytest.raises(KeySourceError) as caught:
        FileKeySource(path)
    assert base64.b64encode(KEY).decode() not in str(caught.value)
    assert caught.value.mend


def test_a_file_with_a_passphrase_opens_with_it_only(path: Path) -> None:
    made = FileKeySource.create(path, passphrase=b"correct horse")
    assert FileKeySource(path, passphrase=b"correct horse").check_value() == made.check_value()
    with pytest.raises(KeySourceError, match="does not open"):
        FileKeySource(path, passphrase=b"wrong horse")
    for nothing in (None, b""):
        with pytest.raises(KeySourceError, match="needs a passphrase"):
            FileKeySource(path, passphrase=nothing)


def test_a_passphrase_file_does_not_hold_the_key() -> None:
    text = key_file.dump({"1": KEY}, "1", b"correct horse")
    assert base64.b64encode(KEY) not in text
    assert base64.b64encode(KEY) in key_file.dump({"1": KEY}, "1")


@pytest.mark.parametrize(
    ("name", "value"), [("n", 1 << 10), ("n", 1 << 30), ("r", 1000), ("p", 100), ("p", 0), ("n", "x")]
)
def test_a_file_does_not_choose_a_cost_out_of_bounds(path: Path, name: str, value: object) -> None:
    document = json.loads(key_file.dump({"1": KEY}, "1", b"correct horse"))
    document["scrypt"][name] = value
    _write(path, document)
    with pytest.raises(KeySourceError, match="not one this version can read"):
        FileKeySource(path, passphrase=b"correct horse")
