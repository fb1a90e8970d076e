from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.capabilities import (
    Authorizes,
    Callback,
    Grant,
    ReadsContacts,
    ReadsProfile,
    Refreshes,
    Registration,
    Revokes,
    SendsSignals,
    WritesProfile,
)
from providers.errors import ProviderError
from providers.oidc.claims import to_item
from providers.secret import Secret
from tests.standins.openid import CLIENT_ID, NOW, OTHER_RSA, drive


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_the_adapter_has_what_openid_connect_has_and_no_more(adapter) -> None:
    for capability in (Authorizes, Refreshes, Revokes, ReadsProfile):
        assert isinstance(adapter, capability)
    for capability in (ReadsContacts, WritesProfile, SendsSignals):
        assert not isinstance(adapter, capability)


def test_what_the_ask_says_is_passed_on(adapter, registration, op, ask) -> None:
    wishes = replace(ask, prompt="login", login_hint="ada", ui_locales="en-GB de", max_age=60)
    sent = query(drive(adapter.authorization_url(registration, wishes), op))
    assert [sent[name] for name in ("prompt", "login_hint", "ui_locales", "max_age")] == [
        ["login"], ["ada"], ["en-GB de"], ["60"],
    ]  # fmt: skip


def test_staying_connected_asks_for_consent_as_the_standard_wants(adapter, registration, op, ask) -> None:
    offline = replace(registration, scopes=("offline_access",))
    sent = query(drive(adapter.authorization_url(offline, ask), op))
    assert (sent["scope"], sent["prompt"]) == (["openid offline_access"], ["consent"])


def test_metadata_that_knows_only_plain_does_not_talk_us_out_of_s256(adapter, registration, op, ask) -> None:
    op.metadata["code_challenge_methods_supported"] = ["plain"]
    assert query(drive(adapter.authorization_url(registration, ask), op))["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize(
    ("offers", "demands", "wish", "pushed"),
    [
        (True, True, None, True),
        (True, True, "yes", True),
        (True, False, None, False),
        (True, False, "yes", True),
        (True, False, "no", False),
        (False, False, "yes", False),
    ],
)
def test_requests_are_pushed_where_provider_and_settings_say_so(
    adapter, registration, op, ask, sign_in, offers, demands, wish, pushed
) -> None:
    if offers:
        op.metadata["pushed_authorization_request_endpoint"] = op.issuer + "/par"
    op.metadata["require_pushed_authorization_requests"] = demands
    wishing = replace(registration, settings={"par": wish} if wish else {})
    sent = query(drive(adapter.authorization_url(wishing, ask), op))
    assert (set(sent) == {"client_id", "request_uri"}) is pushed
    assert bool(op.requests("/par")) is pushed
    assert sign_in(registration=wishing)


@pytest.mark.parametrize(("offers", "wish"), [(True, "no"), (False, "yes")])
def test_a_provider_that_demands_pushing_and_does_not_get_it_is_misconfigured(
    adapter, registration, op, ask, offers, wish
) -> None:
    op.metadata["require_pushed_authorization_requests"] = True
    if offers:
        op.metadata["pushed_authorization_request_endpoint"] = op.issuer + "/par"
    with pytest.raises(ProviderError, match="misconfigured/par_required"):
        drive(adapter.authorization_url(replace(registration, settings={"par": wish}), ask), op)


def test_client_secret_post_is_used_where_nothing_else_is_taken(sign_in, op, adapter, registration) -> None:
    op.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt", "client_secret_post"]
    grant = sign_in()
    _, _, headers, form = next(seen for seen in op.seen if seen[1] == "/token")
    assert "authorization" not in headers
    assert form["client_id"] == CLIENT_ID
    drive(adapter.revoke(registration, grant), op)
    assert "client_secret" in op.requests("/revoke")[0]


def test_a_provider_that_takes_no_secret_is_misconfigured(sign_in, op) -> None:
    op.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]
    with pytest.raises(ProviderError, match="misconfigured/client_authentication"):
        sign_in()
    assert op.requests("/token") == []


def test_a_code_exchange_without_an_id_token_is_an_error(sign_in, op) -> None:
    op.token["id_token"] = None
    with pytest.raises(ProviderError, match="mismatch/id_token_missing"):
        sign_in()


def test_a_grant_without_id_claims_has_no_account(adapter, registration, op) -> None:
    with pytest.raises(ProviderError, match="mismatch/id_token_missing"):
        drive(adapter.account(registration, Grant(Secret("at"))), op)


def test_a_redirected_token_request_is_not_followed(sign_in, op) -> None:
    op.replies["/token"] = (307, {"Location": "https://evil.example/"}, b"")
    with pytest.raises(ProviderError, match="misconfigured/redirected"):
        sign_in()


def test_a_code_is_good_once(op, adapter, registration, ask) -> None:
    code = op.authorize(drive(adapter.authorization_url(registration, ask), op))
    drive(adapter.redeem(registration, Callback(Secret(code)), ask, now=NOW), op)
    with pytest.raises(ProviderError, match="rejected/invalid_grant"):
        drive(adapter.redeem(registration, Callback(Secret(code)), ask, now=NOW), op)


# ---- refresh ---------------------------------------------------------------------------------------------------------


def test_an_answer_without_a_refresh_token_keeps_the_old_one(sign_in, adapter, registration, op) -> None:
    grant = sign_in()
    op.token.update(refresh_token=None, id_token=None, scope=None)
    fresh = drive(adapter.refresh(registration, grant, now=NOW), op)
    assert fresh.refresh_token == grant.refresh_token
    assert (fresh.scopes, fresh.id_claims) == (grant.scopes, grant.id_claims)


def test_a_refresh_without_a_refresh_token_asks_nothing(adapter, registration, op) -> None:
    with pytest.raises(ProviderError, match="unsupported/no_refresh_token"):
        drive(adapter.refresh(registration, Grant(Secret("at")), now=NOW), op)
    assert op.seen == []


def test_fresh_tokens_are_not_lost_because_keys_cannot_be_had(sign_in, adapter, registration, op, cache_clock) -> None:
    grant = sign_in()
    cache_clock.advance(days=3)
    op.before["/token"] = lambda: op.down.add("/jwks")
    fresh = drive(adapter.refresh(registration, grant, now=NOW), op)
    assert fresh.refresh_token != grant.refresh_token
    assert fresh.id_claims == grant.id_claims


@pytest.mark.parametrize("times", [{"exp": 1}, {"iat": 1}])
def test_fresh_tokens_are_not_lost_because_the_id_token_beside_them_is_an_old_one(
    sign_in, adapter, registration, op, times
) -> None:
    grant = sign_in()
    op.claims.update(times)
    fresh = drive(adapter.refresh(registration, grant, now=NOW), op)
    assert fresh.refresh_token != grant.refresh_token
    assert fresh.id_claims == grant.id_claims


@pytest.mark.parametrize("other", [{"sub": "somebody-else"}, {"aud": "another-app"}, {"iss": "https://evil.example"}])
def test_an_old_id_token_about_something_else_is_refused_all_the_same(
    sign_in, adapter, registration, op, other
) -> None:
    grant = sign_in()
    op.claims.update({"exp": 1, **other})
    with pytest.raises(ProviderError, match="mismatch/"):
        drive(adapter.refresh(registration, grant, now=NOW), op)


def test_a_forged_id_token_on_refresh_is_refused(sign_in, adapter, registration, op) -> None:
    grant = sign_in()
    op.key, op.header = OTHER_RSA, {"kid": "rsa1"}
    with pytest.raises(ProviderError, match="mismatch/signature_wrong"):
        drive(adapter.refresh(registration, grant, now=NOW), op)


def test_a_refresh_after_revocation_is_rejected(sign_in, adapter, registration, op) -> None:
    grant = sign_in()
    assert drive(adapter.revoke(registration, grant), op).outcome == "confirmed"
    assert op.requests("/revoke")[0]["token_type_hint"] == "refresh_token"
    with pytest.raises(ProviderError, match="rejected/invalid_grant"):
        drive(adapter.refresh(registration, grant, now=NOW), op)


def test_revocation_is_unsupported_where_no_endpoint_is_named(sign_in, adapter, registration, op) -> None:
    op.metadata["revocation_endpoint"] = None
    grant = sign_in()
    assert drive(adapter.supports_revocation(registration), op) is False
    with pytest.raises(ProviderError, match="unsupported/no_revocation_endpoint"):
        drive(adapter.revoke(registration, grant), op)


def test_a_grant_without_a_refresh_token_is_revoked_by_its_access_token(adapter, registration, op) -> None:
    assert drive(adapter.supports_revocation(registration), op) is True
    drive(adapter.revoke(registration, Grant(Secret("at"))), op)
    assert op.requests("/revoke")[0] == {"token": "at", "token_type_hint": "access_token"}


# ---- profile ---------------------------------------------------------------------------------------------------------


FULL = {
    "sub": "x", "name": "Ada King", "given_name": "Ada", "family_name": "King", "middle_name": "A.",
    "nickname": "Countess", "preferred_username": "ada", "profile": "https://x.example/ada",
    "picture": "https://x.example/ada.png", "website": "https://ada.example", "gender": "female",
    "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en-GB", "updated_at": 1,
    "email": "ada@example.com", "email_verified": True, "phone_number": "+44 20 7946 0000",
    "address": {"formatted": "12 St James", "locality": "London", "country": "GB", "planet": "Earth"},
    "shoe_size": 38,
}  # fmt: skip


def test_standard_claims_become_a_card_and_the_rest_is_sorted() -> None:
    item = to_item(FULL)
    card = {value.pointer: (value.value, value.category) for value in item.values}
    assert card["/name"][0]["full"] == "Ada King"
    assert card["/emails/e1"] == ({"address": "ada@example.com"}, "contact")
    assert card["/phones/p1"] == ({"number": "+44 20 7946 0000"}, "contact")
    assert card["/addresses/a1"][0]["full"] == "12 St James"
    assert card["/anniversaries/birth"][0]["date"] == {"@type": "PartialDate", "year": 1815, "month": 12, "day": 10}
    assert card["/media/photo"] == ({"kind": "photo", "uri": "https://x.example/ada.png"}, "profile")
    assert card["/preferredLanguages/l1"][0] == {"language": "en-GB"}
    assert set(item.strangers) == {"shoe_size", "address.planet"}
    assert {"sub", "gender", "zoneinfo", "email_verified", "updated_at"} <= set(item.ignored)
    assert item.birthdate == "1815-12-10"


def test_only_wanted_categories_are_taken(sign_in, adapter, registration, op) -> None:
    op.userinfo = {name: value for name, value in FULL.items() if name != "sub"}
    page = drive(adapter.profile(registration, sign_in(), frozenset({"contact"})), op)
    assert {value.category for value in page.items[0].values} == {"contact"}
    assert "name" in page.items[0].ignored


def test_a_known_claim_of_the_wrong_type_is_a_stranger() -> None:
    item = to_item({"name": 7, "email": ["x"], "address": "London", "birthdate": "yesterday", "locale": {"a": 1}})
    assert item.values == ()
    assert set(item.strangers) == {"name", "email", "address", "birthdate", "locale"}


def test_a_birthday_without_its_year_keeps_to_month_and_day() -> None:
    (value,) = to_item({"birthdate": "0000-12-10"}).values
    assert value.value["date"] == {"@type": "PartialDate", "month": 12, "day": 10}


def test_without_userinfo_the_id_token_is_the_profile(sign_in, adapter, registration, op) -> None:
    op.metadata["userinfo_endpoint"] = None
    op.claims["name"] = "Ada"
    page = drive(adapter.profile(registration, sign_in(), frozenset({"profile", "contact"})), op)
    assert [value.pointer for value in page.items[0].values] == ["/name"]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "rejected"), (403, "insufficient_scope"), (429, "try_later"), (503, "try_later")]
)
def test_userinfo_failures_are_sorted(sign_in, adapter, registration, op, status: int, kind: str) -> None:
    grant = sign_in()
    op.replies["/userinfo"] = (status, {"Retry-After": "7"}, b"")
    with pytest.raises(ProviderError) as raised:
        drive(adapter.profile(registration, grant, frozenset({"profile"})), op)
    assert raised.value.kind == kind
    assert raised.value.retry_after_s == (7 if kind == "try_later" else None)


def test_no_secret_shows_in_anything_that_fails(sign_in, op, registration) -> None:
    op.replies["/token"] = (400, {}, b'{"error":"invalid_client","error_description":"s3cret/+ %"}')
    with pytest.raises(ProviderError) as raised:
        sign_in()
    assert "s3cret" not in repr(raised.value) + str(raised.value)
    assert "s3cret" not in repr(registration)
    assert isinstance(registration, Registration)
