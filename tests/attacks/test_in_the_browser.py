"""What a browser is led to, holds, shows and says of itself: B8, B13, B14, B16, B17, C11, C13, C14, C20, C21.

A test client runs no scripts and loads no pictures; what a browser would do is read from the headers that decide it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from flask import Flask, Response, request
from limits import RateLimitItemPerMinute

from connector import authorizations
from connector.clients import add_client
from connector.flows.signup_link import arriving, asking, choosing, returning
from connector.flows.signup_link.arrival import Arrival
from connector.flows.signup_link.endings import refusal
from connector.http import callback, create_app, headers, limits
from connector.http import request as reading
from connector.http.oauth import introspect, metadata
from connector.http.pages import consent, cookies
from connector.http.proxies import TrustedProxies
from connector.people import NewIdentity
from tests.gateways import api_token, basic, web_client
from tests.signing_up import Town, answer_of, form_of, fresh_start

# B8: open redirects ----------------------------------------------------------------------------------------

ELSEWHERE = "//evil.example/callback"


def led_by_an_error(street: Town) -> str:
    """Where a browser is sent with a request that is wrong and names an address which is not registered."""
    wrong = {"redirect_uri": ELSEWHERE, "response_type": "token"}
    return str(street.page(street.browser(), street.start().query | wrong).headers.get("Location", ""))


def test_b8_no_error_leads_to_an_address_that_only_looks_like_a_path_of_ours(street: Town) -> None:
    assert led_by_an_error(street) == ""


def test_b8_twin_where_a_path_passes_for_one_of_ours_the_error_leads_away(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lenient(client: Any, parameters: Any) -> Any:
        asked = parameters.get("redirect_uri") or ""
        return asking._Answer(asked if asked.startswith("/") else client.redirect_uris[0], None)

    monkeypatch.setattr(asking, "_where_to", lenient)
    assert led_by_an_error(street).startswith(ELSEWHERE)


# B13, B14: what stays in the address bar, and what a redirect repeats ------------------------------------------


def left_in_the_address_bar(street: Town) -> tuple[str, str]:
    """The last address of ours that the browser shows, and the provider's code."""
    browser = street.browser()
    back = street.to_callback(browser, street.start().query)
    arrived = street.follow(browser, back)
    return arrived.headers.get("Location", back), answer_of(back)["code"]


def test_b13_the_provider_s_code_leaves_the_address_bar_with_the_answer(street: Town) -> None:
    shown, code = left_in_the_address_bar(street)
    assert code not in shown


def test_b13_twin_a_callback_that_is_a_page_keeps_the_code_in_the_history(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback, "redirect", lambda url, _status: Response(f'<a href="{url}">Go on</a>'))
    shown, code = left_in_the_address_bar(street)
    assert code in shown


def sent_on_to_the_provider(street: Town) -> str:
    """The body of the request that a browser makes at the provider after it sent our form."""
    browser = street.browser()
    page = street.page(browser, street.start().query)
    onward = street.submit(browser, page)
    return urlencode({"form_token": form_of(page)[1], "age": "yes"}) if onward.status_code in {307, 308} else ""


def test_b14_nothing_that_was_typed_here_is_sent_on_to_the_provider(street: Town) -> None:
    assert sent_on_to_the_provider(street) == ""


def test_b14_twin_a_307_repeats_the_form_at_the_provider(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "SEE_OTHER", 307)
    assert "age=yes" in sent_on_to_the_provider(street)


# B16, C11: pages that a careless hand could add ------------------------------------------------------------------

TRACKER = "https://tracker.example/ada.svg"
CARELESS = f'<script>opener.postMessage("the code", "*")</script><img src="{TRACKER}">'


def with_a_careless_page(app: Flask) -> Any:
    """A page that shows the person's picture from where the provider says, and tells its opener of the code."""
    app.add_url_rule("/docs/careless", view_func=lambda: CARELESS)
    return app.test_client().get("/docs/careless")


def allowed(answer: Any, directive: str) -> set[str]:
    """The sources that a browser may use; everything where no policy says anything (CSP level 3 section 6.8)."""
    written = answer.headers.get("Content-Security-Policy", "")
    policy = dict(each.strip().partition(" ")[::2] for each in written.split(";"))
    return set(policy.get(directive, policy.get("default-src", "* 'unsafe-inline'")).split())


def tells_its_opener(answer: Any) -> bool:
    runs = "<script" in answer.text and "'unsafe-inline'" in allowed(answer, "script-src")
    return runs and answer.headers.get("Cross-Origin-Opener-Policy") not in {"same-origin", "same-origin-allow-popups"}


def loaded_from_elsewhere(answer: Any) -> list[str]:
    pictures = re.findall(r'<img[^>]+src="(https?:[^"]+)"', answer.text)
    return pictures if allowed(answer, "img-src") & {"*", "https:"} else []


def test_b16_and_c11_even_a_careless_page_tells_its_opener_nothing_and_loads_no_picture(street: Town) -> None:
    answer = with_a_careless_page(street.app)
    assert TRACKER in answer.text
    assert not tells_its_opener(answer)
    assert loaded_from_elsewhere(answer) == []


def test_b16_and_c11_twin_without_the_layer_of_headers_it_does_both(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "install", lambda *_args, **_parts: None)
    answer = with_a_careless_page(create_app(street.gateway))
    assert tells_its_opener(answer)
    assert loaded_from_elsewhere(answer) == [TRACKER]


# B17: headers of proxies ---------------------------------------------------------------------------------------


def guessed(street: Town, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The answers to five wrong secrets from one address, which calls itself another one each time."""
    few = limits.Limit("failed-client", RateLimitItemPerMinute(3))
    monkeypatch.setitem(limits.FAILURES, "client", few)
    wrong = basic(street.house.web, street.house.other_secret)
    http, form = street.app.test_client(), {"grant_type": "client_credentials"}
    return [
        http.post("/oauth/token", data=form, headers=wrong | {"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        for number in range(5)
    ]


def test_b17_a_guesser_does_not_become_somebody_else_by_a_header(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert guessed(street, monkeypatch) == [401, 401, 401, 429, 429]


def test_b17_twin_where_every_peer_is_believed_the_guessing_never_ends(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    believing: Any = TrustedProxies(street.app.wsgi_app, ["0.0.0.0/0"])
    monkeypatch.setattr(street.app, "wsgi_app", believing)
    assert guessed(street, monkeypatch) == [401] * 5


def test_b7_and_b17_twin_where_the_host_header_is_the_issuer_apps_are_sent_to_the_attacker(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = metadata.document
    monkeypatch.setattr(metadata, "document", lambda _issuer: true(request.host_url.rstrip("/")))
    said = street.app.test_client().get("/.well-known/openid-configuration", headers={"Host": "evil.example"}).json
    assert said is not None
    assert said["token_endpoint"] == "http://evil.example/oauth/token"


# C13: e-mail as a name --------------------------------------------------------------------------------------------


def test_c13_twin_by_the_address_somebody_else_s_account_is_the_victim_s(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_mail(self: Arrival) -> NewIdentity:
        return NewIdentity(self.whole.integration.id, "rehearsal", self.account.issuer, self.account.claims["email"])

    state = street.rehearsal.extensions["rehearsal"]
    namesake = state.person_named("grace")
    state.profiles[namesake].fields["mail"] = state.profiles["ada"].fields["mail"]
    monkeypatch.setattr(Arrival, "named", property(by_mail))
    assert street.sign_up("ada")["claims"]["sub"] == street.sign_up(namesake)["claims"]["sub"]


# C14: planted sessions ---------------------------------------------------------------------------------------------

PLANTED = {"gw_flow": "a-value-that-mallory-knows"}


def taken_over(street: Town) -> Any:
    """The victim begins with a cookie that Mallory planted; with the same cookie, she answers in the victim's place."""
    victim, mallory = street.browser(), street.browser()
    for name, value in PLANTED.items():
        victim.set_cookie(name, value, domain="localhost")
        mallory.set_cookie(name, value, domain="localhost")
    return street.follow(mallory, street.to_callback(victim, street.start().query, "victim"))


def test_c14_who_planted_a_cookie_does_not_pass_for_the_browser_that_began(street: Town) -> None:
    assert taken_over(street).status_code == 400
    assert street.entries("authorization_failed")[-1]["reason"] == "wrong_browser"


def test_c14_twin_with_one_session_that_is_kept_as_it_came_she_does(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = arriving.new_secret
    monkeypatch.setattr(cookies, "_flow_name", lambda _authorization_id: "gw_flow")
    monkeypatch.setattr(arriving, "new_secret", lambda: request.cookies.get("gw_flow") or fresh())
    assert "code=" in taken_over(street).headers["Location"]


def test_c14_twin_without_the_form_s_token_a_form_from_elsewhere_goes_on(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = choosing._mine

    def tokenless(gateway: Any, authorization_id: str, form: Any, browser: Any) -> Any:
        with gateway.store.read() as tx:
            found = authorizations.by_id(tx, gateway.vault, authorization_id)
        return true(gateway, authorization_id, replace(form, form_token=found.progress.form_token), browser)  # type: ignore[union-attr]  # it was begun

    monkeypatch.setattr(choosing, "_mine", tokenless)
    browser = street.browser()
    page = street.page(browser, street.start().query)
    assert street.submit(browser, page, form_token="guessed").status_code == 303


# C20: requests that can be read in two ways ------------------------------------------------------------------------


def smuggled(street: Town) -> Any:
    """A token behind another that means nothing: whoever looks at the first value sees no harm."""
    house = street.house
    token = api_token(street.app, house.web, house.web_secret)
    body = urlencode([("token", "nonsense"), ("token", token)])
    form = "application/x-www-form-urlencoded"
    return street.app.test_client().post(
        "/oauth/introspect", data=body, content_type=form, headers=basic(house.web, house.web_secret)
    )


def test_c20_a_second_value_behind_the_first_is_not_read(street: Town) -> None:
    assert smuggled(street).status_code == 400


def test_c20_twin_where_the_last_value_counts_it_is(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_single", lambda raw: dict(parse_qsl(raw.decode())))
    assert smuggled(street).json["active"] is True


def told_by_the_address(street: Town) -> Any:
    """A token in the address, where logs and referrers keep it."""
    house = street.house
    token = api_token(street.app, house.web, house.web_secret)
    proof = basic(house.web, house.web_secret)
    return street.app.test_client().post(f"/oauth/introspect?token={token}", data={"hint": "x"}, headers=proof)


def test_c20_a_token_in_the_address_is_not_read(street: Town) -> None:
    assert told_by_the_address(street).status_code == 400


def test_c20_twin_where_address_and_body_are_one_it_is(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole() -> dict[str, str]:
        return request.values.to_dict()

    monkeypatch.setattr(introspect, "form", whole)
    assert told_by_the_address(street).json["active"] is True


def after_a_look(street: Town) -> int:
    """The answer to the person, after something looked at their pushed link without opening it."""
    _started, query = street.pushed()
    street.app.test_client().head("/oauth/authorize", query_string=query)
    return street.page(street.browser(), query).status_code


def test_c20_a_look_at_a_pushed_link_does_not_use_it_up(street: Town) -> None:
    assert after_a_look(street) == 200


def test_c20_twin_where_a_look_is_served_like_a_visit_the_link_is_spent(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = street.app.wsgi_app

    def as_get(environ: Any, start_response: Any) -> Any:
        method = "GET" if environ["REQUEST_METHOD"] == "HEAD" else environ["REQUEST_METHOD"]
        return served(environ | {"REQUEST_METHOD": method}, start_response)

    monkeypatch.setattr(street.app, "wsgi_app", as_get)
    assert after_a_look(street) == 400


# C21: words from outside ---------------------------------------------------------------------------------------------


def test_c21_twin_where_errors_are_passed_on_the_provider_s_words_reach_the_app(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def passing_on(_gateway: Any, _whole: Any, answer: Any) -> None:
        raise refusal(answer.authorization, answer.fields["error"], answer.fields["error_description"])

    monkeypatch.setattr(returning, "_refuse_errors", passing_on)
    browser = street.browser()
    query = answer_of(street.to_callback(browser, street.start().query))
    hostile = {"state": query["state"], "iss": query["iss"], "error": "x", "error_description": "<script>alert(1)"}
    answer = browser.get(street.callback, query_string=hostile)
    assert "<script>alert(1)" in answer_of(answer.headers["Location"])["error_description"]


SCRIPT = "<script>alert(1)</script>"


def page_of_an_app_called(street: Town, name: str) -> str:
    with street.gateway.store.transaction() as tx:
        client, _secret = add_client(
            tx, street.gateway.vault, web_client(street.house.tenant, name=name), development=True
        )
    return street.page(street.browser(), fresh_start(client_id=client.id).query).text


def test_c21_the_name_of_an_app_is_words_on_our_page_and_no_script(street: Town) -> None:
    page = page_of_an_app_called(street, SCRIPT)
    assert "alert(1)" in page
    assert SCRIPT not in page
