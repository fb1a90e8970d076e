"""Attacks on token vaults, A1 to A9, that `test_who_began_finishes.py` does not hold. Each defence has a twin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connector.clients import Integration, NewIntegration, add_client, add_integration, find_integration
from connector.flows.integrations import integrated
from connector.flows.signup_link import arriving, asking, redeeming, returning
from connector.flows.signup_link.arriving import Browser
from connector.model.errors import BadInput
from providers.exchange import Response
from providers.secret import Secret
from tests.gateways import APP_CALLBACK, basic, bearer, web_client
from tests.signing_up import NOTHING_MADE, Town, answer_of, fresh_start


def linked_for_mallory(street: Town) -> Any:
    """Mallory pushes a link to her own user, the victim walks it, the app redeems in the victim's session."""
    mallory = street.sign_up("mallory")["claims"]["sub"]
    victim = street.sign_up("bystander")["claims"]["sub"]
    started, query = street.pushed(link_user=mallory)
    back = street.to_app(street.browser(), query, "victim")
    return street.redeem(back, started, link_user=victim)


# A2: the start link -------------------------------------------------------------------------------------------


def test_a2_a_start_link_replayed_just_in_time_opens_in_one_browser_only(street: Town) -> None:
    _started, query = street.pushed()
    assert street.page(street.browser(), query).status_code == 200
    late = street.page(street.browser(), query)
    assert late.status_code == 400
    assert "Location" not in late.headers


def test_a2_twin_without_its_one_use_the_link_opens_in_a_second_browser(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _started, query = street.pushed()
    street.page(street.browser(), query)
    monkeypatch.setattr(Browser, "holds", lambda _self, _flow: True)
    assert street.page(street.browser(), query).status_code == 200


def test_a2_where_the_answer_goes_comes_from_the_registration_and_from_no_parameter(street: Town) -> None:
    started, query = street.pushed()
    back = street.to_app(street.browser(), query | {"redirect_uri": "https://evil.example/", "return_to": "//evil"})
    assert back.startswith(APP_CALLBACK + "?")
    assert street.finished(back, started)["claims"]["sub"]


# A3: what is no defence ---------------------------------------------------------------------------------------


NO_DEFENCES: dict[str, tuple[Any, str, Any]] = {
    "pkce": (redeeming, "_fits", lambda _verifier, _challenge: True),
    "state cookie": (Browser, "holds", lambda _self, _flow: True),
    "short times": (returning, "CODE_LIFETIME_S", 10**6),
    "consent page": (arriving, "has_accepted", lambda _accepted, _mark: True),
}


@pytest.mark.parametrize("off", NO_DEFENCES)
def test_a3_the_attack_fails_with_each_of_these_switched_off(
    street: Town, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    place, name, permissive = NO_DEFENCES[off]
    monkeypatch.setattr(place, name, permissive)
    assert linked_for_mallory(street).json["code"] == "wrong_user"
    assert street.how_many("identities") == {"identities": 2}


def test_a3_twin_with_the_comparison_of_users_off_none_of_them_helps(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redeeming, "_of_reauthorisation", lambda _found, _redemption: True)
    assert linked_for_mallory(street).status_code == 200
    assert street.how_many("identities") == {"identities": 3}


# A5: a tenant whose operator is the attacker ------------------------------------------------------------------


EVIL = "http://127.0.0.1:6666"


def evil_integration(street: Town, provider: str = "oidc", **parts: Any) -> Integration:
    """The rival tenant's own integration: an issuer of its choice."""
    given: dict[str, Any] = {
        "client_id": "evil",
        "client_secret": Secret("evil"),
        "issuer": "http://127.0.0.1:6666",
    } | parts
    with street.gateway.store.transaction() as tx:
        new = NewIntegration(street.house.other_tenant.id, provider, **given)
        return add_integration(tx, street.gateway.vault, new, development=True)


def begun_by_rival(street: Town, integration: Integration) -> tuple[Any, dict[str, str]]:
    """The rival begins at its own provider, whose metadata leads on to the honest one; the query it was sent with."""
    evil, honest = integration.issuer, street.house.integration.issuer

    def answer(request: Any) -> Response | None:
        if not request.url.startswith(str(evil)):
            return None
        document = (
            f'{{"issuer":"{evil}","authorization_endpoint":"{honest}/authorize","token_endpoint":"{evil}/token",'
            f'"jwks_uri":"{evil}/jwks","response_types_supported":["code"],"subject_types_supported":["public"],'
            '"id_token_signing_alg_values_supported":["RS256"]}'
        )
        return Response(200, {"content-type": "application/json"}, document.encode())

    street.egress.before = answer
    browser = street.browser()
    started = fresh_start(client_id=street.house.other.id, integration=integration.id)
    onward = street.submit(browser, street.page(browser, started.query))
    return browser, answer_of(onward.headers["Location"])


def crossed_tenants(street: Town) -> Any:
    """The honest provider's code, with the state of the rival's flow, at the honest callback."""
    browser, asked = begun_by_rival(street, evil_integration(street))
    victim, honest = street.browser(), street.start(integration=street.house.integration.id)
    theirs = answer_of(street.submit(victim, street.page(victim, honest.query)).headers["Location"])
    address = f"{street.house.integration.issuer}/authorize"
    mixed = theirs | {"state": asked["state"], "code_challenge": asked["code_challenge"]}
    back = street.at_provider(f"{address}?{'&'.join(f'{name}={value}' for name, value in mixed.items())}", "victim")
    return street.follow(browser, back)


def test_a5_a_tenant_that_leads_on_to_an_honest_provider_gets_no_code_of_it(street: Town) -> None:
    answer = crossed_tenants(street)
    assert answer_of(answer.headers["Location"])["error"] == "server_error"
    assert [one.url for one in street.egress.requests if one.method == "POST"] == []  # no code left for anywhere
    assert street.how_many(*NOTHING_MADE) == NOTHING_MADE


def test_a5_twin_without_comparing_integrations_the_rival_s_app_gets_a_code(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returning, "_compare", lambda *_args: None)
    monkeypatch.setattr(returning, "integrated", lambda gateway, tx, _tenant, _id: whole_of(street, gateway, tx))
    assert "code" in answer_of(crossed_tenants(street).headers["Location"])


def whole_of(street: Town, gateway: Any, tx: Any) -> Any:
    return integrated(gateway, tx, street.house.tenant.id, street.house.integration.id)


def test_a5_a_provider_with_an_issuer_of_its_own_gets_no_other(street: Town) -> None:
    for provider in ("google", "facebook", "github"):
        with pytest.raises(BadInput, match="bad_issuer"):
            evil_integration(street, provider=provider)


# A6: the attacker's own code on the victim's session ----------------------------------------------------------


def planted(street: Town, *, pkce: bool = True) -> Any:
    """The victim's flow is answered with a code that the provider gave for Mallory's; what the app gets for it."""
    mallory, hers = street.browser(), street.start()
    her_code = answer_of(street.to_callback(mallory, hers.query, "mallory"))["code"]
    victim, started = street.browser(), street.start()
    query = answer_of(street.to_callback(victim, started.query, "victim"))
    if not pkce:  # a provider that compares no verifier
        codes = street.rehearsal.extensions["rehearsal"].codes
        codes[her_code].challenge = codes[query["code"]].challenge
    answer = victim.get(street.callback, query_string=query | {"code": her_code})
    return street.redeem(answer.headers["Location"], started)


def test_a6_and_b3_a_code_of_another_flow_is_refused_by_the_verifier(street: Town) -> None:
    refused = planted(street)
    assert (refused.status_code, refused.json["code"]) == (400, "provider_refused")
    assert street.how_many(*NOTHING_MADE) == NOTHING_MADE


def test_a6_and_b3_without_pkce_the_nonce_refuses_it(street: Town) -> None:
    refused = planted(street, pkce=False)
    assert (refused.status_code, refused.json["code"]) == (400, "provider_mismatch")
    assert street.how_many(*NOTHING_MADE) == NOTHING_MADE


def test_a6_and_b3_twin_without_pkce_and_nonce_the_victim_becomes_mallory(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    mallory = street.sign_up("mallory")["claims"]["sub"]
    agreeable = SimpleNamespace(compare_digest=lambda _one, _other: True)
    monkeypatch.setattr("providers.oidc.id_token.hmac", agreeable)
    taken = planted(street, pkce=False)
    claims = street.app.test_client().get("/oauth/userinfo", headers=bearer(taken.json["access_token"])).json
    assert claims is not None
    assert claims["sub"] == mallory


# A7: one registration for two apps ----------------------------------------------------------------------------


def named_by_the_rival(street: Town) -> Any:
    query = street.start(integration=street.house.integration.id).query | {"client_id": street.house.other.id}
    return street.page(street.browser(), query)


def test_a7_a_rival_cannot_use_another_tenant_s_registration(street: Town) -> None:
    assert answer_of(named_by_the_rival(street).headers["Location"])["error"] == "invalid_request"


def test_a7_twin_without_looking_at_the_tenant_the_page_opens(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, found = street.house.tenant.id, find_integration
    monkeypatch.setattr(asking, "find_integration", lambda tx, vault, _tenant, word: found(tx, vault, mine, word))
    monkeypatch.setattr(arriving, "integrated", lambda gateway, tx, _tenant, name: integrated(gateway, tx, mine, name))
    assert named_by_the_rival(street).status_code == 200


def test_a7_consent_for_one_app_is_no_consent_for_another_of_the_same_tenant(street: Town) -> None:
    browser = street.browser()
    street.sign_up("ada", browser)
    with street.gateway.store.transaction() as tx:
        second, _secret = add_client(
            tx, street.gateway.vault, web_client(street.house.tenant, name="second"), development=True
        )
    page = street.page(browser, fresh_start(client_id=second.id).query)
    assert page.status_code == 200  # asked anew, by its own name
    assert "second" in page.text


# A9: where tokens go ------------------------------------------------------------------------------------------


def test_a9_every_request_with_a_token_goes_to_the_integration_s_own_issuer(street: Town) -> None:
    street.sign_up("ada")
    carrying = [one for one in street.egress.requests if "Authorization" in one.headers]
    assert carrying
    assert all(one.url.startswith(f"{street.house.integration.issuer}/") for one in carrying)


def test_a9_a_connection_of_one_integration_is_no_use_at_another(street: Town) -> None:
    tokens = street.sign_up("ada")
    other = evil_integration(street)
    answer = street.app.test_client().post(
        "/oauth/par",
        data=fresh_start(connection=tokens["connection"], integration=other.id).query,
        headers=basic(street.house.web, street.house.web_secret),
    )
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")  # type: ignore[index]
