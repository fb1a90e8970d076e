"""Who may get a token of ours and by what, and what our word is worth elsewhere: A8, B18, B19, B20, C18, C23."""

from __future__ import annotations

import hashlib
import hmac
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import OKPKey

from connector.clients import (
    ASSERTION_TYPE,
    Client,
    NewClient,
    NewIntegration,
    add_client,
    add_integration,
    issue_access_token,
)
from connector.http import authentication
from connector.http.oauth import metadata
from connector.http.oauth.errors import OAuthError
from connector.http.oauth.grants import GRANTS
from providers.exchange import NetworkFailure, Response, post_form
from providers.oidc import adapter
from providers.rehearsal import signals
from providers.secret import Secret
from tests.attacks.workers import at_worker
from tests.gateways import PUBLIC_URL, api_token, basic, bearer, web_client
from tests.signing_up import Town

HERE = f"{PUBLIC_URL}/oauth/token"
EVIL = "http://127.0.0.1:6666"
KEY = OKPKey.generate_key("Ed25519", {"kid": "worker", "use": "sig"}, private=True)

# A8: assertions for the wrong audience ---------------------------------------------------------------------


def with_a_key(street: Town) -> Client:
    """A worker that proves itself by signed assertions, here as at every other server that it uses."""
    new = NewClient(
        street.house.tenant.id,
        "signing",
        "worker",
        scopes=("connections:read",),
        authentication="private_key_jwt",
        jwks={"keys": [KEY.as_dict(private=False)]},
    )
    with street.gateway.store.transaction() as tx:
        return add_client(tx, street.gateway.vault, new)[0]


def assertion(street: Town, client_id: str, audience: str) -> str:
    now = street.gateway.clock.now() // 1000
    said = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60, "jti": "once"}
    return jwt.encode({"alg": "Ed25519", "kid": "worker"}, said, KEY, algorithms=["Ed25519"])


def shown_here(app: Flask, text: str) -> Any:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
    return app.test_client().post("/oauth/token", data=form)


def test_a8_an_assertion_that_another_server_was_sent_opens_nothing_here(street: Town) -> None:
    client = with_a_key(street)
    assert shown_here(street.app, assertion(street, client.id, EVIL)).status_code == 401
    assert shown_here(street.app, assertion(street, client.id, PUBLIC_URL)).status_code == 200


def test_a8_twin_without_comparing_the_audience_it_opens_this_one_too(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Anything(tuple[str, ...]):
        __slots__ = ()

        def __contains__(self, _audience: object) -> bool:
            return True

    monkeypatch.setattr(authentication, "audiences", Anything)
    assert shown_here(street.app, assertion(street, with_a_key(street).id, EVIL)).status_code == 200


def caught(street: Town) -> dict[str, str]:
    """What a hostile provider is pushed, whose metadata names this gateway's token endpoint as its own."""
    new = NewIntegration(
        street.house.tenant.id,
        "oidc",
        name="evil",
        client_id="evil",
        client_secret=Secret("for evil alone"),
        issuer=EVIL,
        settings={"par": "yes"},
    )
    with street.gateway.store.transaction() as tx:
        added = add_integration(tx, street.gateway.vault, new, development=True)
    said = {
        "issuer": EVIL,
        "authorization_endpoint": f"{EVIL}/authorize",
        "token_endpoint": HERE,
        "jwks_uri": f"{EVIL}/jwks",
        "pushed_authorization_request_endpoint": f"{EVIL}/par",
    }
    pushed: list[Any] = []

    def answer(request: Any) -> Response:
        if request.method == "POST":
            pushed.append(request)
        value = {"request_uri": "urn:x", "expires_in": 60} if request.method == "POST" else said
        return Response(200, {"content-type": "application/json"}, json.dumps(value).encode())

    street.egress.before = answer
    browser = street.browser()
    street.submit(browser, street.page(browser, street.start(integration=added.id).query))
    (one,) = pushed
    assert one.url == f"{EVIL}/par"
    return dict(parse_qsl(one.body.decode()))


def test_a8_a_hostile_provider_is_sent_no_assertion_to_be_caught(street: Town) -> None:
    assert "client_assertion" not in caught(street)


def test_a8_twin_a_sender_that_takes_the_audience_from_the_metadata_signs_for_somebody_else(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = with_a_key(street)

    def signing(endpoint: str, fields: Any, *_registration: Any) -> Any:
        proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion(street, client.id, HERE))]
        return post_form(endpoint, [*fields, *proof])

    monkeypatch.setattr(adapter, "client_request", signing)
    assert shown_here(street.app, caught(street)["client_assertion"]).status_code == 200


# B18: a client that passes for a person ------------------------------------------------------------------------


def told_of_a_second_app(street: Town) -> tuple[str, str]:
    """A person, and whom introspection names for the token that a new app got for itself."""
    sub = street.sign_up("ada")["claims"]["sub"]
    new = web_client(street.house.tenant, name=sub)
    with street.gateway.store.transaction() as tx:
        client, secret = add_client(tx, street.gateway.vault, new, development=True)
    assert secret is not None
    http, proof = street.app.test_client(), basic(client, secret)
    token: Any = http.post("/oauth/token", data={"grant_type": "client_credentials"}, headers=proof).json
    seen: Any = http.post("/oauth/introspect", data={"token": token["access_token"]}, headers=proof).json
    return sub, seen["sub"]


def test_b18_an_app_that_takes_a_person_s_name_is_still_told_apart(street: Town) -> None:
    person, named = told_of_a_second_app(street)
    assert named != person
    assert named.startswith("cli_")


def test_b18_twin_where_an_app_is_called_what_it_likes_its_token_is_the_person_s(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.clients.clients.new_id", lambda _kind: street.rows("users")[0]["sub"])
    person, named = told_of_a_second_app(street)
    assert named == person


# B19: passwords of people -----------------------------------------------------------------------------------------


def phished(street: Town) -> Any:
    """An app in which a person typed their password asks for their token with it."""
    sub = street.sign_up("ada")["claims"]["sub"]
    form = {"grant_type": "password", "username": sub, "password": "hunter2", "scope": "openid"}
    proof = basic(street.house.web, street.house.web_secret)
    return street.app.test_client().post("/oauth/token", data=form, headers=proof)


def test_b19_a_password_gets_no_token(street: Town) -> None:
    assert phished(street).json["error"] == "unsupported_grant_type"


def test_b19_twin_with_a_password_grant_the_app_is_the_person_with_nobody_asked(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_password(request: Any) -> dict[str, str]:
        if request.required("password") != "hunter2":
            raise OAuthError("invalid_grant", "Wrong.")
        with request.gateway.store.transaction() as tx:
            token = issue_access_token(
                tx,
                request.gateway.vault,
                request.client,
                kind="person",
                scopes=("openid",),
                sub=request.required("username"),
                authorization_id=street.rows("authorizations")[0]["id"],
            )
        return {"access_token": token.reveal()}

    monkeypatch.setitem(GRANTS, "password", by_password)  # type: ignore[arg-type]  # a dict behind a Mapping
    token = phished(street).json["access_token"]
    claims: Any = street.app.test_client().get("/oauth/userinfo", headers=bearer(token)).json
    assert claims["sub"] == street.rows("users")[0]["sub"]


# B20: metadata ------------------------------------------------------------------------------------------------------


def sent_by_a_stock_client(street: Town) -> tuple[str, dict[str, str]]:
    """The verifier, and the request of a client that chooses its PKCE method by the metadata (RFC 8414, RFC 7636)."""
    said: Any = street.app.test_client().get("/.well-known/oauth-authorization-server").json
    started = street.start()
    if "S256" in said.get("code_challenge_methods_supported", ()):
        return started.verifier, started.query
    return started.verifier, started.query | {"code_challenge": started.verifier, "code_challenge_method": "plain"}


def test_b20_a_client_that_goes_by_the_metadata_keeps_its_verifier_to_itself(street: Town) -> None:
    verifier, query = sent_by_a_stock_client(street)
    assert verifier not in query.values()
    assert street.page(street.browser(), query).status_code == 200


def test_b20_twin_where_the_metadata_names_no_method_the_verifier_goes_through_the_browser(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = metadata.document
    monkeypatch.setattr(
        metadata,
        "document",
        lambda issuer: {name: said for name, said in true(issuer).items() if not name.startswith("code_challenge")},
    )
    verifier, query = sent_by_a_stock_client(street)
    assert verifier in query.values()


# C18: revocation ----------------------------------------------------------------------------------------------------


def test_c18_what_was_revoked_is_dead_here_though_the_provider_hears_nothing(street: Town) -> None:
    connection = street.sign_up("ada")["connection"]
    street.egress.before = lambda _request: NetworkFailure("no", "connect_failed")
    token = api_token(street.app, street.house.web, street.house.web_secret)
    gone = street.app.test_client().delete(f"/v1/connections/{connection}", headers=bearer(token), json={})
    assert gone.status_code in {200, 202, 204}
    asked = at_worker(street, connection)
    assert asked.status_code == 400
    assert "access_token" not in asked.text


# C23: signals -------------------------------------------------------------------------------------------------------


def forged_signal(street: Town, secret: str = "another app's secret") -> Any:
    """Somebody tells us, in Rehearsal's name, that a person took their grant back."""
    street.sign_up("ada")
    street.gateway.clock.sleep(1)  # a signal is about grants that are older
    integration = street.house.integration
    event = {
        "event": "deauthorized",
        "client_id": integration.client_id,
        "issuer": integration.issuer,
        "subject": "ada",
        "event_id": "evt-1",
        "issued_at": street.gateway.clock.now(),
    }
    body = json.dumps(event).encode()
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return street.app.test_client().post(
        f"/signals/{integration.id}/rehearsal-deauthorize",
        data=body,
        headers={"Rehearsal-Signature": f"sha256={signed}"},
    )


def state_of_the_connection(street: Town) -> str:
    (row,) = street.rows("connections")
    return str(row["state"])


def test_c23_a_signal_that_another_secret_signed_ends_nothing(street: Town) -> None:
    assert forged_signal(street).status_code == 400
    assert state_of_the_connection(street) == "active"


def test_c23_twin_without_the_comparison_anybody_ends_a_connection(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreeable = SimpleNamespace(new=hmac.new, compare_digest=lambda _one, _other: True)
    monkeypatch.setattr(signals, "hmac", agreeable)
    assert forged_signal(street).status_code == 200
    assert state_of_the_connection(street) != "active"
