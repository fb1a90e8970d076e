"""What every key source must do, whatever it is: each test runs against each source.

Transit is a real OpenBao, AWS KMS is served by moto, Google's by a stand-in that the official client speaks to.
"""

import copy
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clock import ManualClock
from tests.vault.fake_database import FakeTransaction
from tests.vault.sources.rigs import Rig
from vault import (
    FormatUnknown,
    KekMismatch,
    KekUnknown,
    KeySource,
    KeySourceError,
    Owner,
    RemoteKeySource,
    TagMismatch,
    Vault,
    VaultError,
)
from vault.sources.local import LocalKeys
from vault.sources.several import joined

pytestmark = pytest.mark.loopback

TENANT_KEY = bytes(range(64, 96))
CONTEXT = b"tenant ten_a"


@pytest.fixture
def source(rig: Rig) -> KeySource:
    return rig.open()


@pytest.fixture
def blob(source: KeySource) -> bytes:
    return source.wrap(TENANT_KEY, CONTEXT)


def _altered(blob: bytes, source: KeySource) -> list[bytes]:
    """Every bit, or one here and there where each try is a request."""
    bits = range(0, 8 * len(blob), 29) if isinstance(source, RemoteKeySource) else range(8 * len(blob))
    return [(int.from_bytes(blob, "big") ^ (1 << bit)).to_bytes(len(blob), "big") for bit in bits]


# Wrapping ------------------------------------------------------------------------------------------


def test_what_was_wrapped_unwraps_under_the_same_context(rig: Rig, source: KeySource, blob: bytes) -> None:
    assert source.unwrap(blob, CONTEXT) == TENANT_KEY
    assert rig.open().unwrap(blob, CONTEXT) == TENANT_KEY


@pytest.mark.parametrize("context", [b"", b"tenant ten_b", CONTEXT + b"\0", CONTEXT[:-1]])
def test_another_context_does_not_unwrap(source: KeySource, blob: bytes, context: bytes) -> None:
    with pytest.raises(TagMismatch):
        source.unwrap(blob, context)


def test_an_empty_context_is_a_context_too(source: KeySource) -> None:
    blob = source.wrap(TENANT_KEY, b"")
    assert source.unwrap(blob, b"") == TENANT_KEY
    with pytest.raises(TagMismatch):
        source.unwrap(blob, b"\0")


def test_wrapping_twice_gives_different_bytes(source: KeySource) -> None:
    assert len({source.wrap(TENANT_KEY, CONTEXT) for _ in range(20)}) == 20


def test_the_wrapped_bytes_do_not_hold_the_key(blob: bytes) -> None:
    assert TENANT_KEY not in blob
    assert TENANT_KEY[:8] not in blob


def test_altered_bits_are_refused(source: KeySource, blob: bytes) -> None:
    for altered in _altered(blob, source):
        with pytest.raises(VaultError):
            source.unwrap(altered, CONTEXT)


def test_truncations_and_additions_are_refused(source: KeySource, blob: bytes) -> None:
    lengths = range(0, len(blob), 17 if isinstance(source, RemoteKeySource) else 1)
    for cut in [*(blob[:length] for length in lengths), blob[:-1], blob + b"\0"]:
        with pytest.raises((FormatUnknown, TagMismatch)):
            source.unwrap(cut, CONTEXT)


def test_what_no_source_wrote_is_refused(source: KeySource) -> None:
    short = (b"", b"gk1", b"gk1\x01", b"gk2", b"gk2\0\0", b"gk2\xff\xff")
    for blob in (*short, b"gk3" + bytes(90), b"vault:v1:abc", bytes(99)):
        with pytest.raises(FormatUnknown):
            source.unwrap(blob, CONTEXT)


def test_what_another_kind_of_source_wrapped_is_refused(rig: Rig, source: KeySource) -> None:
    with pytest.raises((FormatUnknown, KekUnknown)):
        source.unwrap(rig.foreign, CONTEXT)


def test_threads_do_not_get_in_each_others_way(source: KeySource) -> None:
    def there_and_back(number: int) -> bool:
        context = b"tenant %d" % number
        return source.unwrap(source.wrap(TENANT_KEY, context), context) == TENANT_KEY

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(there_and_back, range(24)))


# Keys ----------------------------------------------------------------------------------------------


def test_every_process_sees_the_same_keys(rig: Rig, source: KeySource) -> None:
    other = rig.open()
    assert source.key_id() == other.key_id()
    assert source.key_ids() == other.key_ids() == {source.key_id()}


def test_a_wrong_key_of_the_same_name_tells_itself(rig: Rig, source: KeySource, blob: bytes) -> None:
    rig.replace()
    assert rig.open().key_id() == source.key_id()
    with pytest.raises(KekMismatch) as caught:
        rig.open().unwrap(blob, CONTEXT)
    assert caught.value.mend


def test_an_older_key_still_unwraps_and_the_newest_wraps(rig: Rig, source: KeySource, blob: bytes) -> None:
    first = source.key_id()
    rig.follow()
    newer = rig.open()
    assert newer.key_id() != first
    assert newer.key_ids() == {first, newer.key_id()}
    assert newer.unwrap(blob, CONTEXT) == TENANT_KEY
    fresh = newer.wrap(TENANT_KEY, CONTEXT)
    rig.take_away()
    assert rig.open().unwrap(fresh, CONTEXT) == TENANT_KEY


def test_a_key_that_is_not_held_is_named_with_what_to_do(rig: Rig, source: KeySource, blob: bytes) -> None:
    name = source.key_id().rpartition(":")[2]
    rig.follow()
    rig.take_away()
    with pytest.raises(KekUnknown, match=name) as caught:
        rig.open().unwrap(blob, CONTEXT)
    assert caught.value.mend


def test_rewrapping_brings_a_key_under_the_newest(rig: Rig, blob: bytes) -> None:
    rig.follow()
    renewed = rig.open().rewrap(blob, CONTEXT)
    rig.take_away()
    assert rig.open().unwrap(renewed, CONTEXT) == TENANT_KEY


def test_rewrapping_what_lies_under_the_newest_does_no_harm(source: KeySource, blob: bytes) -> None:
    again = source.rewrap(blob, CONTEXT)
    assert again != blob
    assert source.unwrap(again, CONTEXT) == TENANT_KEY


def test_rewrapping_needs_the_context_too(rig: Rig, source: KeySource, blob: bytes) -> None:
    rig.follow()
    for one in (source, rig.open()):  # to the newest from the newest, and from an older one
        with pytest.raises(TagMismatch):
            one.rewrap(blob, b"other")


def test_rewrapping_refuses_what_was_altered(rig: Rig, blob: bytes) -> None:
    rig.follow()
    with pytest.raises(TagMismatch):
        rig.open().rewrap(blob[:-1] + bytes([blob[-1] ^ 1]), CONTEXT)


def test_check_values_recognise_keys(rig: Rig, source: KeySource) -> None:
    key_id, first = source.key_id(), source.check_value()
    rig.follow()
    both = rig.open()
    assert len(first) == 16
    assert both.check_value(key_id) == first
    assert both.check_value() == both.check_value(both.key_id()) != first
    assert first not in TENANT_KEY


def test_a_check_value_of_a_key_that_is_not_there_is_refused(source: KeySource) -> None:
    for key_id in ("local:99", "1", "", "aws-kms:1", f"{source.key_id()}9"):
        with pytest.raises(KekUnknown):
            source.check_value(key_id)


# What it gives away --------------------------------------------------------------------------------


def test_a_source_shows_its_kind_and_travels_nowhere(source: KeySource) -> None:
    assert repr(source) == f"<{type(source).__name__}>" == f"{source}"
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            way(source)


def test_no_refusal_shows_keys_or_contexts(rig: Rig, source: KeySource, blob: bytes) -> None:
    refusals: list[str] = []
    for altered in _altered(blob, source)[::5]:
        with pytest.raises(VaultError) as caught:
            source.unwrap(altered, CONTEXT)
        refusals.append(f"{caught.value!r} {caught.value}")
    told = " ".join(refusals)
    assert CONTEXT.decode() not in told
    assert TENANT_KEY.hex() not in told
    assert blob.hex()[-40:] not in told


# With the vault ------------------------------------------------------------------------------------


def test_a_vault_over_it_makes_finds_and_checks_its_keys(rig: Rig, tx: FakeTransaction, clock: ManualClock) -> None:
    vault = Vault(rig.open(), now=clock.now)
    vault.create_tenant(tx, "ten_a")
    made = vault.create_key(tx, Owner("ten_a", "user", "usr_1"))
    other = Vault(rig.open(), now=clock.now)
    assert other.check(tx) == []
    assert other.key(tx, Owner("ten_a", "user", "usr_1"))._key == made._key


def test_a_vault_over_another_key_refuses_to_start_and_to_add_tenants(
    rig: Rig, tx: FakeTransaction, clock: ManualClock
) -> None:
    Vault(rig.open(), now=clock.now).create_tenant(tx, "ten_a")
    rows = tx.all("SELECT * FROM tenant_keys")
    rig.replace()
    wrong = Vault(rig.open(), now=clock.now)
    assert [found.code for found in wrong.check(tx)] == ["kek_mismatch"]
    with pytest.raises(KeySourceError):
        wrong.create_tenant(tx, "ten_b")
    assert tx.all("SELECT * FROM tenant_keys") == rows


def test_a_vault_whose_key_is_gone_refuses_to_start(rig: Rig, tx: FakeTransaction, clock: ManualClock) -> None:
    Vault(rig.open(), now=clock.now).create_tenant(tx, "ten_a")
    rig.follow()
    rig.take_away()
    findings = Vault(rig.open(), now=clock.now).check(tx)
    assert [found.code for found in findings] == ["kek_unknown"]
    assert findings[0].sentence.endswith(".")


# Moving --------------------------------------------------------------------------------------------


def test_keys_move_from_a_file_to_it_and_back(rig: Rig, source: KeySource) -> None:
    local = LocalKeys({"7": bytes(32)}, "7")
    there = joined(source, [local]).rewrap(local.wrap(TENANT_KEY, CONTEXT), CONTEXT)
    assert rig.open().unwrap(there, CONTEXT) == TENANT_KEY
    back = joined(local, [source]).rewrap(there, CONTEXT)
    assert local.unwrap(back, CONTEXT) == TENANT_KEY


def test_beside_another_source_it_wraps_only_where_it_is_the_first(rig: Rig, source: KeySource) -> None:
    local = LocalKeys({"7": bytes(32)}, "7")
    both = joined(local, [source])
    assert both.key_id() == "local:7"
    assert both.key_ids() == {"local:7", source.key_id()}
    assert both.unwrap(source.wrap(TENANT_KEY, CONTEXT), CONTEXT) == TENANT_KEY
    with pytest.raises((FormatUnknown, KekUnknown)):
        source.unwrap(both.wrap(TENANT_KEY, CONTEXT), CONTEXT)
    with pytest.raises(TagMismatch):
        both.unwrap(source.wrap(TENANT_KEY, CONTEXT), b"other")


def test_it_is_quick_enough_for_a_start(source: KeySource, blob: bytes) -> None:
    began = time.monotonic()
    for _ in range(10):
        source.unwrap(blob, CONTEXT)
    assert time.monotonic() - began < 30
