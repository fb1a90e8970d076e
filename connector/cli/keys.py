"""Public keys that evidence is checked against: from a file that somebody trusts, or this gateway's own."""

from __future__ import annotations

import json
from pathlib import Path

from connector.cli.session import Session
from connector.clients import published_keys
from connector.ledger import public_keys_from_jwks
from connector.model.errors import BadInput
from connector.storage import Store
from vault import Vault


def trusted_keys(path: Path) -> dict[str, bytes]:
    """The Ed25519 keys of a JWK set in a file, by kid. Raises BadInput."""
    try:
        keys = public_keys_from_jwks(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(
            "bad_keys", f"{path} holds no JWK set with Ed25519 keys; save the gateway's /oauth/jwks in it."
        ) from error
    if not keys:
        raise BadInput("bad_keys", f"{path} holds no Ed25519 key; save the gateway's /oauth/jwks in it.")
    return keys


def own_keys(session: Session) -> dict[str, bytes]:
    """This gateway's own keys of ledger and receipts: sealed by the vault, so not the database's to change."""
    return keys_of(session.store, session.vault)


def keys_of(store: Store, vault: Vault) -> dict[str, bytes]:
    """The same of a store whose keys this vault opens."""
    with store.read() as tx:
        listed = [key for purpose in ("receipt", "ledger") for key in published_keys(tx, vault, purpose)]
    return public_keys_from_jwks({"keys": listed})
