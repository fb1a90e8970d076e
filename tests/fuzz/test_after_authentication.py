"""Bodies, cursors and answers of providers: read by those who may ask, and just as strictly."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.clients import API_SCOPES, NewClient, add_client, issue_access_token
from connector.http.pagination import read_cursor
from connector.ledger import verify_file
from connector.model.errors import BadInput
from connector.records.given import merged
from providers.capabilities import Registration, SignalRequest
from providers.errors import ProviderError
from providers.exchange import Response
from providers.facebook import signals as facebook_signals
from providers.oidc.keys import read_key_set
from providers.oidc.metadata import read_metadata
from providers.secret import Secret
from tests.fuzz.shapes import BOUNDED, assert_sound, json_objects, json_values, texts
from tests.gateways import bearer
from tests.signing_up import Town

METADATA = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "code_challenge_methods_supported")
CARD = ("name", "emails", "phones", "addresses", "links", "titles", "notes", "@type", "version", "anniversaries")


@pytest.fixture(scope="module")
def everything(fair: Town) -> dict[str, str]:
    """The header of a client that may do everything."""
    new = NewClient(fair.house.tenant.id, "everything", "worker", scopes=API_SCOPES, purposes=("service", "sync"))
    with fair.gateway.store.transaction() as tx:
        client, _ = add_client(tx, fair.gateway.vault, new)
        token = issue_access_token(tx, fair.gateway.vault, client, kind="client", scopes=API_SCOPES, lifetime_s=10**6)
    return bearer(token.reveal())


@pytest.fixture(scope="module")
def signed_up(fair: Town) -> dict[str, Any]:
    return fair.sign_up("ada")


@BOUNDED
@given(patch=json_objects(*CARD))
def test_a_merge_patch(
    fair: Town, everything: dict[str, str], signed_up: dict[str, Any], patch: dict[str, Any]
) -> None:
    path = f"/v1/users/{signed_up['claims']['sub']}/profile"
    body = json.dumps(patch)
    for address, method in ((path, "PATCH"), (path.replace("profile", "push-preview"), "POST")):
        answer = fair.app.test_client().open(
            address,
            method=method,
            data=body,
            content_type="application/merge-patch+json",
            headers=everything,
        )
        assert_sound(answer)
        assert answer.status_code in {200, 400, 403, 409, 415, 422}


@BOUNDED
@given(given_values=st.just({}), patch=json_objects(*CARD))
def test_a_merge_patch_by_itself(given_values: dict[str, Any], patch: dict[str, Any]) -> None:
    with contextlib.suppress(BadInput):
        merged(given_values, patch)


@BOUNDED
@given(cursor=texts, limit=texts)
@pytest.mark.parametrize(
    "path", ["/v1/connections", "/v1/changes", "/v1/users/{sub}/contacts", "/v1/users/{sub}/consents"]
)
def test_a_cursor(
    fair: Town, everything: dict[str, str], signed_up: dict[str, Any], path: str, cursor: str, limit: str
) -> None:
    at = path.format(sub=signed_up["claims"]["sub"])
    written = base64.urlsafe_b64encode(json.dumps([cursor, 7]).encode()).decode().rstrip("=")
    for word in (cursor, written):
        query = {"cursor": word, "limit": limit, "purpose": "service"}
        answer = fair.app.test_client().get(at, query_string=query, headers=everything)
        assert_sound(answer)


@BOUNDED
@given(st.one_of(texts, json_values.map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode())))
def test_a_cursor_by_itself(cursor: str) -> None:
    with contextlib.suppress(BadInput):
        assert all(isinstance(part, str | int) and not isinstance(part, bool) for part in read_cursor(cursor))


@BOUNDED
@given(st.one_of(st.binary(max_size=400), json_values.map(lambda value: json.dumps(value).encode())))
def test_a_receipt_s_file(data: bytes) -> None:
    verdict = verify_file(data, {})
    assert not verdict.valid
    assert verdict.failure is not None


@BOUNDED
@given(json_objects("format", "receipt", "checkpoint", "inclusion", "salt", "body", "keys", "kid", "proof"))
def test_a_receipt_of_the_right_outline(document: dict[str, Any]) -> None:
    assert not verify_file(json.dumps(document).encode(), None).valid


@BOUNDED
@given(json_objects(*METADATA))
def test_a_discovery_document(raw: dict[str, Any]) -> None:
    for issuer in ("https://op.example.com", raw.get("issuer")):
        with contextlib.suppress(ProviderError):
            read_metadata(raw | {"issuer": issuer}, "https://op.example.com")


@BOUNDED
@given(st.lists(json_objects("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "d", "key_ops"), max_size=4))
def test_a_key_set(keys: list[dict[str, Any]]) -> None:
    for raw in ({"keys": keys}, {"keys": keys[0] if keys else None}):
        with contextlib.suppress(ProviderError):
            read_key_set(raw)


@BOUNDED
@given(payload=st.one_of(st.binary(max_size=200), json_objects("user_id", "algorithm", "issued_at")), signed=texts)
def test_a_signed_request(payload: bytes | dict[str, Any], signed: str) -> None:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    body = b"signed_request=" + signed.encode("utf-8", "replace") + b"." + base64.urlsafe_b64encode(raw)
    registration = Registration("app", Secret("secret"), "https://app.example/cb")
    with pytest.raises(ProviderError):
        facebook_signals.signal(registration, SignalRequest("facebook-deauthorize", {}, body), 0)


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_what_a_provider_answers_to_a_sign_up(fair: Town, path: str) -> None:
    """No answer makes the gateway stumble, or leaves half of anything behind."""
    kept = ("users", "identities", "connections", "connection_tokens", "consents")
    before = fair.how_many(*kept)

    @BOUNDED
    @given(
        status=st.sampled_from([200, 200, 200, 201, 301, 307, 400, 401, 429, 500, 503]),
        body=st.one_of(
            st.binary(max_size=100),
            json_objects("access_token", "id_token", "token_type", "expires_in", "scope", "error", "sub").map(
                lambda value: json.dumps(value).encode()
            ),
        ),
    )
    def answers(status: int, body: bytes) -> None:
        fair.egress.before = lambda request: (
            Response(status, {"content-type": "application/json", "location": "http://127.0.0.1:1/"}, body)
            if request.url.split("?")[0].endswith(path)
            else None
        )
        started = fair.start()
        answer = fair.redeem(fair.to_app(fair.browser(), started.query, "grace"), started)
        assert_sound(answer)
        assert answer.status_code == 400
        assert answer.json["error"] == "invalid_grant"  # type: ignore[index]

    try:
        answers()
    finally:
        fair.egress.before = lambda _request: None
    assert fair.how_many(*kept) == before
