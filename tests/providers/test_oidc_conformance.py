"""The modules of the OpenID Foundation's Basic RP and Config RP certification plans, by their ids.

`oidcc-client-test-x-y` is `test_oidcc_client_test_x_y`. The module for unsigned tokens is met by refusing them. Then
modules of the comprehensive, refresh and FAPI 2.0 plans that bear on a client like this one.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey

from providers.errors import ProviderError
from tests.standins.openid import CLIENT_ID, KEYS, NOW, OTHER_RSA, REDIRECT_URI, b64, drive, sign


def refused(sign_in, **more) -> str:
    with pytest.raises(ProviderError) as raised:
        sign_in(**more)
    assert raised.value.kind == "mismatch"
    return raised.value.code


# ---- Basic RP --------------------------------------------------------------------------------------------------------


def test_oidcc_client_test(sign_in, adapter, registration, op) -> None:
    grant = sign_in()
    account = drive(adapter.account(registration, grant), op)
    assert (account.issuer, account.subject) == (op.issuer, "person-1")
    assert account.claims == {"name": "Ada Lovelace", "email": "ada@example.com"}
    assert grant.expires_in_s == 3600
    assert grant.scopes == ("openid", "profile", "email")


def test_oidcc_client_test_invalid_iss(sign_in, op) -> None:
    op.claims["iss"] = op.issuer + "/"
    assert refused(sign_in) == "issuer_mismatch"


def test_oidcc_client_test_missing_sub(sign_in, op) -> None:
    op.claims["sub"] = None
    assert refused(sign_in) == "subject_unusable"


def test_oidcc_client_test_invalid_aud(sign_in, op) -> None:
    op.claims["aud"] = "another"
    assert refused(sign_in) == "audience_mismatch"


def test_oidcc_client_test_missing_aud(sign_in, op) -> None:
    op.claims["aud"] = None
    assert refused(sign_in) == "audience_mismatch"


def test_oidcc_client_test_missing_iat(sign_in, op) -> None:
    op.claims["iat"] = None
    assert refused(sign_in) == "iat_unusable"


def test_oidcc_client_test_kid_absent_single_jwks(sign_in, op) -> None:
    op.header["kid"] = None
    op.jwks = [KEYS["RS256"]]
    assert sign_in().id_claims["sub"] == "person-1"


def test_oidcc_client_test_kid_absent_multiple_jwks(sign_in, op) -> None:
    op.header["kid"] = None
    op.jwks = [KEYS["RS256"], OTHER_RSA]
    assert refused(sign_in) == "kid_absent"


def test_oidcc_client_test_idtoken_sig_rs256(sign_in, op) -> None:
    op.alg = "RS256"
    assert sign_in().id_claims["iss"] == op.issuer


def test_oidcc_client_test_idtoken_sig_none(sign_in, op) -> None:
    op.alg = "none"
    op.metadata["id_token_signing_alg_values_supported"] = ["none", "RS256"]
    assert refused(sign_in) == "algorithm_refused"


def test_oidcc_client_test_invalid_sig_rs256(sign_in, op) -> None:
    op.key, op.header = OTHER_RSA, {"kid": "rsa1"}
    assert refused(sign_in) == "signature_wrong"


def test_oidcc_client_test_userinfo_invalid_sub(sign_in, adapter, registration, op) -> None:
    grant = sign_in()
    for other in ("person-2", "person-1 ", "PERSON-1", None, 1):
        op.userinfo["sub"] = other
        for exchange in (
            adapter.account(registration, grant),
            adapter.profile(registration, grant, frozenset({"profile"})),
        ):
            with pytest.raises(ProviderError, match="mismatch/userinfo_subject"):
                drive(exchange, op)


def test_oidcc_client_test_nonce_invalid(sign_in, op) -> None:
    for nonce in ("another", None, "", 7, ["the-nonce"]):
        op.claims["nonce"] = nonce
        assert refused(sign_in) == "nonce_mismatch"


def test_oidcc_client_test_scope_userinfo_claims(sign_in, adapter, registration, ask, op) -> None:
    asked = replace(ask, scopes=("openid", "profile", "email", "phone", "address"))
    op.userinfo = {"phone_number": "+1 555 0100", "address": {"locality": "London"}}
    url = drive(adapter.authorization_url(registration, asked), op)
    assert parse_qs(urlsplit(url).query)["scope"] == ["openid profile email phone address"]
    account = drive(adapter.account(registration, sign_in(ask=asked)), op)
    assert account.claims["phone_number"] == "+1 555 0100"


def test_oidcc_client_test_client_secret_basic(sign_in, op) -> None:
    op.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post", "client_secret_basic"]
    sign_in()
    _, _, headers, form = next(seen for seen in op.seen if seen[1] == "/token")
    assert headers["authorization"].startswith("Basic ")
    assert "client_secret" not in form


# ---- Config RP -------------------------------------------------------------------------------------------------------


def test_oidcc_client_test_discovery_openid_config(adapter, registration, op, ask) -> None:
    op.metadata["authorization_endpoint"] = "https://op.example.com/somewhere/else?x=1"
    url = drive(adapter.authorization_url(registration, ask), op)
    assert op.seen[0][:2] == ("GET", "/.well-known/openid-configuration")
    assert url.startswith("https://op.example.com/somewhere/else?x=1&response_type=code&")


def test_oidcc_client_test_discovery_jwks_uri_keys(sign_in, op) -> None:
    op.metadata["jwks_uri"] = op.issuer + "/jwks"
    sign_in()
    assert [path for _, path, _, _ in op.seen].count("/jwks") == 1


@pytest.mark.parametrize(
    "issuer",
    [
        "https://op.example.com/",
        "https://OP.example.com",
        "https://op.example.com:443",
        "https://evil.example",
        "",
        None,
    ],
)
def test_oidcc_client_test_discovery_issuer_mismatch(adapter, registration, op, ask, issuer) -> None:
    op.metadata["issuer"] = issuer
    with pytest.raises(ProviderError, match="mismatch/issuer_mismatch"):
        drive(adapter.authorization_url(registration, ask), op)


def test_oidcc_client_test_signing_key_rotation_just_before_signing(sign_in, op) -> None:
    def rotate() -> None:
        op.key, op.jwks = OTHER_RSA, [OTHER_RSA]

    op.before["/token"] = rotate
    assert sign_in().id_claims["sub"] == "person-1"
    assert [path for _, path, _, _ in op.seen].count("/jwks") == 2


def test_oidcc_client_test_signing_key_rotation(sign_in, op) -> None:
    assert sign_in()
    op.key, op.jwks = OTHER_RSA, [OTHER_RSA]
    assert sign_in()


# ---- what every request says -----------------------------------------------------------------------------------------


def test_oidcc_every_request_is_as_registered(adapter, registration, sign_in, op, ask) -> None:
    query = parse_qs(urlsplit(drive(adapter.authorization_url(registration, ask), op)).query)
    assert query["response_type"] == ["code"]
    assert query["client_id"] == [CLIENT_ID]
    assert query["redirect_uri"] == [REDIRECT_URI]
    assert query["code_challenge_method"] == ["S256"]
    assert query["nonce"] == ["the-nonce"]
    assert "openid" in query["scope"][0].split()
    sign_in()
    assert op.requests("/token")[0]["redirect_uri"] == REDIRECT_URI
    assert op.requests("/token")[0]["code_verifier"] == "v" * 43


def test_oidcc_max_age_0_and_prompt_none_never_go_together(adapter, registration, op, ask) -> None:
    url = drive(adapter.authorization_url(registration, replace(ask, prompt="none", max_age=0)), op)
    assert "max_age" not in parse_qs(urlsplit(url).query)


def test_oidcc_client_test_userinfo_bearer_header(sign_in, adapter, registration, op) -> None:
    drive(adapter.account(registration, sign_in()), op)
    method, _, headers, form = next(seen for seen in op.seen if seen[1] == "/userinfo")
    assert (method, form) == ("GET", {})
    assert headers["authorization"].startswith("Bearer ")


# ---- comprehensive, refresh, FAPI 2.0 -------------------------------------------------------------------------------


def test_oidcc_client_test_invalid_sig_hs256(sign_in, op) -> None:
    op.alg, op.key = "HS256", OctKey.import_key(op.client_secret)
    assert refused(sign_in) == "algorithm_refused"


def test_oidcc_client_test_invalid_sig_es256(sign_in, op) -> None:
    op.alg = "ES256"
    op.jwks = [KEYS["ES256"]]
    good = op.id_token

    op.id_token = lambda *args, **more: good(*args, **more)[:-8] + "AAAAAAAA"
    assert refused(sign_in) == "signature_wrong"


def test_oidcc_client_test_invalid_athash(sign_in, op) -> None:
    for value in ("wrong", 7, ""):
        op.claims["at_hash"] = value
        assert refused(sign_in) == "at_hash_mismatch"


def test_oidcc_client_test_missing_athash(sign_in, op) -> None:
    op.claims["at_hash"] = None
    assert sign_in()


def test_oidcc_client_test_aggregated_and_distributed_claims_are_not_fetched(
    sign_in, adapter, registration, op
) -> None:
    op.userinfo = {
        "_claim_names": {"address": "src1"},
        "_claim_sources": {"src1": {"endpoint": "http://169.254.169.254/", "access_token": "x"}},
    }
    account = drive(adapter.account(registration, sign_in()), op)
    assert not {"_claim_names", "_claim_sources", "address"} & set(account.claims)


def test_oidcc_client_test_userinfo_signed(sign_in, adapter, registration, op) -> None:
    grant = sign_in()
    claims = {"sub": "person-1", "name": "Ada", "iss": op.issuer, "aud": op.client_id}
    jwt = {"Content-Type": "application/jwt"}
    op.replies["/userinfo"] = (200, jwt, sign(claims).encode())
    assert drive(adapter.account(registration, grant), op).claims["name"] == "Ada"
    for bad in (sign(claims, alg="none"), sign(claims, key=OTHER_RSA, header={"kid": "rsa1"}),
                sign({**claims, "aud": "x"}), sign({**claims, "aud": 7}), sign({**claims, "iss": "x"})):  # fmt: skip
        op.replies["/userinfo"] = (200, jwt, bad.encode())
        with pytest.raises(ProviderError, match="mismatch/"):
            drive(adapter.account(registration, grant), op)


def test_oidcc_client_test_refresh_token(sign_in, adapter, registration, op) -> None:
    first = sign_in()
    second = drive(adapter.refresh(registration, first, now=NOW), op)
    assert op.requests("/token")[-1]["refresh_token"] == first.refresh_token.reveal()
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token


@pytest.mark.parametrize("change", [{"iss": "https://evil.example"}, {"sub": "person-2"}, {"aud": "another"}])
def test_oidcc_client_test_refresh_token_invalid_issuer_or_sub(sign_in, adapter, registration, op, change) -> None:
    grant = sign_in()
    op.claims.update(change)
    with pytest.raises(ProviderError, match="mismatch/"):
        drive(adapter.refresh(registration, grant, now=NOW), op)


@pytest.mark.parametrize("iss", ["https://evil.example", "https://op.example.com/", None])
def test_fapi2_test_invalid_and_removed_authorization_response_iss(sign_in, op, iss) -> None:
    op.metadata["authorization_response_iss_parameter_supported"] = True
    assert refused(sign_in, iss=iss) in {"iss_mismatch", "iss_missing"}
    assert op.requests("/token") == []  # the code never left


def test_fapi2_test_wrong_iss_is_refused_even_where_it_is_not_announced(sign_in, op) -> None:
    assert refused(sign_in, iss="https://evil.example") == "iss_mismatch"
    assert sign_in(iss=op.issuer)


def test_fapi2_test_valid_aud_as_array(sign_in, op) -> None:
    op.claims["aud"] = [CLIENT_ID]
    assert sign_in()


def test_fapi2_test_invalid_secondary_aud(sign_in, op) -> None:
    op.claims["aud"] = [CLIENT_ID, "another"]
    assert refused(sign_in) == "authorized_party_missing"
    op.claims["azp"] = "another"
    assert refused(sign_in) == "authorized_party_mismatch"
    op.claims["azp"] = CLIENT_ID
    assert sign_in()


def test_fapi2_test_expired_exp_and_missing_exp(sign_in, op) -> None:
    op.claims["exp"] = NOW // 1000 - 300
    assert refused(sign_in) == "expired"
    op.claims["exp"] = None
    assert refused(sign_in) == "exp_unusable"


def test_fapi2_test_token_endpoint_response_without_expires_in(sign_in, op) -> None:
    op.token["expires_in"] = None
    assert sign_in().expires_in_s is None


@pytest.mark.parametrize("word", ["bearer", "Bearer", "BEARER", "bEaReR"])
def test_fapi2_test_token_type_case_insensitivity(sign_in, op, word: str) -> None:
    op.token["token_type"] = word
    assert sign_in()


def test_fapi2_test_invalid_alternate_alg(sign_in, op, registration) -> None:
    strict = replace(registration, settings={"algorithms": "PS256 ES256"})
    assert refused(sign_in, registration=strict) == "algorithm_refused"
    op.alg = "PS256"
    assert sign_in(registration=strict)


def test_keys_that_are_weak_private_symmetric_or_for_encryption_are_left_out(sign_in, op) -> None:
    public = KEYS["RS256"].as_dict(private=False)
    op.jwks = [
        {**KEYS["RS256"].as_dict(private=True), "use": "sig"},
        {**public, "use": "enc"},
        {**public, "key_ops": ["encrypt"]},
        {**public, "alg": "RS512"},
        {"kty": "oct", "k": "AAAA", "kid": "rsa1"},
        {**public, "kid": ["rsa1"]},
        {**public, "kid": "k" * 300},
        {**public, "e": "AQ"},
        {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": 7},
        "key",
        {**public, "n": b64(b"\xff" * 128)},
        {**public, "n": b64(b"\xff" * 4096)},
        KEYS["ES256"],
    ]
    assert refused(sign_in) == "key_unknown"
