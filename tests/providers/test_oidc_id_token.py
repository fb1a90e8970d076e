from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from providers.errors import ProviderError
from providers.oidc.id_token import (
    ALGORITHMS,
    Expected,
    allowed_algorithms,
    check_claims,
    check_signature,
    take_apart,
)
from providers.oidc.keys import read_key_set
from providers.secret import Secret
from tests.standins.openid import KEYS, NOW, OTHER_RSA, AnyAlgorithm, b64, sign

SECONDS = NOW // 1000
EXPECTED = Expected("https://op.example.com", "client:1", NOW, Secret("the-nonce"), Secret("access"))
GOOD = {
    "iss": "https://op.example.com",
    "sub": "person-1",
    "aud": "client:1",
    "exp": SECONDS + 300,
    "iat": SECONDS,
    "nonce": "the-nonce",
}
SET = read_key_set({"keys": [KEYS[alg].as_dict(private=False) for alg in ("RS256", "ES256", "EdDSA")]})


def verify(text: str, expected: Expected = EXPECTED, keys=SET, algorithms=ALGORITHMS) -> bool:
    token = take_apart(Secret(text), algorithms)
    check_claims(token, expected)
    return check_signature(token, keys)


def refused(text: str, **more) -> str:
    with pytest.raises(ProviderError) as raised:
        verify(text, **more)
    assert raised.value.kind == "mismatch"
    return raised.value.code


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_each_allowed_algorithm_verifies(alg: str) -> None:
    assert verify(sign(GOOD, alg=alg))


@pytest.mark.parametrize(
    "alg", ["none", "None", "nOnE", "NONE", "", "HS256", "RS1", "rs256", "RS384", "ES256K", "RSA1_5"]
)
def test_no_other_algorithm_is_taken_whatever_the_header_says(alg: str) -> None:
    key = OctKey.import_key("k" * 32) if alg.startswith("HS") else None
    if alg == "RS384":
        key = KEYS["RS256"]
    text = sign(GOOD, alg=alg, key=key) if alg != "ES256K" else _unsigned({"alg": alg})
    assert refused(text) == "algorithm_refused"


def _unsigned(header: Any, payload: Any = GOOD) -> str:
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    return ".".join([*map(b64, parts), "AAAA"])


def test_an_unsigned_token_passes_where_the_header_chooses_the_algorithm() -> None:
    """The twin: a check that takes the algorithm from the token takes anyone's word."""
    text = sign({**GOOD, "sub": "victim"}, alg="none")
    assert refused(text) == "algorithm_refused"
    taken = jws.deserialize_compact(text, None, registry=AnyAlgorithm())
    assert json.loads(taken.payload)["sub"] == "victim"


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_public_key_does_not_become_a_shared_secret(form: str) -> None:
    public = KEYS["RS256"].as_pem(private=False) if form == "PEM" else KEYS["RS256"].as_der(private=False)
    head = b64(json.dumps({"alg": "HS256", "kid": "rsa1"}).encode()) + "." + b64(json.dumps(GOOD).encode())
    text = f"{head}.{b64(hmac.digest(public, head.encode(), 'sha256'))}"
    assert refused(text) == "algorithm_refused"
    with pytest.raises(ProviderError, match="Only"):
        allowed_algorithms("RS256 HS256")


def test_a_signature_of_zeros_is_no_signature() -> None:
    head, payload, _ = sign(GOOD, alg="ES256").split(".")
    assert refused(f"{head}.{payload}.{b64(bytes(64))}") == "signature_wrong"


def test_rs256_presented_as_ps256_is_refused() -> None:
    _, payload, signature = sign(GOOD, alg="RS256").split(".")
    header = b64(json.dumps({"alg": "PS256", "kid": "rsa1"}).encode())
    assert refused(f"{header}.{payload}.{signature}") == "signature_wrong"


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": OTHER_RSA.as_dict(private=False)},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "http://169.254.169.254/"},
        {"x5c": ["AAAA"]},
    ],
)
def test_a_key_that_the_token_brings_is_not_looked_at(header: dict[str, Any]) -> None:
    forged = sign({**GOOD, "sub": "victim"}, key=OTHER_RSA, header={"kid": "rsa1", **header})
    assert refused(forged) == "signature_wrong"
    assert verify(sign(GOOD, header=header))  # ignored, not trusted
    keys = read_key_set({"keys": [{**OTHER_RSA.as_dict(private=False), "kid": "rsa1"}]})
    assert verify(forged, keys=keys)  # the twin: had the token's own key been taken, it would pass


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"crit": ["exp"]}, "header_refused"),
        ({"crit": []}, "header_refused"),
        ({"b64": False}, "header_refused"),
        ({"zip": "DEF"}, "header_refused"),
        ({"enc": "A128GCM"}, "header_refused"),
        ({"cty": "JWT"}, "header_refused"),
        ({"typ": "at+jwt"}, "type_refused"),
        ({"typ": "application/at+jwt"}, "type_refused"),
        ({"typ": "logout+jwt"}, "type_refused"),
        ({"typ": "secevent+jwt"}, "type_refused"),
        ({"typ": "dpop+jwt"}, "type_refused"),
        ({"typ": 7}, "type_refused"),
        ({"kid": 7}, "kid_refused"),
        ({"kid": ["rsa1"]}, "kid_refused"),
        ({"kid": ""}, "kid_refused"),
        ({"kid": "k" * 10_000}, "kid_refused"),
        ({"kid": "a\x00b"}, "kid_refused"),
        ({"kid": "a\nb"}, "kid_refused"),
    ],
)
def test_headers_that_change_the_meaning_are_refused(header: dict[str, Any], code: str) -> None:
    assert refused(sign(GOOD, header=header)) == code


@pytest.mark.parametrize("kid", ["../../dev/null", "' or 1", "__proto__", "rsa1 ", "RSA1", "unknown"])
def test_a_key_id_is_an_exact_string_and_an_unknown_one_finds_no_key(kid: str) -> None:
    assert verify(sign(GOOD, header={"kid": kid})) is False


def test_two_keys_of_one_id_are_both_tried() -> None:
    twin = {**OTHER_RSA.as_dict(private=False), "kid": "rsa1"}
    keys = read_key_set({"keys": [twin, KEYS["RS256"].as_dict(private=False)]})
    assert verify(sign(GOOD), keys=keys)


def test_a_key_set_without_ids_serves_where_one_key_fits() -> None:
    bare = {name: value for name, value in KEYS["RS256"].as_dict(private=False).items() if name != "kid"}
    assert verify(sign(GOOD), keys=read_key_set({"keys": [bare]}))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt", None])
def test_the_usual_types_are_taken(typ: str | None) -> None:
    assert verify(sign(GOOD, header={"typ": typ}))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iss": "https://op.example.com/"}, "issuer_mismatch"),
        ({"iss": None}, "issuer_mismatch"),
        ({"iss": ["https://op.example.com"]}, "issuer_mismatch"),
        ({"sub": None}, "subject_unusable"),
        ({"sub": ""}, "subject_unusable"),
        ({"sub": 1}, "subject_unusable"),
        ({"sub": "s" * 256}, "subject_unusable"),
        ({"sub": "s" * 5000}, "subject_unusable"),
        ({"sub": "a\x00"}, "subject_unusable"),
        ({"sub": "a\n"}, "subject_unusable"),
        ({"sub": "ünï"}, "subject_unusable"),
        ({"aud": None}, "audience_mismatch"),
        ({"aud": ""}, "audience_mismatch"),
        ({"aud": []}, "audience_mismatch"),
        ({"aud": "client:12"}, "audience_mismatch"),
        ({"aud": "CLIENT:1"}, "audience_mismatch"),
        ({"aud": {"client:1": 1}}, "audience_mismatch"),
        ({"aud": ["client:1", 7], "azp": "client:1"}, "audience_mismatch"),
        ({"aud": ["client:1"] + ["x"] * 50, "azp": "client:1"}, "audience_mismatch"),
        ({"aud": ["client:1", "other"]}, "authorized_party_missing"),
        ({"aud": ["client:1", "other"], "azp": "other"}, "authorized_party_mismatch"),
        ({"azp": "other"}, "authorized_party_mismatch"),
        ({"azp": None}, "authorized_party_mismatch"),
        ({"exp": SECONDS - 60}, "expired"),
        ({"exp": SECONDS - 119}, "expired"),
        ({"exp": "soon"}, "exp_unusable"),
        ({"exp": True}, "exp_unusable"),
        ({"exp": 1e300}, "exp_unusable"),
        ({"exp": -1}, "exp_unusable"),
        ({"iat": SECONDS + 61}, "issued_at_refused"),
        ({"iat": SECONDS - 90_000}, "issued_at_refused"),
        ({"iat": "now"}, "iat_unusable"),
        ({"nbf": SECONDS + 61}, "not_yet_valid"),
        ({"nbf": None}, "nbf_unusable"),
        ({"nonce": "The-nonce"}, "nonce_mismatch"),
        ({"nonce": None}, "nonce_mismatch"),
        ({"at_hash": "wrong"}, "at_hash_mismatch"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "type_refused"),
    ],
)
def test_a_claim_that_is_not_right_is_refused(change: dict[str, Any], code: str) -> None:
    assert refused(sign({**GOOD, **change})) == code


@pytest.mark.parametrize(
    "change",
    [
        {"exp": SECONDS - 59},
        {"iat": SECONDS + 59},
        {"nbf": SECONDS + 59},
        {"sub": "s" * 255},
        {"sub": " "},
        {"aud": ["client:1", "other"], "azp": "client:1"},
        {"aud": ["client:1", "client:1"]},
        {"exp": SECONDS + 300.5},
    ],
)
def test_the_edges_of_what_is_right_are_taken(change: dict[str, Any]) -> None:
    assert verify(sign({**GOOD, **change}))


def test_a_token_that_expired_two_minutes_ago_passes_with_the_leeway_of_stock_clients() -> None:
    """The twin: 120 seconds of leeway take what 60 refuse."""
    text = sign({**GOOD, "exp": SECONDS - 119})
    assert refused(text) == "expired"
    lenient = Expected(EXPECTED.issuer, EXPECTED.client_id, NOW - 60_000, EXPECTED.nonce)
    assert verify(text, lenient)


def test_the_time_of_authentication_is_compared_where_it_was_asked_for() -> None:
    asked = Expected(EXPECTED.issuer, EXPECTED.client_id, NOW, EXPECTED.nonce, max_age=300)
    assert refused(sign(GOOD), expected=asked) == "auth_time_unusable"
    assert refused(sign({**GOOD, "auth_time": SECONDS - 400}), expected=asked) == "authentication_too_old"
    assert verify(sign({**GOOD, "auth_time": SECONDS - 200}), asked)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "..",
        _unsigned(b"[]"),
        _unsigned(b'{"alg":"RS256","alg":"none"}'),
        _unsigned({"alg": "RS256"}, b'{"sub":"a","sub":"b"}'),
        _unsigned({"alg": "RS256"}, b'{"exp":NaN}'),
        _unsigned({"alg": "RS256"}, b"[" * 10_000),
        _unsigned({"alg": "RS256"}, b"\xff\xfe"),
        _unsigned({"alg": "RS256"}, b'"text"'),
        _unsigned({"alg": "RS256"}).replace(".", "\n.", 1),
        _unsigned({"alg": "RS256"}).replace(".", "=.", 1) + "!",
    ],
)
def test_what_is_no_token_is_refused_without_stumbling(text: str) -> None:
    assert refused(text)


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    with pytest.raises(ProviderError):
        verify(text)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_header_or_payload_makes_the_reader_stumble(header: bytes, payload: bytes) -> None:
    with pytest.raises(ProviderError):
        verify(f"{b64(header)}.{b64(payload)}.AAAA")


def test_any_changed_byte_breaks_the_signature() -> None:
    head, _, signature = sign(GOOD, alg="ES256").split(".")
    forged = b64(json.dumps({**GOOD, "name": "Mallory"}).encode())
    assert refused(f"{head}.{forged}.{signature}") == "signature_wrong"


@pytest.mark.parametrize("raw", [{}, {"keys": {}}, {"keys": []}, {"keys": [{}]}, {"keys": [{"kty": "RSA"}] * 10_000}])
def test_a_key_set_without_a_usable_key_is_garbage(raw: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="garbage/"):
        read_key_set(raw)
