"""Sealed records, format gv1 (frozen): AES-256-GCM under a key used once, with a commitment to that key.

    offset  bytes
    0       3      magic "gv1"
    3       1      suite: 1 = HKDF-SHA256, commitment, AES-256-GCM
    4       4      epoch of the data key, big-endian
    8       8      generation of the record, big-endian
    16      32     salt, random
    48      32     commitment
    80      n      ciphertext, as long as the plaintext
    80 + n  16     tag

64 bytes are derived from the data key with the salt: 32 of key, 32 of commitment. A key that seals one record
needs no nonce, so the nonce is zero and nothing has to be counted. AES-GCM by itself does not commit to its key
(one ciphertext can be built to open under two keys); the commitment closes that, and tells a wrong key from
altered data. Lengths are not hidden: a ciphertext is as long as its plaintext.

The epoch names the key. There is no trying of keys and no way back to an older format or to plaintext.
"""

import os
from hmac import compare_digest

from cryptography.exceptions import InvalidTag

from vault.address import Address
from vault.cipher import NONCE_BYTES, Cipher
from vault.derivation import derive
from vault.errors import (
    CommitmentMismatch,
    EpochMismatch,
    FormatUnknown,
    GenerationMismatch,
    TagMismatch,
    TooLong,
)
from vault.lp import lp

MAX_PLAINTEXT = 1 << 20
"""Bytes one record may hold."""
OVERHEAD = 96
"""Bytes a record is longer than its plaintext."""

_PREFIX = b"gv1\x01"
_LABEL = b"gw/record/v1"
_SALT_BYTES = 32
_HEADER_BYTES = 48
_BODY_AT = 80
_ZERO_NONCE = bytes(NONCE_BYTES)


def seal(key: bytes, epoch: int, address: Address, plaintext: bytes, *, generation: int, tags: bytes = b"") -> bytes:
    """The plaintext as a record that opens only with this key, at this address, generation and tags.

    Raises:
        TooLong: more than MAX_PLAINTEXT bytes.
        ValueError: epoch or generation is negative or too large for its field.
    """
    salt = os.urandom(_SALT_BYTES)  # drawn for each record, never kept
    return _seal_with_salt(key, epoch, address, plaintext, generation=generation, tags=tags, salt=salt)


def _seal_with_salt(
    key: bytes,
    epoch: int,
    address: Address,
    plaintext: bytes,
    *,
    generation: int,
    tags: bytes,
    salt: bytes,
) -> bytes:
    if len(plaintext) > MAX_PLAINTEXT:
        raise TooLong(f"a record holds at most {MAX_PLAINTEXT} bytes; cut the value into several records")
    header = _header(epoch, generation, salt)
    record_key, commitment = _record_key(key, salt)
    sealed = Cipher(record_key).seal(_ZERO_NONCE, plaintext, _bound(header, address, tags))
    return header + commitment + sealed


def open_record(  # the counterpart of seal; plain `open` would hide the builtin
    key: bytes, epoch: int, address: Address, blob: bytes, *, generation: int, tags: bytes = b""
) -> bytes:
    """The plaintext of a record.

    Raises:
        FormatUnknown: not a gv1 record of suite 1, or of an impossible length.
        EpochMismatch: sealed under another epoch than `epoch`.
        GenerationMismatch: sealed for another generation.
        CommitmentMismatch: sealed under another key.
        TagMismatch: altered, or moved from another address or other tags.
    """
    if blob[:4] != _PREFIX or not OVERHEAD <= len(blob) <= OVERHEAD + MAX_PLAINTEXT:
        raise FormatUnknown("not a gv1 record of suite 1")
    if int.from_bytes(blob[4:8], "big") != epoch:
        raise EpochMismatch("the record names another epoch than the key that was handed in")
    if int.from_bytes(blob[8:16], "big") != generation:
        raise GenerationMismatch("the record belongs to another generation of its row")
    record_key, commitment = _record_key(key, blob[16:_HEADER_BYTES])
    if not compare_digest(commitment, blob[_HEADER_BYTES:_BODY_AT]):
        raise CommitmentMismatch("the record was not sealed under this key")
    bound = _bound(blob[:_HEADER_BYTES], address, tags)
    try:
        return Cipher(record_key).open(_ZERO_NONCE, blob[_BODY_AT:], bound)
    except InvalidTag:
        raise TagMismatch("the record was altered or moved from where it was sealed") from None


def epoch_of(blob: bytes) -> int:
    """The epoch a record names, to look up its key; not yet authenticated.

    Raises:
        FormatUnknown: not a gv1 record of suite 1.
    """
    if blob[:4] != _PREFIX or len(blob) < OVERHEAD:
        raise FormatUnknown("not a gv1 record of suite 1")
    return int.from_bytes(blob[4:8], "big")


def _header(epoch: int, generation: int, salt: bytes) -> bytes:
    try:
        return _PREFIX + epoch.to_bytes(4, "big") + generation.to_bytes(8, "big") + salt
    except OverflowError:
        raise ValueError("epoch must fit 32 and generation 64 unsigned bits") from None


def _record_key(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    material = derive(key, _LABEL, salt=salt, length=64)
    return material[:32], material[32:]


def _bound(header: bytes, address: Address, tags: bytes) -> bytes:
    return lp(_LABEL, header, *address.parts(), tags)
