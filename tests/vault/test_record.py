import itertools
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from vault import (
    Address,
    CommitmentMismatch,
    EpochMismatch,
    FormatUnknown,
    GenerationMismatch,
    TagMismatch,
    TooLong,
    VaultError,
    epoch_of,
    record,
)

KEY = bytes(range(32))
ADDRESS = Address("ten_a", "connection_tokens", "con_42", "google", "connection_tokens.refresh")
TOKEN = b"1//0gRefresh"
TAGS = b'{"source":"given"}'


def _seal(plaintext: bytes = TOKEN) -> bytes:
    return record.seal(KEY, 7, ADDRESS, plaintext, generation=3, tags=TAGS)


def _open(blob: bytes, address: Address = ADDRESS, generation: int = 3, tags: bytes = TAGS, epoch: int = 7) -> bytes:
    return record.open_record(KEY, epoch, address, blob, generation=generation, tags=tags)


@given(st.binary(max_size=2000), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=50))
def test_what_was_sealed_opens(plaintext: bytes, generation: int, epoch: int, tags: bytes) -> None:
    blob = record.seal(KEY, epoch, ADDRESS, plaintext, generation=generation, tags=tags)
    assert len(blob) == len(plaintext) + record.OVERHEAD
    assert epoch_of(blob) == epoch
    assert record.open_record(KEY, epoch, ADDRESS, blob, generation=generation, tags=tags) == plaintext


def test_the_same_token_never_seals_to_the_same_bytes() -> None:
    salts = {_seal()[16:48] for _ in range(200)}
    assert len(salts) == 200


def _expected_class(offset: int) -> type[VaultError]:
    borders = [(4, FormatUnknown), (8, EpochMismatch), (16, GenerationMismatch), (80, CommitmentMismatch)]
    return next((error for end, error in borders if offset < end), TagMismatch)


def test_every_flipped_bit_is_refused_with_the_class_of_its_place() -> None:
    blob = _seal()
    for bit in range(len(blob) * 8):
        altered = bytearray(blob)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VaultError) as caught:
            _open(bytes(altered))
        assert type(caught.value) is _expected_class(bit // 8), bit


def test_every_truncation_is_refused() -> None:
    blob = _seal()
    for length in range(len(blob)):
        with pytest.raises(FormatUnknown if length < record.OVERHEAD else TagMismatch):
            _open(blob[:length])


def test_a_byte_too_many_is_refused() -> None:
    with pytest.raises(TagMismatch):
        _open(_seal() + b"\0")


@pytest.mark.parametrize("word", ["tenant", "owner_kind", "owner_id", "provider", "place"])
def test_a_record_moved_to_another_address_does_not_open(word: str) -> None:
    blob = _seal()
    with pytest.raises(TagMismatch):
        _open(blob, replace(ADDRESS, **{word: "other"}))


def test_a_letter_that_moves_from_one_word_of_the_address_to_the_next_is_noticed() -> None:
    words = ["tenant", "owner_kind", "owner_id", "provider", "place"]
    blob = _seal()
    for left, right in itertools.pairwise(words):
        joined = getattr(ADDRESS, left) + getattr(ADDRESS, right)
        cut = len(getattr(ADDRESS, left)) - 1
        moved = replace(ADDRESS, **{left: joined[:cut], right: joined[cut:]})
        with pytest.raises(TagMismatch):
            _open(blob, moved)


def test_other_tags_do_not_open() -> None:
    for tags in (b"", b'{"source":"imported"}', TAGS + b" "):
        with pytest.raises(TagMismatch):
            _open(_seal(), tags=tags)


def test_an_old_record_put_back_under_a_newer_generation_does_not_open() -> None:
    for generation in (2, 4, 0, 2**64 - 1):
        with pytest.raises(GenerationMismatch):
            _open(_seal(), generation=generation)


def test_a_record_of_another_epoch_is_told_apart_from_a_broken_one() -> None:
    with pytest.raises(EpochMismatch):
        _open(_seal(), epoch=8)


def test_another_key_is_told_apart_from_altered_data() -> None:
    with pytest.raises(CommitmentMismatch):
        record.open_record(bytes(32), 7, ADDRESS, _seal(), generation=3, tags=TAGS)


@pytest.mark.parametrize(
    "blob", [b"", b"1//0gRefresh", b"gv2" + bytes(120), b"gv1\x02" + bytes(120), b"gv1\x00" + bytes(120)]
)
def test_what_is_not_gv1_is_never_taken_for_plaintext(blob: bytes) -> None:
    with pytest.raises(FormatUnknown):
        _open(blob)
    with pytest.raises(FormatUnknown):
        epoch_of(blob)


def test_a_record_holds_one_mebibyte_and_not_a_byte_more() -> None:
    most = bytes(record.MAX_PLAINTEXT)
    assert _open(_seal(most)) == most
    with pytest.raises(TooLong):
        _seal(most + b"\0")
    with pytest.raises(FormatUnknown):
        _open(_seal(most) + b"\0")


@pytest.mark.parametrize(("epoch", "generation"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**64)])
def test_numbers_that_do_not_fit_the_header_are_refused(epoch: int, generation: int) -> None:
    with pytest.raises(ValueError, match="unsigned bits"):
        record.seal(KEY, epoch, ADDRESS, TOKEN, generation=generation)


def test_without_binding_a_moved_token_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_bound", lambda header, address, tags: b"")
    moved = replace(ADDRESS, tenant="ten_b", owner_id="con_of_the_attacker", provider="attacker")
    assert _open(_seal(), moved, tags=b"whatever") == TOKEN


def test_a_reader_that_believes_the_records_own_generation_takes_an_old_token_back() -> None:
    old = _seal(b"token before it was rotated")
    assert _open(old, generation=int.from_bytes(old[8:16], "big")) == b"token before it was rotated"
    with pytest.raises(GenerationMismatch):
        _open(old, generation=4)


def _two_key_ciphertext(first: bytes, second: bytes, bound: bytes) -> bytes:
    """Ciphertext of one block whose second block makes the tag right under both keys (invisible salamander)."""

    def times(a: int, b: int) -> int:
        product = 0
        for bit in range(127, -1, -1):
            product ^= b if a >> bit & 1 else 0
            b = (b >> 1) ^ (0xE1 << 120 if b & 1 else 0)
        return product

    def power(a: int, n: int) -> int:
        result = 1 << 127
        while n:
            result = times(result, a) if n & 1 else result
            a, n = times(a, a), n >> 1
        return result

    from tests.vault.second_gcm import _block, _ghash, _round_keys  # noqa: PLC0415 - only this attack needs its parts

    lengths = (8 * len(bound)).to_bytes(8, "big") + (8 * 32).to_bytes(8, "big")
    chosen = bytes(range(16))
    hashes, masks, rests = [], [], []
    for key in (first, second):
        keys = _round_keys(key)
        h = int.from_bytes(_block(keys, bytes(16)), "big")
        hashes.append(h)
        masks.append(int.from_bytes(_block(keys, bytes(12) + b"\0\0\0\1"), "big"))
        rests.append(_ghash(h, bound + bytes(-len(bound) % 16) + chosen + bytes(16) + lengths))
    difference = rests[0] ^ rests[1] ^ masks[0] ^ masks[1]
    squares = times(hashes[0], hashes[0]) ^ times(hashes[1], hashes[1])
    block = times(difference, power(squares, 2**128 - 2))
    tag = rests[0] ^ times(block, times(hashes[0], hashes[0])) ^ masks[0]
    return chosen + block.to_bytes(16, "big") + tag.to_bytes(16, "big")


def test_plain_aes_gcm_lets_one_ciphertext_open_under_two_keys() -> None:
    first, second = bytes(range(32)), bytes(range(32, 64))
    both = _two_key_ciphertext(first, second, b"bound")
    opened = {AESGCM(key).decrypt(bytes(12), both, b"bound") for key in (first, second)}
    assert len(opened) == 2


def test_the_commitment_refuses_a_ciphertext_made_for_two_keys() -> None:
    first, second = bytes(range(32)), bytes(range(32, 64))
    header = record._header(7, 3, bytes(32))
    keys = {key: record._record_key(key, bytes(32)) for key in (first, second)}
    both = _two_key_ciphertext(keys[first][0], keys[second][0], record._bound(header, ADDRESS, TAGS))
    blob = header + keys[first][1] + both
    assert len(record.open_record(first, 7, ADDRESS, blob, generation=3, tags=TAGS)) == 32
    with pytest.raises(CommitmentMismatch):
        record.open_record(second, 7, ADDRESS, blob, generation=3, tags=TAGS)


def test_without_the_commitment_the_two_key_ciphertext_opens_under_both(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = bytes(range(32)), bytes(range(32, 64))
    header = record._header(7, 3, bytes(32))
    keys = [record._record_key(key, bytes(32)) for key in (first, second)]
    both = _two_key_ciphertext(keys[0][0], keys[1][0], record._bound(header, ADDRESS, TAGS))
    monkeypatch.setattr(record, "compare_digest", lambda a, b: True)
    blob = header + bytes(32) + both
    opened = {record.open_record(key, 7, ADDRESS, blob, generation=3, tags=TAGS) for key in (first, second)}
    assert len(opened) == 2


def test_refusals_carry_neither_plaintext_nor_address() -> None:
    with pytest.raises(TagMismatch) as caught:
        _open(_seal(), tags=b"other")
    assert "con_42" not in str(caught.value)
    assert "Refresh" not in str(caught.value)
    assert caught.value.__cause__ is None
