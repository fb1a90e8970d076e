"""The gateway's own signing keys: RS256 for ID tokens, Ed25519 for the ledger and receipts.

Private halves are sealed under the gateway tenant's key. What is published is always taken from the opened private
half: the column `public_jwk` is there for people to read, and a change of it changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, cast

from joserfc.jwk import OKPKey, RSAKey

from connector.clients.tenant_key import owner_of
from connector.model.errors import Conflict, Misconfigured
from connector.model.ids import GATEWAY_TENANT
from connector.storage import Row, Transaction
from vault import Address, DataKey, Vault, VaultError

Purpose = Literal["id_token", "ledger", "receipt"]

ALGORITHMS: Mapping[Purpose, str] = {"id_token": "RS256", "ledger": "EdDSA", "receipt": "EdDSA"}
RSA_BITS = 3072
KEPT_AFTER_RETIREMENT_S = 24 * 3600  # longer than any ID token lives, and than verifiers keep a key set
_SELECT = "SELECT kid, purpose, algorithm, private_key, key_epoch, created_at, retired_at FROM signing_keys"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key in use. `kid` is its RFC 7638 thumbprint; `key` signs."""

    kid: str
    purpose: Purpose
    algorithm: str
    key: RSAKey | OKPKey = field(repr=False)

    def public_jwk(self) -> dict[str, Any]:
        """The public half as published."""
        public = {name: value for name, value in self.key.as_dict(private=False).items() if name != "key_ops"}
        return public | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    def private_bytes(self) -> bytes:
        """The 32 bytes of an Ed25519 private key, for rooms that sign by themselves. Raises TypeError for RSA."""
        if not isinstance(self.key, OKPKey):
            raise TypeError("only Ed25519 keys have a raw form")
        return cast("bytes", self.key.private_key.private_bytes_raw())  # type: ignore[union-attr]  # Ed25519 by construction


SigningKeys = Mapping[Purpose, RSAKey | OKPKey]


def generate_signing_keys() -> SigningKeys:
    """One fresh key for each purpose. Takes up to seconds (RSA)."""
    return {
        purpose: RSAKey.generate_key(RSA_BITS, private=True)
        if algorithm == "RS256"
        else OKPKey.generate_key("Ed25519", private=True)
        for purpose, algorithm in ALGORITHMS.items()
    }


def create_signing_keys(tx: Transaction, vault: Vault, keys: SigningKeys | None = None) -> None:
    """Make the gateway tenant's own keys, where there are none, and a signing key for each purpose. Once, at `init`.

    Raises:
        Conflict: there are signing keys.
    """
    if tx.one("SELECT kid FROM signing_keys LIMIT 1") is not None:
        raise Conflict("signing_keys_exist", "The gateway has its signing keys; they are made once.")
    vault.create_tenant(tx, GATEWAY_TENANT)
    sealing = vault.create_key(tx, owner_of(GATEWAY_TENANT))
    for purpose, key in (keys or generate_signing_keys()).items():
        _store(tx, sealing, purpose, key)


def signing_key(tx: Transaction, vault: Vault, purpose: Purpose) -> SigningKey:
    """The newest key of a purpose.

    Raises:
        Misconfigured: there is none, or it does not open.
    """
    row = tx.one(
        f"{_SELECT} WHERE purpose = :purpose AND retired_at IS NULL ORDER BY created_at DESC, kid LIMIT 1",
        purpose=purpose,
    )
    if row is None:
        raise Misconfigured(
            "signing_key_missing", f"There is no signing key for {purpose}; make them with: connector init"
        )
    return _opened(tx, vault, row)


def published_keys(tx: Transaction, vault: Vault, purpose: Purpose) -> list[dict[str, Any]]:
    """Public JWKs of a purpose, newest first; retired ones for a day more. Raises as `signing_key` does."""
    rows = tx.all(
        f"{_SELECT} WHERE purpose = :purpose AND (retired_at IS NULL OR retired_at > :since)"
        " ORDER BY created_at DESC, kid",
        purpose=purpose,
        since=tx.now() - KEPT_AFTER_RETIREMENT_S * 1000,
    )
    return [_opened(tx, vault, row).public_jwk() for row in rows]


def _store(tx: Transaction, sealing: DataKey, purpose: Purpose, key: RSAKey | OKPKey) -> None:
    kid = key.thumbprint()
    public = SigningKey(kid, purpose, ALGORITHMS[purpose], key).public_jwk()
    private = json.dumps(key.as_dict(private=True), separators=(",", ":")).encode()
    tx.run(
        "INSERT INTO signing_keys (kid, purpose, algorithm, public_jwk, private_key, key_epoch, created_at, retired_at)"
        " VALUES (:kid, :purpose, :algorithm, :public, :private, :epoch, :now, NULL)",
        kid=kid,
        purpose=purpose,
        algorithm=ALGORITHMS[purpose],
        public=json.dumps(public, separators=(",", ":")),
        private=sealing.seal(_address(purpose, kid), private, generation=1),
        epoch=sealing.epoch,
        now=tx.now(),
    )


def _opened(tx: Transaction, vault: Vault, row: Row) -> SigningKey:
    purpose: Purpose = row["purpose"]
    try:
        sealing = vault.key(tx, owner_of(GATEWAY_TENANT), row["key_epoch"])
        private = sealing.open(_address(purpose, row["kid"]), bytes(row["private_key"]), generation=1)
    except VaultError as error:
        raise Misconfigured(
            "signing_key_broken",
            f"The signing key {row['kid']} does not open; restore signing_keys and data_keys from one backup.",
            detail=type(error).__name__,
        ) from None
    return SigningKey(row["kid"], purpose, ALGORITHMS[purpose], _imported(private))


@lru_cache(maxsize=16)
def _imported(private: bytes) -> RSAKey | OKPKey:
    """Parsed once: reading an RSA key and checking it takes longer than a signature."""
    value = json.loads(private)
    return RSAKey.import_key(value) if value["kty"] == "RSA" else OKPKey.import_key(value)


def _address(purpose: Purpose, kid: str) -> Address:
    return Address(GATEWAY_TENANT, "tenant", GATEWAY_TENANT, "", f"signing_keys.private_key/{purpose}/{kid}")
