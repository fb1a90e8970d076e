"""GitHub's own way: form answers, errors in 200, exact numbers, verified addresses, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.capabilities import Grant, ProfileChange, Registration
from providers.errors import ProviderError
from providers.exchange import Response
from providers.github import GitHub
from providers.github.rest import failure
from providers.secret import Secret
from tests.standins import github
from tests.standins.driver import Driver, ask, callback

ALL = frozenset({"profile", "contact"})


class Standing:
    """The adapter before a fresh stand-in."""

    def __init__(self, *scopes: str) -> None:
        self.state = github.new_state()
        self.driver = Driver(github.create_app(self.state))
        self.adapter = GitHub()
        self.registration = Registration(
            github.CLIENT_ID,
            Secret(github.CLIENT_SECRET),
            "http://127.0.0.1:8080/callback/int_1",
            scopes=scopes or ("user",),
            settings={"base_url": "http://127.0.0.1:8097"},
            development=True,
        )

    def redeem(self) -> Grant:
        url = self.driver.run(self.adapter.authorization_url(self.registration, ask()))
        brought = callback(self.driver.browse(url))
        return self.driver.run(self.adapter.redeem(self.registration, brought, ask(), now=0))

    def write(self, **values):
        change = ProfileChange({f"/{name}": value for name, value in values.items()}, "key")
        return self.driver.run(self.adapter.write(self.registration, self.redeem(), change))


@pytest.fixture
def standing() -> Standing:
    return Standing()


def test_an_answer_in_form_encoding_is_read_too(standing):
    standing.state.form_answers = True

    grant = standing.redeem()

    assert grant.access_token.reveal().startswith("gho_")
    assert grant.scopes == ("user",)


def test_scopes_come_back_with_commas():
    grant = Standing("read:user", "user:email").redeem()

    assert grant.scopes == ("read:user", "user:email")


@pytest.mark.parametrize("as_form", [True, False])
@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"client_secret": Secret("wrong")}, "misconfigured", "incorrect_client_credentials"),
        ({"redirect_uri": "http://127.0.0.1/other"}, "misconfigured", "redirect_uri_mismatch"),
    ],
)
def test_an_error_inside_a_200_is_an_error(standing, as_form, change, kind, code):
    standing.state.form_answers = as_form
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))
    brought = callback(standing.driver.browse(url))

    exchange = standing.adapter.redeem(replace(standing.registration, **change), brought, ask(), now=0)
    with pytest.raises(ProviderError) as caught:
        standing.driver.run(exchange)

    assert (caught.value.kind, caught.value.code) == (kind, code)


def test_an_account_number_beyond_a_float_stays_exact(standing):
    account = standing.driver.run(standing.adapter.account(standing.registration, standing.redeem()))

    assert account.subject == "90071992547409931"
    assert int(float(account.subject)) != int(account.subject)


@pytest.mark.parametrize("number", [None, "1", 1.0, True, 0, -1])
def test_an_account_without_a_number_is_nobodys(standing, number):
    standing.state.user["id"] = number

    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.account(standing.registration, standing.redeem()))

    assert caught.value.code == "no_account_id"


def test_the_primary_verified_address_is_the_accounts(standing):
    account = standing.driver.run(standing.adapter.account(standing.registration, standing.redeem()))

    assert account.claims["email"] == "ada@example.org"
    assert account.claims["email_verified"] is True


def test_without_the_scope_no_address_is_asked_for():
    standing = Standing("read:user")

    account = standing.driver.run(standing.adapter.account(standing.registration, standing.redeem()))

    assert "email" not in account.claims
    assert not any(request.url.endswith("/user/emails") for request in standing.driver.requests)


def test_addresses_that_are_not_verified_are_not_imported(standing):
    page = standing.driver.run(standing.adapter.profile(standing.registration, standing.redeem(), ALL))

    emails = [value.value["address"] for value in page.items[0].values if value.pointer.startswith("/emails/")]
    assert emails == ["ada@example.org", "old@example.org"]


def test_every_call_names_itself_to_github(standing):
    standing.driver.run(standing.adapter.profile(standing.registration, standing.redeem(), ALL))

    assert standing.state.agents == {"account-connector-gateway"}


def test_an_apps_expiring_token_is_refreshed_and_its_refresh_token_replaced(standing):
    standing.state.refreshing = True
    grant = standing.redeem()

    fresh = standing.driver.run(standing.adapter.refresh(standing.registration, grant, now=0))

    assert fresh.access_token != grant.access_token
    assert fresh.refresh_token != grant.refresh_token
    assert (fresh.expires_in_s, fresh.refresh_expires_in_s) == (28_800, 15_897_600)


def test_a_used_refresh_token_is_rejected(standing):
    standing.state.refreshing = True
    grant = standing.redeem()
    standing.driver.run(standing.adapter.refresh(standing.registration, grant, now=0))

    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.refresh(standing.registration, grant, now=0))

    assert (caught.value.kind, caught.value.code) == ("rejected", "bad_refresh_token")


def test_a_limit_says_when_to_come_back(standing):
    grant = standing.redeem()
    standing.state.limited = True

    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.account(standing.registration, grant))

    assert caught.value.kind == "try_later"
    assert 590 <= caught.value.retry_after_s <= 610


def test_a_403_without_limit_headers_is_a_missing_scope():
    assert failure(Response(403, {"x-ratelimit-remaining": "12"}, b"{}")).kind == "insufficient_scope"
    assert failure(Response(403, {"retry-after": "60"}, b"{}")).retry_after_s == 60


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_only_what_differs_is_written(standing):
    outcome = standing.write(name={"full": "Ada Lindqvist"}, **{"notes/bio": {"note": "New."}})

    assert (outcome.written, outcome.unchanged) == (("/notes/bio",), ("/name",))
    assert standing.state.bodies == [{"bio": "New."}]


def test_an_address_that_is_not_verified_there_never_leaves(standing):
    outcome = standing.write(
        **{"emails/e1": {"address": "unproven@example.org"}, "links/blog": {"uri": "https://x.example"}}
    )

    assert "verified" in outcome.refused["/emails/e1"]
    assert standing.state.bodies == [{"blog": "https://x.example"}]


def test_a_verified_address_is_written(standing):
    assert standing.write(**{"emails/e1": {"address": "old@example.org"}}).written == ("/emails/e1",)


def test_names_that_github_would_take_but_we_do_not_know_never_leave(standing):
    outcome = standing.write(hireable=True, password="x", **{"onlineServices/irc": {"user": "ada"}})

    assert set(outcome.refused) == {"/hireable", "/password", "/onlineServices/irc"}
    assert standing.state.bodies == []


def test_clearing_empties_the_field(standing):
    standing.write(**{"organizations/company": None, "onlineServices/x": None})

    assert standing.state.bodies == [{"company": "", "twitter_username": None}]


def test_a_part_of_an_entry_is_written_like_the_entry(standing):
    standing.write(**{"notes/bio/note": "In part."})

    assert standing.state.bodies == [{"bio": "In part."}]


def test_a_value_that_github_does_not_take_is_refused_in_words(standing):
    outcome = standing.write(**{"notes/bio": {"note": "x" * 161}})

    assert outcome.written == ()
    assert outcome.refused["/notes/bio"].endswith(".")


def test_a_grant_that_ended_is_already_gone_and_wrong_credentials_are_ours_to_mend(standing):
    grant = standing.redeem()
    standing.state.tokens.clear()

    assert standing.driver.run(standing.adapter.revoke(standing.registration, grant)).outcome == "already_gone"
    wrong = replace(standing.registration, client_secret=Secret("wrong"))
    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.revoke(wrong, grant))
    assert caught.value.kind == "misconfigured"
