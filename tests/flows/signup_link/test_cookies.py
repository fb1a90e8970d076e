"""The cookies of a flow, as production and development set them."""

from __future__ import annotations

from dataclasses import replace

from connector.http import create_app
from tests.signing_up import Town


def set_cookies(town: Town, *, production: bool) -> list[str]:
    settings = town.gateway.settings
    if production:
        server = settings.server.model_copy(update={"mode": "production", "public_url": "https://connect.example.org"})
        settings = settings.model_copy(update={"server": server})
    app = create_app(replace(town.gateway, settings=settings))
    answer = app.test_client().get("/oauth/authorize", query_string=town.start().query)
    assert answer.status_code == 200
    assert ("Development mode" in answer.text) is not production
    return answer.headers.getlist("Set-Cookie")


def test_in_production_a_flow_s_cookie_is_bound_to_this_host_and_to_tls(town: Town) -> None:
    (cookie,) = set_cookies(town, production=True)
    assert cookie.startswith("__Host-gw_flow_")
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=900"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_in_development_its_name_carries_the_port(town: Town) -> None:
    (cookie,) = set_cookies(town, production=False)
    assert cookie.startswith("gw_flow_8080_")
    assert "Secure" not in cookie
    assert "HttpOnly" in cookie


def test_the_cookie_is_taken_back_when_the_flow_returns(town: Town) -> None:
    browser = town.browser()
    back = town.to_callback(browser, town.start().query)
    assert any("Max-Age=0" in cookie for cookie in town.follow(browser, back).headers.getlist("Set-Cookie"))


def test_a_look_by_head_begins_nothing(town: Town) -> None:
    _started, query = town.pushed()
    assert town.browser().head("/oauth/authorize", query_string=query).status_code == 405
    assert town.page(town.browser(), query).status_code == 200
