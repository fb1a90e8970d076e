"""Signed notes and checkpoints, as c2sp.org/signed-note and c2sp.org/tlog-checkpoint write them.

A checkpoint is three lines (origin, size, root), an empty line, and signature lines. Our key's name is the origin.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from connector.ledger.signer import Signer, verifies

ED25519 = b"\x01"
HASH_LENGTH = 32
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint states, and who signed it: pairs of key name and (4 byte key hash + signature)."""

    origin: str
    size: int
    root: bytes
    text: str
    signatures: tuple[tuple[str, bytes], ...]


def key_hash(name: str, public_key: bytes) -> bytes:
    """The four bytes by which a note names a key."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes) -> str:
    """The public key in the form that witnesses and note tools take."""
    return f"{name}+{key_hash(name, public_key).hex()}+{base64.b64encode(ED25519 + public_key).decode()}"


def sign_checkpoint(origin: str, size: int, root: bytes, signer: Signer) -> str:
    """A signed checkpoint.

    Raises:
        ValueError: the origin is empty or holds a space, a line break or a plus sign.
    """
    check_origin(origin)
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    mark = base64.b64encode(key_hash(origin, signer.public_key) + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{origin} {mark}\n"


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint; nothing is verified yet. Raises ValueError where its form is wrong."""
    text, gap, marks = note.rpartition("\n\n")
    if not gap or not marks.endswith("\n"):
        raise ValueError("a signed note has a text, an empty line and signature lines")
    text += "\n"
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:3]):  # noqa: PLR2004  origin, size, root, and the end
        raise ValueError("a checkpoint has an origin, a size and a root")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdigit()) or str(int(size)) != size:
        raise ValueError("the size of a checkpoint is a decimal number")
    return Checkpoint(origin, int(size), _decoded(root, HASH_LENGTH), text, _signatures(marks))


def signed_by(checkpoint: Checkpoint, keys: Mapping[str, bytes]) -> str | None:
    """The name, in `keys`, of the key whose signature for this origin verifies; None if there is none."""
    for name, key in keys.items():
        mine = key_hash(checkpoint.origin, key)
        for signer_name, mark in checkpoint.signatures:
            if signer_name == checkpoint.origin and mark[:4] == mine:  # noqa: SIM102  cheap test before the dear one
                if verifies(key, checkpoint.text.encode(), mark[4:]):
                    return name
    return None


def check_origin(origin: str) -> None:
    """Raises ValueError unless the origin can be a key name: not empty, without white space or plus sign."""
    if not origin or "+" in origin or any(c.isspace() or not c.isprintable() for c in origin):
        raise ValueError(
            "the origin of a ledger is a name without spaces or plus signs, such as gateway.example/ledger"
        )


def _signatures(marks: str) -> tuple[tuple[str, bytes], ...]:
    found = []
    for line in marks.removesuffix("\n").split("\n"):
        name, gap, mark = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not gap or not name:
            raise ValueError("a signature line is a dash, a key name and a signature")
        found.append((name, _decoded(mark)))
    return tuple(found)


def _decoded(text: str, length: int | None = None) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode() != text or (length is not None and len(data) != length):
        raise ValueError("not canonical base64, or of the wrong length")
    return data
