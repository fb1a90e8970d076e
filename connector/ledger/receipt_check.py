"""Check a receipt file offline: no database, no network, only the file and the keys one trusts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from connector.ledger.merkle import hash_leaf, verify_inclusion
from connector.ledger.note import Checkpoint, parse_checkpoint, signed_by
from connector.ledger.signer import ALGORITHM, from_base64url, public_key_of, verifies

FORMAT = "account-connector-receipt/1"
TYPE = "receipt+jws"
LARGEST_FILE = 1_000_000
LARGEST_PROOF = 64
_DOMAIN = b"account-connector-receipt/1\x00"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked: its name, whether it held, and in words what was compared or what is wrong."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a receipt file is worth.

    `valid`: every check held. `trusted`: they held against keys that the caller gave; else the file was only compared
    with the keys inside it, which shows that it is whole, not who made it. `body` and `entry` are None unless valid.
    """

    checks: tuple[Check, ...]
    trusted: bool
    body: Mapping[str, Any] | None = None
    entry: Mapping[str, Any] | None = None
    origin: str | None = None
    kids: tuple[str, ...] = field(default=())

    @property
    def valid(self) -> bool:
        """Whether every check held."""
        return all(check.passed for check in self.checks)

    @property
    def failure(self) -> Check | None:
        """The first check that did not hold."""
        return next((check for check in self.checks if not check.passed), None)


class _Fails(Exception):
    """A check did not hold; the ones after it would say nothing."""


def commitment(salt: bytes, body: Mapping[str, Any]) -> str:
    """Hex SHA-256 over a fixed prefix, the salt (with its length) and the canonical body."""
    return hashlib.sha256(_DOMAIN + len(salt).to_bytes(2, "big") + salt + rfc8785.dumps(dict(body))).hexdigest()


def verify_file(data: bytes, public_keys: Mapping[str, bytes] | None = None) -> Verdict:
    """Check a receipt file. Never raises for what is in it.

    `public_keys`: raw Ed25519 keys by kid, both the receipts' and the ledger's, from a source the caller trusts.
    Without them the keys inside the file are used, and the verdict says so.
    """
    return _Examination(data, public_keys).verdict()


class _Examination:
    """The checks in their order; each stands on the ones before."""

    def __init__(self, data: bytes, public_keys: Mapping[str, bytes] | None) -> None:
        self._data, self._given = data, public_keys
        self._checks: list[Check] = []
        self._file: Mapping[str, Any] = {}
        self._keys: Mapping[str, bytes] = public_keys or {}
        self._payload: Mapping[str, Any] = {}
        self._note: Checkpoint | None = None
        self._kids: list[str] = []

    def verdict(self) -> Verdict:
        for name, step in (
            ("form", self._form),
            ("keys", self._find_keys),
            ("receipt", self._receipt),
            ("commitment", self._commitment),
            ("checkpoint", self._checkpoint),
            ("inclusion", self._inclusion),
        ):
            try:
                self._checks.append(Check(name, passed=True, words=step()))
            except _Fails as failure:
                self._checks.append(Check(name, passed=False, words=str(failure)))
                return Verdict(tuple(self._checks), trusted=False)
        return Verdict(
            checks=tuple(self._checks),
            trusted=self._given is not None,
            body=self._payload["body"],
            entry=self._file["entry"],
            origin=self._note.origin if self._note else None,
            kids=tuple(self._kids),
        )

    def _form(self) -> str:
        if len(self._data) > LARGEST_FILE:
            raise _Fails("the file is larger than any receipt")
        file = _json(self._data, "the file")
        if file.get("format") != FORMAT:
            raise _Fails(f"format is not {FORMAT}")
        shapes = {"receipt": str, "entry": dict, "proof": dict, "checkpoint": str, "keys": list}
        for name, shape in shapes.items():
            if not isinstance(file.get(name), shape):
                raise _Fails(f"{name} is missing or has the wrong form")
        strangers = set(file) - set(shapes) - {"format"}
        if strangers:
            raise _Fails("the file holds parts that no receipt has")
        self._file = file
        return FORMAT

    def _find_keys(self) -> str:
        try:
            inside = dict(public_key_of(key) for key in self._file["keys"])
        except (ValueError, AttributeError) as error:
            raise _Fails("keys holds something that is no Ed25519 public key") from error
        if self._given is not None:
            for kid, key in inside.items():
                if kid in self._given and self._given[kid] != key:
                    raise _Fails(f"keys has another key under the name {kid} than the one you trust")
            return "checked against the keys you gave"
        self._keys = inside
        return "checked only against the keys inside the file: it is whole, but who made it is not shown"

    def _receipt(self) -> str:
        parts = self._file["receipt"].split(".")
        if len(parts) != 3:  # noqa: PLR2004  header, payload, signature
            raise _Fails("receipt is no compact JWS")
        try:
            header, payload, signature = (from_base64url(part) for part in parts)
        except ValueError as error:
            raise _Fails("receipt is not base64url") from error
        stated = _json(header, "the receipt's header")
        if set(stated) != {"alg", "kid", "typ"} or stated["alg"] != ALGORITHM or stated["typ"] != TYPE:
            raise _Fails("the receipt's header is not that of a receipt")
        kid = stated["kid"]
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise _Fails("the key that the receipt names is not among the keys")
        if not verifies(key, f"{parts[0]}.{parts[1]}".encode(), signature):
            raise _Fails("the signature of the receipt does not verify")
        self._kids.append(str(kid))
        self._payload = _json(payload, "the receipt's payload")
        return f"signed by {kid}"

    def _commitment(self) -> str:
        body, salt = self._payload.get("body"), self._payload.get("salt")
        facts = self._file["entry"].get("facts")
        if not isinstance(body, dict) or not isinstance(salt, str) or not isinstance(facts, dict):
            raise _Fails("the receipt has no body and salt, or the entry no facts")
        try:
            made = commitment(from_base64url(salt), body)
        except (ValueError, rfc8785.CanonicalizationError) as error:
            raise _Fails("the receipt's body or salt cannot be read") from error
        if facts.get("commitment") != made:
            raise _Fails("the ledger entry commits to another receipt")
        for fact, part in (("receipt", "id"), ("receipt_version", "version"), ("status", "status")):
            if facts.get(fact) is not None and facts[fact] != body.get(part):
                raise _Fails(f"the ledger entry names another {part}")
        return "the ledger entry commits to this receipt"

    def _checkpoint(self) -> str:
        try:
            self._note = parse_checkpoint(self._file["checkpoint"])
        except ValueError as error:
            raise _Fails(f"checkpoint: {error}") from error
        kid = signed_by(self._note, self._keys)
        if kid is None:
            raise _Fails("no signature of the checkpoint verifies with these keys")
        self._kids.append(kid)
        return f"{self._note.size} entries of {self._note.origin}, signed by {kid}"

    def _inclusion(self) -> str:
        assert self._note is not None  # noqa: S101  the step before put it there
        proof = self._file["proof"]
        index, size, hashes = proof.get("index"), proof.get("size"), proof.get("hashes")
        if type(index) is not int or type(size) is not int or not isinstance(hashes, list):
            raise _Fails("proof has the wrong form")
        if size != self._note.size:
            raise _Fails("proof is for another size than the checkpoint's")
        try:
            path = [base64.b64decode(value, validate=True) for value in hashes[: LARGEST_PROOF + 1]]
            leaf = hash_leaf(rfc8785.dumps(self._file["entry"]))
        except (ValueError, TypeError) as error:
            raise _Fails("proof or entry cannot be read") from error
        if not verify_inclusion(leaf, index, size, path, self._note.root):
            raise _Fails("proof does not lead from the entry to the checkpoint's root")
        return f"entry {index} of {size}"


def _json(data: bytes, what: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise _Fails(f"{what} states one name twice")
        return made

    try:
        value = json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _Fails(f"{what} is not JSON") from error
    if not isinstance(value, dict):
        raise _Fails(f"{what} is no JSON object")
    return value
