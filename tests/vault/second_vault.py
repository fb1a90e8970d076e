"""The vault's formats written a second time, from their description, with nothing but hashlib and plain Python."""

import base64
import hashlib
import hmac
import struct
from typing import Any

from tests.vault import second_gcm


def lengths(*parts: bytes) -> bytes:
    """LP: how many, then each with its length."""
    encoded = struct.pack(">H", len(parts))
    for part in parts:
        encoded += struct.pack(f">I{len(part)}s", len(part), part)
    return encoded


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256."""
    extracted = hmac.new(salt or bytes(32), key, hashlib.sha256).digest()
    material = block = b""
    counter = 1
    while len(material) < length:
        block = hmac.new(extracted, block + info + bytes([counter]), hashlib.sha256).digest()
        material += block
        counter += 1
    return material[:length]


def expand(key: bytes, info: bytes) -> bytes:
    """The first block of HKDF's expansion of a key that is uniform already."""
    return hmac.new(key, info + bytes([1]), hashlib.sha256).digest()


def seal_gv1(case: dict[str, str | int]) -> bytes:
    """The record of a vector."""
    header = b"gv1" + struct.pack(">BIQ", 1, case["epoch"], case["generation"]) + bytes.fromhex(str(case["salt"]))
    material = hkdf(bytes.fromhex(str(case["key"])), header[16:], b"gw/record/v1", 64)
    sealed = second_gcm.encrypt(material[:32], bytes(12), bytes.fromhex(str(case["plaintext"])), _bound(header, case))
    return header + material[32:] + sealed


def open_gv1(case: dict[str, str | int]) -> bytes | None:
    """The plaintext of a vector's record; None if it does not open."""
    blob = bytes.fromhex(str(case["record"]))
    header, commitment, sealed = blob[:48], blob[48:80], blob[80:]
    material = hkdf(bytes.fromhex(str(case["key"])), header[16:], b"gw/record/v1", 64)
    if material[32:] != commitment:
        return None
    return second_gcm.decrypt(material[:32], bytes(12), sealed, _bound(header, case))


def _bound(header: bytes, case: dict[str, str | int]) -> bytes:
    words = [str(case[word]).encode() for word in ("tenant", "owner_kind", "owner_id", "provider", "place")]
    return lengths(b"gw/record/v1", header, *words, bytes.fromhex(str(case["tags"])))


def owner_subkey(case: dict[str, str | int], *label: bytes) -> bytes:
    """A data key's subkey for row seals or MACs."""
    owner = [str(case[word]).encode() for word in ("tenant", "owner_kind", "owner_id")]
    return expand(bytes.fromhex(str(case["key"])), lengths(*label, *owner, struct.pack(">I", case["epoch"])))


def mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 over the parts."""
    return hmac.new(key, lengths(*parts), hashlib.sha256).digest()


def unwrap_data_key(case: dict[str, str | int]) -> bytes | None:
    """The data key of a vector, unwrapped with its tenant key."""
    wrapped = bytes.fromhex(str(case["wrapped"]))
    words = [str(case[word]).encode() for word in ("tenant_key_id", "tenant", "owner_kind", "owner_id")]
    bound = lengths(b"gw/data-key/v1", *words, struct.pack(">I", case["epoch"]))
    return second_gcm.decrypt(bytes.fromhex(str(case["tenant_key"])), wrapped[:12], wrapped[12:], bound)


def unwrap_tenant_key(case: dict[str, str | int]) -> bytes | None:
    """The tenant key of a vector, unwrapped with its key encryption key."""
    blob, kek = bytes.fromhex(str(case["wrapped"])), bytes.fromhex(str(case["kek"]))
    header_end = 4 + blob[3] + 16
    header, nonce, sealed = blob[:header_end], blob[header_end : header_end + 12], blob[header_end + 12 :]
    if blob[:3] != b"gk1" or header[-16:] != hkdf(kek, b"", b"gw/kek-check/v1", 16):
        return None
    words = [str(case[word]).encode() for word in ("tenant", "purpose", "tenant_key_id")]
    context = lengths(b"gw/tenant-key/v1", *words)
    return second_gcm.decrypt(hkdf(kek, b"", b"gw/kek-wrap/v1", 32), nonce, sealed, lengths(header, context))


def row_seal(case: dict[str, Any]) -> bytes:
    """The seal of a vector's row."""
    kinds = {"str": lambda text: b"s" + text.encode(), "int": lambda number: f"i{number}".encode()}
    kinds |= {"null": lambda _: b"n", "bytes": lambda text: b"b" + bytes.fromhex(text)}
    fields = [kinds[kind](value) for field in case["fields"] for kind, value in field.items()]
    return mac(owner_subkey(case, b"gw/row/v1"), b"gw/row/v1", case["table"].encode(), *fields)


def purpose_mac(case: dict[str, Any]) -> bytes:
    """The MAC of a vector, under the subkey of its purpose."""
    key = owner_subkey(case, b"gw/mac/v1", case["purpose"].encode())
    return mac(key, *(bytes.fromhex(part) for part in case["parts"]))


def blind_index(case: dict[str, Any]) -> bytes:
    """The blind index of a vector."""
    label = lengths(b"gw/bidx/v1", case["tenant"].encode(), case["purpose"].encode())
    return mac(expand(bytes.fromhex(case["key"]), label), *(bytes.fromhex(part) for part in case["parts"]))


def service_wrap(case: dict[str, Any]) -> tuple[bytes, bytes]:
    """What is stored of a vector's wrap by a key service, and what the service is given to bind."""
    key_id = case["kek_id"].encode()
    check = hashlib.sha256(lengths(b"gw/kek-check/v2", key_id, str(case["made_at"]).encode())).digest()[:16]
    words = [case[word].encode() for word in ("tenant", "purpose", "tenant_key_id")]
    bound = lengths(b"gw/kek-service/v1", lengths(b"gw/tenant-key/v1", *words))
    return b"gk2" + struct.pack(">H", len(key_id)) + key_id + check + bytes.fromhex(case["sealed"]), bound


def keys_of_file(case: dict[str, Any]) -> dict[str, bytes | None]:
    """The keys of a vector's key file, opened with its passphrase."""
    file, cost = case["file"], case["file"]["scrypt"]
    salt = base64.b64decode(cost["salt"])
    protector = hashlib.scrypt(
        case["passphrase"].encode(), salt=salt, n=cost["n"], r=cost["r"], p=cost["p"], dklen=32, maxmem=1 << 26
    )
    found = {}
    for entry in file["keys"]:
        stored = base64.b64decode(entry["key"])
        bound = lengths(b"gw/kek-file/v1", entry["id"].encode())
        found[entry["id"]] = second_gcm.decrypt(protector, stored[:12], stored[12:], bound)
    return found
