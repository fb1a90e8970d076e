"""Receipts: files that prove, without our database, what was recorded and when.

First the body is drafted with a fresh salt; the commitment to both goes into the ledger entry of the effect. Once the
entry is under a signed checkpoint, the file is built: the body signed (JWS, RFC 7515), the entry, its inclusion proof,
the checkpoint and the public keys. Destroying body and salt unlinks the entry and leaves the tree as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from connector.ledger.entries import get
from connector.ledger.note import parse_checkpoint
from connector.ledger.receipt_check import FORMAT, TYPE, Check, Verdict, commitment, verify_file
from connector.ledger.signer import ALGORITHM, Signer, base64url, public_key_of
from connector.ledger.tree import prove_inclusion
from connector.model.errors import NotFound
from connector.storage import Transaction

__all__ = ["Check", "Draft", "Verdict", "build", "draft", "public_keys_from_jwks", "reopen", "verify_file"]

SALT_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Draft:
    """A receipt before it is in the tree: keep `sealed_form()` sealed, put `commitment` into the entry."""

    body: Mapping[str, Any]
    salt: bytes

    @property
    def commitment(self) -> str:
        """What the ledger entry carries: hex SHA-256 over the salt and the canonical body."""
        return commitment(self.salt, self.body)

    def sealed_form(self) -> bytes:
        """Body and salt as bytes, to be kept; `reopen` reads them back."""
        return rfc8785.dumps({"body": dict(self.body), "salt": base64url(self.salt)})


def draft(body: Mapping[str, Any]) -> Draft:
    """A receipt with a fresh salt.

    `body` is JSON; it says what happened, and its own `id`, `version` (1, 2, …) and `status` (`trying` or `final`).

    Raises:
        ValueError: one of the three is missing, or the body is not JSON that RFC 8785 can write.
    """
    missing = {"id", "version", "status"} - set(body)
    if missing:
        raise ValueError(f"a receipt says its {', '.join(sorted(missing))}")
    try:
        rfc8785.dumps(dict(body))
    except rfc8785.CanonicalizationError as error:
        raise ValueError("the body of a receipt is JSON") from error
    return Draft(body=body, salt=secrets.token_bytes(SALT_LENGTH))


def reopen(sealed_form: bytes) -> Draft:
    """A draft from what `sealed_form` wrote."""
    kept = json.loads(sealed_form)
    salt: str = kept["salt"]
    return Draft(body=kept["body"], salt=base64.urlsafe_b64decode(salt + "=" * (-len(salt) % 4)))


def build(
    tx: Transaction,
    made: Draft,
    entry_id: int,
    signer: Signer,
    ledger_keys: Iterable[Mapping[str, str]],
) -> bytes:
    """The receipt file, pretty-printed JSON.

    `signer` signs receipts; `ledger_keys` are the public JWKs that sign checkpoints, to be carried in the file.

    Raises:
        NotFound: the entry is not under a signed checkpoint yet (code `not_sequenced`): try again after the next one.
        ValueError: the entry does not carry this receipt's commitment.
    """
    entry, note = get(tx, entry_id), _note_over(tx, entry_id)
    if entry is None or entry.facts.get("commitment") != made.commitment:
        raise ValueError("the ledger entry does not commit to this receipt")
    proof = prove_inclusion(tx, entry_id, parse_checkpoint(note).size)
    file = {
        "format": FORMAT,
        "receipt": _jws(made, signer),
        "entry": json.loads(entry.text),
        "proof": {"index": proof.index, "size": proof.size, "hashes": _base64(proof.hashes)},
        "checkpoint": note,
        "keys": _keys([signer.public_jwk(), *ledger_keys]),
    }
    return json.dumps(file, indent=2, ensure_ascii=False).encode() + b"\n"


def public_keys_from_jwks(jwks: Mapping[str, Any]) -> dict[str, bytes]:
    """Raw Ed25519 keys by kid out of a JWK set; keys of other kinds are passed over.

    Raises:
        ValueError: no key set, or an Ed25519 key in it is malformed.
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list):
        raise ValueError("not a JWK set")  # noqa: TRY004  what the caller read is at fault, not its code
    return dict(public_key_of(key) for key in keys if isinstance(key, dict) and key.get("kty") == "OKP")


def _note_over(tx: Transaction, entry_id: int) -> str:
    """The oldest checkpoint that covers the entry: two receipts of one moment then carry the same one."""
    row = tx.one(
        "SELECT c.note FROM ledger_checkpoints c, ledger_entries e WHERE e.id = :id AND c.size > e.tree_index"
        " ORDER BY c.size LIMIT 1",
        id=entry_id,
    )
    if row is None:
        raise NotFound("signed ledger entry", code="not_sequenced", detail=f"entry {entry_id} is under no checkpoint")
    return str(row["note"])


def _jws(made: Draft, signer: Signer) -> str:
    header = base64url(rfc8785.dumps({"alg": ALGORITHM, "kid": signer.kid, "typ": TYPE}))
    signed = f"{header}.{base64url(made.sealed_form())}"
    return f"{signed}.{base64url(signer.sign(signed.encode()))}"


def _base64(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(value).decode() for value in hashes]


def _keys(jwks: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return list({hashlib.sha256(rfc8785.dumps(dict(jwk))).digest(): jwk for jwk in jwks}.values())
