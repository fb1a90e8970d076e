"""The text of a key file: JSON with a format name, the primary key's name, the keys, and those that are retired.

Plain:       {"format": "gw/kek-file/v1", "primary": NAME, "keys": [{"id": NAME, "key": BASE64, "check": HEX}]}
Passphrase:  the same with "scrypt": {"salt": BASE64, "n": N, "r": R, "p": P}, and each key wrapped under what
             scrypt (RFC 7914) makes of the passphrase.
Retired:     "retired": [...] beside "keys", in the same form: kept for old backups, and used for nothing.

Unknown members are refused: a reader that skips what it does not know may skip what mattered.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from vault.cipher import NONCE_BYTES, Cipher
from vault.derivation import KEY_BYTES
from vault.errors import KeySourceError
from vault.key_material import KeyMaterial
from vault.lp import lp
from vault.sources.local import Kek

_FORMAT = "gw/kek-file/v1"
_MEMBERS = frozenset({"format", "primary", "keys", "scrypt", "retired"})
_SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}  # 128 MiB and about half a second
_SCRYPT_MOST = {"n": 1 << 20, "r": 16, "p": 4}  # a file must not choose how much memory the start takes
_SCRYPT_LEAST = {"n": 1 << 14, "r": 8, "p": 1}
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True, repr=False)
class KeyFile(KeyMaterial):
    """What a key file says: keys by their names, which of them wraps, and the keys that were retired."""

    keys: Mapping[str, bytes]
    primary: str
    retired: Mapping[str, bytes] = field(default_factory=dict)


def dump(
    keys: Mapping[str, bytes],
    primary: str,
    passphrase: bytes | None = None,
    *,
    retired: Mapping[str, bytes] | None = None,
) -> bytes:
    """The text of a key file that holds these keys."""
    document: dict[str, object] = {"format": _FORMAT, "primary": primary}
    protector = None
    if passphrase is not None:
        salt = os.urandom(_SALT_BYTES)
        document["scrypt"] = {"salt": base64.b64encode(salt).decode(), **_SCRYPT}
        protector = _protector(passphrase, salt, _SCRYPT)
    document["keys"] = _entries(protector, keys)
    if retired:
        document["retired"] = _entries(protector, retired)
    return json.dumps(document, indent=2).encode() + b"\n"


def load(text: bytes, passphrase: bytes | None = None) -> KeyFile:
    """What a key file says.

    Raises:
        KeySourceError: not a key file, a key does not match its check value, or the passphrase is missing or
            wrong.
    """
    try:
        return _load(text, passphrase)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # The text holds keys, so neither it nor the parser's complaint about it is shown.
        raise KeySourceError(
            "The key file is not one this version can read.", "Restore it from where keys are kept."
        ) from None


def _entries(protector: Cipher | None, keys: Mapping[str, bytes]) -> list[dict[str, str]]:
    return [
        {
            "id": name,
            "key": base64.b64encode(_protect(protector, name, key)).decode(),
            "check": Kek(name, key).check.hex(),
        }
        for name, key in keys.items()
    ]


def _load(text: bytes, passphrase: bytes | None) -> KeyFile:
    document = json.loads(text, object_pairs_hook=_without_repeats)
    if document["format"] != _FORMAT or document.keys() - _MEMBERS:
        raise ValueError("format")
    protector = _protector_of(document.get("scrypt"), passphrase)
    keys = _keys(protector, document["keys"])
    retired = _keys(protector, document.get("retired", []))
    if document["primary"] not in keys or keys.keys() & retired.keys():
        raise ValueError("primary")
    return KeyFile(keys, document["primary"], retired)


def _keys(protector: Cipher | None, entries: list[dict[str, str]]) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for entry in entries:
        if entry.keys() != {"id", "key", "check"} or entry["id"] in keys:
            raise ValueError("entry")
        keys[entry["id"]] = _checked(protector, entry["id"], entry["key"], entry["check"])
    return keys


def _checked(protector: Cipher | None, name: str, text: str, check: str) -> bytes:
    key = _unprotect(protector, name, _base64(text))
    if not compare_digest(Kek(name, key).check, bytes.fromhex(check)):
        raise KeySourceError(
            f"The key {name} does not match its check value: the file was altered or damaged.",
            "Restore it from where keys are kept.",
        )
    return key


def _protector_of(scrypt: dict[str, object] | None, passphrase: bytes | None) -> Cipher | None:
    if scrypt is None:
        return None
    if not passphrase:
        raise KeySourceError(
            "The key file needs a passphrase.", "Set vault.passphrase, best by CONNECTOR_VAULT__PASSPHRASE_FILE."
        )
    if scrypt.keys() != {"salt", *_SCRYPT}:
        raise ValueError("scrypt")
    cost = {name: _cost(name, scrypt[name]) for name in _SCRYPT}
    return _protector(passphrase, _base64(scrypt["salt"]), cost)


def _cost(name: str, value: object) -> int:
    if not isinstance(value, int) or not _SCRYPT_LEAST[name] <= value <= _SCRYPT_MOST[name]:
        raise ValueError(name)
    return value


def _protector(passphrase: bytes, salt: bytes, cost: Mapping[str, int]) -> Cipher:
    return Cipher(Scrypt(salt, KEY_BYTES, cost["n"], cost["r"], cost["p"]).derive(passphrase))


def _protect(protector: Cipher | None, name: str, key: bytes) -> bytes:
    if protector is None:
        return key
    nonce = os.urandom(NONCE_BYTES)
    return nonce + protector.seal(nonce, key, _context(name))


def _unprotect(protector: Cipher | None, name: str, stored: bytes) -> bytes:
    if protector is None:
        return stored
    try:
        return protector.open(stored[:NONCE_BYTES], stored[NONCE_BYTES:], _context(name))
    except InvalidTag:
        raise KeySourceError(
            f"The passphrase does not open the key {name}.", "Hand in the passphrase the file was made with."
        ) from None


def _context(name: str) -> bytes:
    return lp(b"gw/kek-file/v1", name.encode())


def _base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("base64")  # noqa: TRY004 - one kind of complaint for whatever a file holds
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("base64") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated member")
    return found
