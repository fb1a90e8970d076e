"""Facebook's own way: long-lived tokens, proofs, permissions, errors, Pages."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from providers.capabilities import Grant, ProfileChange, Registration
from providers.errors import ProviderError
from providers.exchange import Response
from providers.facebook import Facebook, pages
from providers.facebook.graph import answer_of, graph_failure, proof
from providers.facebook.profile import birthdate
from providers.secret import Secret
from tests.standins import facebook
from tests.standins.driver import Driver, ask, callback

BASE = "http://127.0.0.1:8096"
SCOPES = ("public_profile", "email", "user_birthday", "user_age_range", "pages_show_list", "pages_manage_metadata")


class Standing:
    """The adapter before a fresh stand-in."""

    def __init__(self, **settings: str) -> None:
        self.state = facebook.new_state()
        self.driver = Driver(facebook.create_app(self.state))
        self.adapter = Facebook()
        self.registration = Registration(
            facebook.APP_ID,
            Secret(facebook.APP_SECRET),
            "http://127.0.0.1:8080/callback/int_1",
            scopes=SCOPES,
            settings={"base_url": BASE, **settings},
            development=True,
        )

    def redeem(self) -> Grant:
        url = self.driver.run(self.adapter.authorization_url(self.registration, ask()))
        brought = callback(self.driver.browse(url))
        return self.driver.run(self.adapter.redeem(self.registration, brought, ask(), now=now()))

    def refused(self, exchange) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            self.driver.run(exchange)
        return caught.value


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def standing() -> Standing:
    return Standing()


def test_the_dialog_is_the_pinned_versions_with_commas_between_scopes():
    registration = Registration("1", Secret("s"), "https://app.example/cb", scopes=("public_profile", "email"))

    url = Driver(facebook.create_app()).run(Facebook().authorization_url(registration, ask(rerequest=True)))

    assert url.startswith("https://www.facebook.com/v25.0/dialog/oauth?")
    assert "scope=public_profile%2Cemail" in url
    assert "auth_type=rerequest" in url


@pytest.mark.parametrize("version", ["25.0", "v25", "v25.0/../x", ""])
def test_a_graph_version_that_is_none_is_misconfigured(version):
    standing = Standing(graph_version=version)

    with pytest.raises(ProviderError, match=r"v25\.0"):
        standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))


def test_redeeming_ends_with_a_long_lived_token(standing):
    grant = standing.redeem()

    assert grant.expires_in_s == facebook.LONG_S
    assert grant.access_token.reveal().startswith("EAAlong")
    assert grant.refresh_token is None


def test_while_no_long_token_can_be_had_the_short_one_is_kept(standing):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))
    brought = callback(standing.driver.browse(url))
    exchange = standing.adapter.redeem(standing.registration, brought, ask(), now=now())
    exchange.send(standing.driver.send(next(exchange)))  # the code's answer came; the long token's does not

    request = exchange.send(Response(503, {}, b"{}"))
    grant = None
    while grant is None:
        try:
            request = exchange.send(standing.driver.send(request))
        except StopIteration as end:
            grant = end.value

    assert grant.access_token.reveal().startswith("EAAshort")


def test_data_access_says_when_the_person_must_come_back(standing):
    assert abs(standing.redeem().reauth_in_s - facebook.DATA_ACCESS_S) < 5


def test_declined_permissions_are_told(standing):
    standing.state.declined = ["email"]

    grant = standing.redeem()

    assert grant.declined == ("email",)
    assert "email" not in grant.scopes


def test_a_token_made_for_another_app_is_a_mismatch(standing):
    standing.state.token_app_id = "999"

    with pytest.raises(ProviderError) as caught:
        standing.redeem()

    assert (caught.value.kind, caught.value.code) == ("mismatch", "other_app")


def test_a_token_of_another_account_than_was_inspected_is_a_mismatch(standing):
    grant = standing.redeem()
    standing.state.person["id"] = "666"

    error = standing.refused(standing.adapter.account(standing.registration, grant))

    assert (error.kind, error.code) == ("mismatch", "other_account")


def test_every_graph_call_proves_the_very_token_it_sends(standing):
    grant = standing.redeem()
    standing.driver.run(standing.adapter.account(standing.registration, grant))

    for request in standing.driver.requests:
        if "oauth/access_token" in request.url:
            continue
        token = Secret(request.headers["Authorization"].removeprefix("Bearer "))
        sent = request.url + (request.body or b"").decode()
        assert f"appsecret_proof={proof(standing.registration, token)}" in sent


def test_an_expired_token_is_never_sent_to_be_exchanged(standing):
    grant = replace(standing.redeem(), expires_in_s=0)
    standing.driver.requests.clear()

    error = standing.refused(standing.adapter.refresh(standing.registration, grant, now=now()))

    assert (error.kind, error.code) == ("rejected", "token_expired")
    assert standing.driver.requests == []


def test_a_fresh_token_is_kept_when_only_its_inspection_fails(standing):
    grant = standing.redeem()
    standing.state.failures["POST debug_token"] = [facebook.graph_error(2, status=500)]

    fresh = standing.driver.run(standing.adapter.refresh(standing.registration, grant, now=now()))

    assert fresh.access_token != grant.access_token
    assert fresh.scopes == grant.scopes


def test_the_under_13_gate_has_birthday_and_age_range(standing):
    account = standing.driver.run(standing.adapter.account(standing.registration, standing.redeem()))

    assert (account.birthdate, account.age_range) == ("1988-12-10", (21, None))


def test_no_confirmed_address_is_no_error(standing):
    del standing.state.person["email"]

    account = standing.driver.run(standing.adapter.account(standing.registration, standing.redeem()))

    assert "email" not in account.claims


@pytest.mark.parametrize(
    ("given", "read"), [("12/10/1988", "1988-12-10"), ("1988", "1988"), ("12/10", "--12-10"), ("soon", ""), (7, "")]
)
def test_birthdays_come_in_three_forms(given, read):
    assert birthdate({"birthday": given}) == read


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (facebook.graph_error(190, subcode=458), "rejected", "app_not_installed"),
        (facebook.graph_error(190, subcode=459), "rejected", "checkpointed"),
        (facebook.graph_error(190, subcode=460), "rejected", "password_changed"),
        (facebook.graph_error(190, subcode=463), "rejected", "token_expired"),
        (facebook.graph_error(190, subcode=464), "rejected", "unconfirmed"),
        (facebook.graph_error(190, subcode=467), "rejected", "invalid_token"),
        (facebook.graph_error(190, subcode=492), "rejected", "page_role_lost"),
        (facebook.graph_error(190), "rejected", "invalid_token"),
        (facebook.graph_error(102), "rejected", "session_ended"),
        (facebook.graph_error(10), "insufficient_scope", "graph_10"),
        (facebook.graph_error(200), "insufficient_scope", "graph_200"),
        (facebook.graph_error(299), "insufficient_scope", "graph_299"),
        (facebook.graph_error(1), "try_later", "server_error"),
        (facebook.graph_error(2), "try_later", "server_error"),
        (facebook.graph_error(4), "try_later", "rate_limited"),
        (facebook.graph_error(17), "try_later", "rate_limited"),
        (facebook.graph_error(32), "try_later", "rate_limited"),
        (facebook.graph_error(613), "try_later", "rate_limited"),
        (facebook.graph_error(368), "try_later", "policy_block"),
        (facebook.graph_error(100, is_transient=True), "try_later", "transient"),
        (facebook.graph_error(100, subcode=36009), "rejected", "invalid_code"),
        (facebook.graph_error(191), "misconfigured", "redirect_uri"),
        (facebook.graph_error(99999), "garbage", "graph_99999"),
        ((503, {}), "try_later", "server_error"),
        ((302, {}), "misconfigured", "redirected"),
        ((418, []), "garbage", "status_418"),
    ],
)
def test_every_error_is_sorted_once(answer, kind, code):

    failure = graph_failure(Response(answer[0], {}, json.dumps(answer[1]).encode()))

    assert (failure.kind, failure.code) == (kind, code)
    assert "said by the provider" not in failure.hint


def test_a_200_that_says_unavailable_is_to_be_tried_later():
    with pytest.raises(ProviderError) as caught:
        answer_of(Response(200, {}, b"<html>Service Unavailable</html>"))

    assert caught.value.kind == "try_later"


def test_how_long_a_limit_lasts_is_read_from_the_usage_header():
    usage = '{"123":[{"type":"pages","estimated_time_to_regain_access":7}]}'

    failure = graph_failure(Response(400, {"x-business-use-case-usage": usage}, b'{"error":{"code":32}}'))

    assert failure.retry_after_s == 420


def test_a_person_whose_token_died_is_deauthorised_by_the_apps_own(standing):
    grant = standing.redeem()
    standing.state.tokens[grant.access_token.reveal()].dead = 460

    revoked = standing.driver.run(standing.adapter.revoke(standing.registration, grant))

    assert revoked.outcome == "confirmed"
    assert not standing.state.installed


def test_an_app_that_the_person_removed_is_already_gone(standing):
    grant = standing.redeem()
    standing.state.installed = False

    assert standing.driver.run(standing.adapter.revoke(standing.registration, grant)).outcome == "already_gone"


# ---- Pages -----------------------------------------------------------------------------------------------------------


def change(target: str = "2001", **values) -> ProfileChange:
    return ProfileChange(values or {"/emails/e2": {"address": "two@looms.example"}}, "key", target)


@pytest.mark.parametrize("page", ["", "2001"])
def test_without_the_permissions_for_pages_a_write_is_unsupported_in_words_with_a_link(standing, page):
    standing.state.declined = ["pages_manage_metadata"]
    grant = standing.redeem()

    error = standing.refused(standing.adapter.write(standing.registration, grant, change(page)))

    assert (error.kind, error.code) == ("unsupported", "personal_profile")
    assert "not personal profiles" in error.hint
    assert "https://www.facebook.com/settings" in error.hint
    assert standing.adapter.writable(standing.registration, grant) == frozenset()


def test_where_no_page_is_named_the_only_one_they_may_change_is_written(standing):
    grant = standing.redeem()
    assert standing.adapter.writable(standing.registration, grant) == pages.GROUPS

    outcome = standing.driver.run(standing.adapter.write(standing.registration, grant, change("")))

    assert outcome.written == ("/emails/e2",)
    assert [page for page, _ in standing.state.bodies] == ["2001"]  # 2002 may only be looked at


def test_among_several_pages_none_is_guessed(standing):
    standing.state.pages["2002"]["tasks"] = ["MANAGE"]

    error = standing.refused(standing.adapter.write(standing.registration, standing.redeem(), change("")))

    assert (error.kind, error.code) == ("unsupported", "choose_page")
    assert "page_id" in error.hint
    assert "Looms" not in error.hint
    assert standing.state.bodies == []


def test_the_setting_names_one_of_several_pages():
    standing = Standing(page_id="2002")
    standing.state.pages["2002"]["tasks"] = ["MANAGE"]

    standing.driver.run(standing.adapter.write(standing.registration, standing.redeem(), change("")))

    assert [page for page, _ in standing.state.bodies] == ["2002"]


@pytest.mark.parametrize("left", [{}, {"2002": {"name": "Read only", "tasks": ["ANALYZE"], "fields": {}}}])
def test_without_a_page_that_they_may_change_the_scope_is_what_lacks(standing, left):
    standing.state.pages = left

    error = standing.refused(standing.adapter.write(standing.registration, standing.redeem(), change("")))

    assert (error.kind, error.code) == ("insufficient_scope", "no_page")


@pytest.mark.parametrize("page_id", ["looms", "2001/feed", "²"])
def test_a_page_id_that_is_none_is_misconfigured_and_no_other_page_is_taken(page_id):
    standing = Standing(page_id=page_id)
    grant = standing.redeem()

    error = standing.refused(standing.adapter.write(standing.registration, grant, change("")))

    assert (error.kind, error.code) == ("misconfigured", "page_id")
    assert standing.state.bodies == []
    with pytest.raises(ProviderError, match="page_id"):
        standing.adapter.preview(standing.registration, change(""))


def test_the_preview_without_a_named_page_says_so_in_the_address(standing):
    requests = standing.adapter.preview(standing.registration, change(""))

    assert [request["method"] for request in requests] == ["GET", "GET", "POST"]
    assert requests[-1]["url"] == f"{BASE}/v25.0/{pages.ONE_PAGE}"
    assert requests[-1]["body"] == {"emails": ["two@looms.example"]}


def test_addresses_of_a_page_are_merged_into_those_that_are_there(standing):
    outcome = standing.driver.run(standing.adapter.write(standing.registration, standing.redeem(), change()))

    assert outcome.written == ("/emails/e2",)
    assert standing.state.bodies == [("2001", {"emails": ["old@looms.example", "two@looms.example"]})]


def test_only_the_pages_own_fields_ever_leave(standing):
    values = {
        "/phones/p1": {"number": "+4618999"},
        "/links/l1": {"uri": "https://looms.example"},
        "/notes/about": {"note": "New looms."},
        "/password": "hunter2",
        "/name": {"full": "x"},
    }
    outcome = standing.driver.run(
        standing.adapter.write(standing.registration, standing.redeem(), ProfileChange(values, "key", "2001"))
    )

    assert set(outcome.refused) == {"/password", "/name"}
    assert standing.state.bodies == [
        ("2001", {"phone": "+4618999", "website": "https://looms.example", "about": "New looms."})
    ]


def test_a_page_is_written_with_its_own_token_and_that_tokens_proof(standing):
    grant = standing.redeem()
    standing.driver.run(standing.adapter.write(standing.registration, grant, change()))
    write = standing.driver.requests[-1]

    token = write.headers["Authorization"].removeprefix("Bearer ")
    assert token.startswith("EAApage2001")
    assert write.url.endswith(f"appsecret_proof={proof(standing.registration, Secret(token))}")


@pytest.mark.parametrize(("page", "code"), [("2002", "page_task"), ("4711", "page_not_managed")])
def test_a_page_that_the_person_may_not_change_is_out_of_reach(standing, page, code):
    error = standing.refused(standing.adapter.write(standing.registration, standing.redeem(), change(page)))

    assert (error.kind, error.code) == ("insufficient_scope", code)


def test_the_next_page_of_pages_is_asked_by_cursor_and_its_address_is_not_followed(standing):
    standing.driver.run(standing.adapter.write(standing.registration, standing.redeem(), change()))

    asked = [request.url for request in standing.driver.requests if "me/accounts" in request.url]
    assert len(asked) == 2
    assert all("never-follow-this" not in url for url in asked)
