"""What every key source must do, whatever it is: each test runs against each source."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from vault import (
    EnvironmentKeySource,
    FileKeySource,
    FormatUnknown,
    KekMismatch,
    KekUnknown,
    KeySource,
    TagMismatch,
    VaultError,
)
from vault.sources import key_file

FIRST, SECOND = bytes(range(32)), bytes(range(32, 64))
TENANT_KEY = bytes(range(64, 96))
CONTEXT = b"tenant ten_a"

Make = Callable[..., KeySource]


def _from_file(directory: Path, passphrase: bytes | None = None) -> Make:
    def make(*keys: tuple[str, bytes]) -> KeySource:
        path = directory / f"{len(list(directory.iterdir()))}.json"
        path.touch(mode=0o600)
        path.write_bytes(key_file.dump(dict(keys), keys[0][0], passphrase))
        return FileKeySource(path, passphrase=passphrase)

    return make


def _from_environment(*keys: tuple[str, bytes]) -> KeySource:
    value = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in keys)
    return EnvironmentKeySource("KEK", {"KEK": value})


@pytest.fixture(params=["file", "file with passphrase", "environment"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(key_file, "_SCRYPT", {"n": 1 << 14, "r": 8, "p": 1})  # the least it accepts: tests are many
    if request.param == "environment":
        return _from_environment
    return _from_file(tmp_path, b"correct horse" if "passphrase" in request.param else None)


def test_what_was_wrapped_unwraps_under_the_same_context(make: Make) -> None:
    source = make(("1", FIRST))
    assert source.unwrap(source.wrap(TENANT_KEY, CONTEXT), CONTEXT) == TENANT_KEY
    assert make(("1", FIRST)).unwrap(source.wrap(TENANT_KEY, CONTEXT), CONTEXT) == TENANT_KEY


def test_another_context_does_not_unwrap(make: Make) -> None:
    source = make(("1", FIRST))
    for context in (b"", b"tenant ten_b", CONTEXT + b"\0"):
        with pytest.raises(TagMismatch):
            source.unwrap(source.wrap(TENANT_KEY, CONTEXT), context)


def test_wrapping_twice_gives_different_bytes(make: Make) -> None:
    source = make(("1", FIRST))
    assert len({source.wrap(TENANT_KEY, CONTEXT) for _ in range(50)}) == 50


def test_the_wrapped_bytes_do_not_hold_the_key(make: Make) -> None:
    blob = make(("1", FIRST)).wrap(TENANT_KEY, CONTEXT)
    assert TENANT_KEY not in blob
    assert FIRST not in blob


def test_every_altered_bit_and_every_truncation_is_refused(make: Make) -> None:
    source = make(("1", FIRST))
    blob = source.wrap(TENANT_KEY, CONTEXT)
    for bit in range(len(blob) * 8):
        altered = bytearray(blob)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VaultError):
            source.unwrap(bytes(altered), CONTEXT)
    for length in range(len(blob)):
        with pytest.raises((FormatUnknown, TagMismatch)):
            source.unwrap(blob[:length], CONTEXT)
    with pytest.raises(TagMismatch):
        source.unwrap(blob + b"\0", CONTEXT)


def test_a_wrong_key_of_the_same_name_tells_itself(make: Make) -> None:
    blob = make(("1", FIRST)).wrap(TENANT_KEY, CONTEXT)
    with pytest.raises(KekMismatch) as caught:
        make(("1", SECOND)).unwrap(blob, CONTEXT)
    assert caught.value.mend


def test_a_key_that_is_not_held_is_named(make: Make) -> None:
    blob = make(("1", FIRST)).wrap(TENANT_KEY, CONTEXT)
    with pytest.raises(KekUnknown, match="key 1 "):
        make(("2", FIRST)).unwrap(blob, CONTEXT)


def test_an_older_key_still_unwraps_and_the_primary_one_wraps(make: Make) -> None:
    old = make(("1", FIRST)).wrap(TENANT_KEY, CONTEXT)
    both = make(("2", SECOND), ("1", FIRST))
    assert both.key_id() == "local:2"
    assert both.key_ids() == {"local:1", "local:2"}
    assert both.unwrap(old, CONTEXT) == TENANT_KEY
    renewed = both.rewrap(old, CONTEXT)
    assert make(("2", SECOND)).unwrap(renewed, CONTEXT) == TENANT_KEY


def test_rewrapping_needs_the_context_too(make: Make) -> None:
    source = make(("1", FIRST))
    with pytest.raises(TagMismatch):
        source.rewrap(source.wrap(TENANT_KEY, CONTEXT), b"other")


def test_check_values_recognise_keys_and_do_not_hold_them(make: Make) -> None:
    both = make(("1", FIRST), ("2", SECOND))
    assert both.check_value() == both.check_value("local:1") == make(("other", FIRST)).check_value()
    assert both.check_value("local:2") != both.check_value()
    assert len(both.check_value()) == 16
    assert both.check_value() not in FIRST
    for key_id in ("local:3", "1", "aws-kms:1"):
        with pytest.raises(KekUnknown):
            both.check_value(key_id)


def test_what_no_source_wrote_is_refused(make: Make) -> None:
    source = make(("1", FIRST))
    for blob in (b"", b"gk1", b"gk1\x01", b"vault:v1:abc", bytes(100)):
        with pytest.raises(FormatUnknown):
            source.unwrap(blob, CONTEXT)


def test_the_same_key_in_a_file_and_in_a_variable_is_the_same_source(make: Make) -> None:
    assert _from_environment(("1", FIRST)).unwrap(make(("1", FIRST)).wrap(TENANT_KEY, CONTEXT), CONTEXT) == TENANT_KEY
