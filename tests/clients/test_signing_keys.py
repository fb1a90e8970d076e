"""The gateway's own signing keys."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from connector.clients import create_signing_keys, published_keys, signing_key
from connector.clients.signing_keys import RSA_BITS
from connector.ledger import Signer
from connector.model.errors import Conflict, Misconfigured
from tests.clock import ManualClock
from tests.gateways import House


def test_an_id_token_signed_here_verifies_with_what_is_published(house: House) -> None:
    with house.gateway.store.read() as tx:
        key = signing_key(tx, house.gateway.vault, "id_token")
        published = published_keys(tx, house.gateway.vault, "id_token")
    token = jwt.encode({"alg": "RS256", "kid": key.kid}, {"sub": "x"}, key.key, algorithms=["RS256"])
    assert jwt.decode(token, KeySet.import_key_set({"keys": published}), algorithms=["RS256"]).claims == {"sub": "x"}
    assert isinstance(key.key, RSAKey)
    assert key.key.public_key.key_size == RSA_BITS == 3072


def test_nothing_private_is_published(house: House) -> None:
    with house.gateway.store.read() as tx:
        for purpose in ("id_token", "ledger", "receipt"):
            for key in published_keys(tx, house.gateway.vault, purpose):
                assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()
                assert {"kid", "use", "alg", "kty"} <= key.keys()


def test_the_ledgers_key_signs_as_the_ledger_expects(house: House) -> None:
    with house.gateway.store.read() as tx:
        key = signing_key(tx, house.gateway.vault, "ledger")
    signer = Signer(key.kid, key.private_bytes())
    public = Ed25519PrivateKey.from_private_bytes(key.private_bytes()).public_key()
    public.verify(signer.sign(b"note"), b"note")
    assert signer.public_jwk()["x"] == key.public_jwk()["x"]


def test_an_rsa_key_has_no_raw_form(house: House) -> None:
    with house.gateway.store.read() as tx, pytest.raises(TypeError):
        signing_key(tx, house.gateway.vault, "id_token").private_bytes()


def test_keys_are_made_once(house: House) -> None:
    with pytest.raises(Conflict), house.gateway.store.transaction() as tx:
        create_signing_keys(tx, house.gateway.vault)


def test_private_halves_are_sealed_at_rest(house: House) -> None:
    with house.gateway.store.read() as tx:
        rows = tx.all("SELECT private_key FROM signing_keys")
    assert len(rows) == 3
    assert all(b'"d"' not in bytes(row["private_key"]) for row in rows)


def test_a_public_key_changed_in_the_database_is_not_published(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        before = published_keys(tx, house.gateway.vault, "id_token")
        tx.run("UPDATE signing_keys SET public_jwk = :evil", evil=json.dumps({"kty": "RSA", "n": "evil", "e": "AQAB"}))
        assert published_keys(tx, house.gateway.vault, "id_token") == before


def test_a_key_moved_to_another_purpose_does_not_open(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        tx.run("DELETE FROM signing_keys WHERE purpose = 'receipt'")
        tx.run("UPDATE signing_keys SET purpose = 'receipt' WHERE purpose = 'ledger'")
    with house.gateway.store.read() as tx:
        with pytest.raises(Misconfigured) as broken:
            signing_key(tx, house.gateway.vault, "receipt")
        with pytest.raises(Misconfigured) as missing:
            signing_key(tx, house.gateway.vault, "ledger")
    assert (broken.value.code, missing.value.code) == ("signing_key_broken", "signing_key_missing")


def test_a_retired_key_stays_published_for_a_day(house: House, clock: ManualClock) -> None:
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE signing_keys SET retired_at = :now WHERE purpose = 'id_token'", now=tx.now())
    with house.gateway.store.read() as tx:
        assert published_keys(tx, house.gateway.vault, "id_token")
        with pytest.raises(Misconfigured):
            signing_key(tx, house.gateway.vault, "id_token")
    clock.advance(days=1)
    with house.gateway.store.read() as tx:
        assert not published_keys(tx, house.gateway.vault, "id_token")
