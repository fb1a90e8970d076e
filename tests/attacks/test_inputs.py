"""Table C as far as the application itself is concerned (C11 to C21); parsers and network have tests of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from connector import people, tokens
from connector.flows import fresh_token
from connector.http.authentication import authenticated_client
from connector.http.headers import content_security_policy
from connector.http.oauth import introspect
from connector.http.pages import cookies
from connector.model.tags import Age, Purpose
from connector.people import NewIdentity, create_user, find_identity, link_identity
from connector.people import identities as identities_room
from tests.gateways import PUBLIC_URL, api_token, basic, bearer
from tests.signing_up import Town, answer_of

HOSTILE = "<script>alert(1)</script>{{7*7}}\u202e\r\nSet-Cookie: evil=1"


# C11: pictures --------------------------------------------------------------------------------------


def test_c11_no_page_shows_a_picture_from_elsewhere(street: Town) -> None:
    page = street.page(street.browser(), street.start().query)
    policy = page.headers["Content-Security-Policy"]
    assert "img-src" not in policy or re.search(r"img-src 'self'(;|$)", policy)
    assert "<img" not in page.text
    assert "http" not in content_security_policy().replace("https:", "")


# C12, C13: who is who -------------------------------------------------------------------------------

LOOK_ALIKES = [
    ("ABC", "abc"),
    ("abc", "abc "),
    ("abc", " abc"),
    ("caf\u00e9", "cafe\u0301"),
    ("\u2460", "1"),
    ("a\u200bb", "ab"),
    ("a\u202eb", "ab"),
    ("\u0430dmin", "admin"),
    ("x" * 255, "x" * 256),
    ("1", "01"),
    ("a\x00", "a"),
    ("stra\u00dfe", "strasse"),
]


def same_person(street: Town, one: str, other: str) -> bool:
    """Whether an account is taken for another's."""
    house, vault = street.house, street.gateway.vault
    account = [
        NewIdentity(house.integration.id, "rehearsal", house.integration.issuer, subject) for subject in (one, other)
    ]
    with street.gateway.store.transaction() as tx:
        user = create_user(tx, vault, house.tenant.id, age=Age.OK)
        link_identity(tx, vault, user, account[0])
        assert find_identity(tx, vault, house.tenant.id, account[0]) is not None
        return find_identity(tx, vault, house.tenant.id, account[1]) is not None


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_c12_accounts_that_look_alike_are_never_one(street: Town, one: str, other: str) -> None:
    assert not same_person(street, one, other)


def test_c12_twin_by_folded_names_two_accounts_become_one(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = identities_room.subject_index

    def folded(indexes: Any, account: NewIdentity) -> Any:
        named = NewIdentity(account.integration_id, account.provider, account.issuer, account.subject.casefold())
        return exact(indexes, named)

    monkeypatch.setattr(identities_room, "subject_index", folded)
    assert same_person(street, "ABC", "abc")


def test_c12_the_same_name_at_another_issuer_or_integration_is_another_person(street: Town) -> None:
    house, vault = street.house, street.gateway.vault
    with street.gateway.store.transaction() as tx:
        user = create_user(tx, vault, house.tenant.id, age=Age.OK)
        link_identity(tx, vault, user, NewIdentity(house.integration.id, "rehearsal", "https://one.example", "ada"))
        for integration, issuer in (
            (house.integration.id, "https://two.example"),
            ("int_" + "a" * 26, "https://one.example"),
        ):
            other = NewIdentity(integration, "rehearsal", issuer, "ada")
            assert people.find_identity(tx, vault, house.tenant.id, other) is None


def test_c13_an_account_with_the_victim_s_address_is_another_user(street: Town) -> None:
    state = street.rehearsal.extensions["rehearsal"]
    namesake = state.person_named("grace")
    state.profiles[namesake].fields["mail"] = state.profiles["ada"].fields["mail"]
    victim, attacker = street.sign_up("ada")["claims"], street.sign_up(namesake)["claims"]
    assert attacker["email"] == victim["email"]
    assert attacker["sub"] != victim["sub"]


# C14, C15: sessions and cookies ---------------------------------------------------------------------


def test_c14_a_cookie_that_was_planted_before_is_not_taken_over(street: Town) -> None:
    browser = street.browser()
    page = street.page(browser, street.start().query)
    name, value = page.headers["Set-Cookie"].split(";")[0].split("=", 1)
    planted = street.app.test_client(use_cookies=False)
    tossed = planted.get(
        "/oauth/authorize", query_string=street.start().query, headers={"Cookie": f"{name}={value}; {name}=evil"}
    )
    fresh = tossed.headers["Set-Cookie"].split(";")[0]
    assert value not in fresh
    assert name not in fresh  # each flow has a cookie of its own, by its own name


def test_c15_every_cookie_is_for_us_alone_and_tells_nothing(street: Town) -> None:
    browser = street.browser()
    page = street.page(browser, street.start().query)
    onward = street.submit(browser, page)
    home = street.follow(browser, street.at_provider(onward.headers["Location"]))
    set_by = [line for answer in (page, onward, home) for line in answer.headers.getlist("Set-Cookie")]
    assert len(set_by) >= 3
    asked = answer_of(onward.headers["Location"])
    for line in set_by:
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
        assert "Path=/" in line
        assert "Domain" not in line
        assert asked["state"] not in line
        assert asked["nonce"] not in line


def test_c15_twin_with_other_attributes_scripts_could_read_it(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cookies, "cookie_attributes", lambda *_args, **_parts: {"path": "/"})
    assert "HttpOnly" not in street.page(street.browser(), street.start().query).headers["Set-Cookie"]


# C17: other people's connections --------------------------------------------------------------------


def rival_asks(street: Town, method: str, path: str, connection: str) -> Any:
    token = api_token(street.app, street.house.other, street.house.other_secret)
    return street.app.test_client().open(path.format(connection), method=method, headers=bearer(token), json={})


RIVAL_ROUTES = [("GET", "/v1/connections/{}"), ("DELETE", "/v1/connections/{}"), ("POST", "/v1/connections/{}/imports")]


@pytest.mark.parametrize(("method", "path"), RIVAL_ROUTES)
def test_c17_another_tenant_s_connection_answers_like_one_that_never_was(street: Town, method: str, path: str) -> None:
    connection = street.sign_up("ada")["connection"]
    theirs = rival_asks(street, method, path, connection)
    never = rival_asks(street, method, path, "con_" + "a" * 26)
    assert theirs.status_code == never.status_code == 404
    said, unsaid = dict(theirs.json or {}), dict(never.json or {})
    assert said.pop("request_id") != unsaid.pop("request_id")
    assert said == unsaid


def test_c17_twin_without_looking_at_the_tenant_the_token_leaves(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = street.sign_up("ada")["connection"]
    mine, held = street.house.tenant.id, tokens.held
    monkeypatch.setattr(tokens, "held", lambda tx, _tenant, name: held(tx, mine, name))
    stranger = street.house.other
    wanted = fresh_token.Wanted(connection, Purpose.SERVICE)
    handed = fresh_token.fresh_token(street.gateway, replace(stranger, purposes=("service",)), wanted)
    assert handed.access_token.reveal()


# C19: introspection -------------------------------------------------------------------------------------


def test_c19_whose_token_it_is_cannot_be_learned(street: Town) -> None:
    house, http = street.house, street.app.test_client()
    theirs = api_token(street.app, house.web, house.web_secret)
    answers = {
        http.post("/oauth/introspect", data={"token": token}, headers=basic(house.other, house.other_secret)).data
        for token in (theirs, "gwat_" + "x" * 43, "nonsense", theirs[:-1])
    }
    assert answers == {b'{"active":false}\n'}


def test_c19_twin_without_looking_at_the_tenant_it_is_told(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    house = street.house
    theirs = api_token(street.app, house.web, house.web_secret)
    found = authenticated_client
    monkeypatch.setattr(introspect, "authenticated_client", lambda fields: _as(found(fields), house.tenant.id))
    told = street.app.test_client().post(
        "/oauth/introspect", data={"token": theirs}, headers=basic(house.other, house.other_secret)
    )
    assert told.json["active"] is True  # type: ignore[index]


def _as(client: Any, tenant_id: str) -> Any:
    return replace(client, tenant_id=tenant_id)


# C20: requests that can be read in two ways -----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/introspect"])
def test_c20_a_repeated_or_split_parameter_is_refused(street: Town, path: str) -> None:
    house, http = street.house, street.app.test_client()
    headers = basic(house.web, house.web_secret)
    body = [("grant_type", "client_credentials"), ("token", "x"), ("token", "y"), ("grant_type", "password")]
    form = "application/x-www-form-urlencoded"
    twice = http.post(path, data=urlencode(body), content_type=form, headers=headers)
    split = http.post(f"{path}?token=y", data={"token": "x", "grant_type": "client_credentials"}, headers=headers)
    json_body = http.post(path, json={"token": "x"}, headers=headers)
    assert [each.status_code for each in (twice, split, json_body)] == [400, 400, 415]


def test_c20_what_only_looks_changes_nothing(street: Town) -> None:
    for method in ("HEAD", "OPTIONS"):
        street.app.test_client().open("/oauth/authorize", method=method, query_string=street.start().query)
    assert street.how_many("authorizations") == {"authorizations": 0}
    huge = street.app.test_client().get("/v1/providers", headers={"Cookie": "gw_notices_8080=" + "x" * 60_000})
    assert huge.status_code in {400, 401, 431}


# C21: words from outside ------------------------------------------------------------------------------------


def test_c21_what_a_provider_says_of_an_error_reaches_neither_page_nor_app(
    street: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = street.browser()
    query = answer_of(street.to_callback(browser, street.start().query))
    hostile = {"state": query["state"], "iss": query["iss"], "error": HOSTILE, "error_description": HOSTILE}
    answer = browser.get(street.callback, query_string=hostile)
    assert "alert" not in answer.headers["Location"]
    assert "evil" not in str(answer.headers)
    assert answer_of(answer.headers["Location"])["error"] == "server_error"
    assert answer_of(answer.headers["Location"])["iss"] == PUBLIC_URL
    assert "<script>" not in capsys.readouterr().out


def test_c21_an_unknown_error_on_a_page_is_our_own_sentence(street: Town) -> None:
    page = street.browser().get(street.callback, query_string={"error_description": HOSTILE, "state": HOSTILE})
    assert page.status_code == 400
    assert "alert(1)" not in page.text
    assert "49" not in re.sub(r"req_\w+", "", page.text)
