"""private_key_jwt at our own endpoints: FAPI 2.0's server-side cases among them."""

from __future__ import annotations

import base64
import json
import warnings
from functools import cache
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from connector.clients import Client, NewClient, Presented, add_client, authenticate, sweep
from connector.clients.assertions import client_keys
from connector.model.errors import BadInput, Unauthenticated
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import House, web_client

ISSUER = "http://127.0.0.1:8080"
AUDIENCES = (ISSUER, f"{ISSUER}/oauth/token", f"{ISSUER}/oauth/par")


@cache
def key_for(algorithm: str) -> Any:
    kinds = {"ES256": ECKey, "PS256": RSAKey, "RS256": RSAKey}
    if algorithm in {"EdDSA", "Ed25519"}:
        return OKPKey.generate_key("Ed25519", {"kid": "k"})
    return kinds[algorithm].generate_key("P-256" if algorithm == "ES256" else 2048, {"kid": "k"})


def public(key: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False)]}


@pytest.fixture
def robot(house: House) -> Client:
    return register(house, key_for("ES256"))


def register(house: House, key: Any) -> Client:
    new = NewClient(house.tenant.id, "robot", "worker", authentication="private_key_jwt", jwks=public(key))
    with house.gateway.store.transaction() as tx:
        client, secret = add_client(tx, house.gateway.vault, new)
    assert secret is None
    return client


def signed(
    house: House,
    client: Client,
    *,
    algorithm: str = "ES256",
    header: Any = None,
    drop: str = "",
    key: Any = None,
    **changes: Any,
) -> str:
    now = house.gateway.clock.now() // 1000
    claims = {"iss": client.id, "sub": client.id, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": "once"} | changes
    claims.pop(drop, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(
            {"alg": algorithm, "kid": "k"} | (header or {}), claims, key or key_for(algorithm), algorithms=[algorithm]
        )


def enter(house: House, assertion: str, client_id: str = "") -> Client:
    with house.gateway.store.transaction() as tx:
        return authenticate(
            tx, house.gateway.vault, Presented(client_id, assertion=Secret(assertion)), audiences=AUDIENCES
        )


def refused(house: House, assertion: str, client_id: str = "") -> str:
    with pytest.raises(Unauthenticated) as caught:
        enter(house, assertion, client_id)
    assert (caught.value.code, caught.value.hint) == ("invalid_client", "Client authentication failed.")
    return caught.value.detail


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA", "Ed25519"])
def test_an_assertion_by_an_allowed_algorithm_proves_the_client(house: House, algorithm: str) -> None:
    robot = register(house, key_for(algorithm))
    assert enter(house, signed(house, robot, algorithm=algorithm)) == robot


@pytest.mark.parametrize("audience", [*AUDIENCES, [ISSUER], [ISSUER, f"{ISSUER}/oauth/token"]])
def test_issuer_token_endpoint_and_par_endpoint_are_audiences(house: House, robot: Client, audience: Any) -> None:
    assert enter(house, signed(house, robot, aud=audience), robot.id) == robot


@pytest.mark.parametrize(
    "audience",
    ["", None, [], "https://honest.example", [ISSUER, "https://honest.example"], [ISSUER, 7], f"{ISSUER}/", {"a": 1}],
)
def test_an_assertion_meant_for_somebody_else_is_refused(house: House, robot: Client, audience: Any) -> None:
    assert refused(house, signed(house, robot, aud=audience)) == "audience is not this gateway"


def test_an_assertion_works_once(house: House, robot: Client) -> None:
    assertion = signed(house, robot)
    assert enter(house, assertion) == robot
    assert refused(house, assertion) == "assertion was used before"
    assert enter(house, signed(house, robot, jti="another")) == robot


def test_without_the_note_of_used_assertions_one_works_twice(house: House, robot: Client) -> None:
    assertion = signed(house, robot)
    enter(house, assertion)
    with house.gateway.store.transaction() as tx:
        tx.run("DELETE FROM client_assertions")
    assert enter(house, assertion) == robot


def test_a_used_assertion_is_remembered_until_it_has_expired(house: House, robot: Client, clock: ManualClock) -> None:
    assertion = signed(house, robot)
    enter(house, assertion)
    clock.advance(89)
    with house.gateway.store.transaction() as tx:
        assert sweep(tx) == 0
    assert refused(house, assertion) == "assertion was used before"
    clock.advance(5)
    with house.gateway.store.transaction() as tx:
        assert sweep(tx) == 1
    assert refused(house, assertion) == "expired, or valid for too long"


def test_rs256_is_refused(house: House) -> None:
    robot = register(house, key_for("RS256"))
    assert "does not verify" in refused(house, signed(house, robot, algorithm="RS256"))


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS256"])
def test_none_and_symmetric_algorithms_are_refused(house: House, robot: Client, algorithm: str) -> None:
    good = signed(house, robot)
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "k"}).encode()).rstrip(b"=").decode()
    payload = good.split(".")[1]
    assert refused(house, f"{head}.{payload}.")
    assert refused(house, f"{head}.{payload}.{good.split('.')[2]}")


def test_a_key_in_the_header_is_not_believed(house: House, robot: Client) -> None:
    thief = ECKey.generate_key("P-256", {"kid": "k"})
    assert refused(house, signed(house, robot, header={"jwk": thief.as_dict(private=False)}, key=thief))
    assert refused(house, signed(house, robot, key=thief))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"drop": "sub"}, "iss and sub"),
        ({"drop": "iss"}, "iss and sub"),
        ({"iss": "cli_other"}, "iss and sub"),
        ({"drop": "jti"}, "no jti"),
        ({"jti": 7}, "no jti"),
        ({"jti": "x" * 300}, "no jti"),
        ({"drop": "exp"}, "times"),
        ({"exp": "soon"}, "times"),
        ({"exp": True}, "times"),
        ({"header": {"typ": "logout+jwt"}}, "another kind"),
    ],
)
def test_an_assertion_that_lacks_something_is_refused(
    house: House, robot: Client, changes: dict[str, Any], why: str
) -> None:
    assert why in refused(house, signed(house, robot, **changes), robot.id)


@pytest.mark.parametrize(
    ("name", "offset", "good"),
    [
        ("exp", -300, False),
        ("exp", 3600, False),
        ("nbf", 8, True),
        ("nbf", 61, False),
        ("iat", 61, False),
        ("iat", 8, True),
    ],
)
def test_times_are_held_with_a_little_leeway(house: House, robot: Client, name: str, offset: int, good: bool) -> None:
    now = house.gateway.clock.now() // 1000
    assertion = signed(house, robot, **{name: now + offset})
    if good:
        assert enter(house, assertion) == robot
    else:
        assert refused(house, assertion)


@pytest.mark.parametrize("assertion", ["", "a", "a.b.c", "..", "x" * 100_000, "ä.ö.ü", "e30.e30.e30"])
def test_what_is_no_assertion_is_refused(house: House, robot: Client, assertion: str) -> None:
    assert refused(house, assertion)
    assert refused(house, assertion, robot.id)


def test_a_client_with_a_secret_cannot_use_an_assertion_nor_the_other_way_round(house: House, robot: Client) -> None:
    assert refused(house, signed(house, house.worker)) == "registered for another method"
    with house.gateway.store.read() as tx, pytest.raises(Unauthenticated):
        authenticate(tx, house.gateway.vault, Presented(robot.id, Secret("x")), audiences=AUDIENCES)


@pytest.mark.parametrize(
    "jwks",
    [
        {},
        {"keys": []},
        {"keys": {}},
        {"keys": [7]},
        {"keys": [OctKey.generate_key(256).as_dict()]},
        {"keys": [ECKey.generate_key("P-256").as_dict(private=True)]},
        {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]},
        {"keys": [{**ECKey.generate_key("P-256").as_dict(private=False), "use": "enc"}]},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "!", "y": "!"}]},
        {"keys": [key_for("ES256").as_dict(private=False)] * 2},
        {"keys": [{**key_for("ES256").as_dict(private=False), "kid": 7}]},
    ],
)
def test_keys_that_cannot_be_trusted_are_not_registered(house: House, jwks: dict[str, Any]) -> None:
    new = web_client(house.tenant, name="new", authentication="private_key_jwt", jwks=jwks)
    with pytest.raises(BadInput) as caught, house.gateway.store.transaction() as tx:
        add_client(tx, house.gateway.vault, new, development=True)
    assert caught.value.code == "bad_jwks"


def test_two_keys_with_names_of_their_own_are_taken() -> None:
    keys = [ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=False) for kid in ("a", "b")]
    assert len(client_keys(json.dumps({"keys": keys})).keys) == 2
