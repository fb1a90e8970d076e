"""Google's own way: offline access, unticked scopes, People API pages, deltas and errors."""

from __future__ import annotations

import time

import pytest

from providers.capabilities import Grant, Registration
from providers.errors import ProviderError
from providers.google import Google
from providers.google.people import age_range, birthdate
from providers.secret import Secret
from tests.standins import google
from tests.standins.driver import Driver, ask, callback

BASE = "http://127.0.0.1:8098"
ALL = frozenset({"profile", "contact"})


class Standing:
    """The adapter before a fresh stand-in."""

    def __init__(self, *scopes: str) -> None:
        self.state = google.new_state()
        self.driver = Driver(google.create_app(self.state))
        self.adapter = Google()
        self.registration = Registration(
            google.CLIENT_ID,
            Secret(google.CLIENT_SECRET),
            "http://127.0.0.1:8080/callback/int_1",
            scopes=scopes or ("openid", "profile", "email", google.CONTACTS),
            settings={"base_url": BASE},
            development=True,
        )

    def url(self, **more) -> str:
        return self.driver.run(self.adapter.authorization_url(self.registration, ask(**more)))

    def redeem(self, **more) -> Grant:
        brought = callback(self.driver.browse(self.url(**more)))
        return self.driver.run(
            self.adapter.redeem(self.registration, brought, ask(**more), now=time.time_ns() // 1_000_000)
        )

    def contacts(self, grant: Grant, cursor: str | None = None, sync: str | None = None):
        return self.driver.run(self.adapter.contacts(self.registration, grant, cursor=cursor, sync_cursor=sync))


@pytest.fixture
def standing() -> Standing:
    return Standing()


def test_the_issuer_outside_development_is_googles():
    registration = Registration("c", Secret("s"), "https://app.example/cb", settings={"base_url": BASE})

    assert Google().issuer(registration) == "https://accounts.google.com"


def test_access_is_asked_for_offline_and_more_than_sign_in_shows_the_consent_page(standing):
    assert "access_type=offline" in standing.url()
    assert "prompt=consent" in standing.url()
    assert "prompt=consent" not in Standing("openid", "email").url()
    assert "prompt=consent" in Standing("openid", "email").url(rerequest=True)
    assert "prompt=select_account" in standing.url(prompt="select_account")


def test_a_later_plain_sign_in_brings_no_refresh_token():
    standing = Standing("openid", "email")

    assert standing.redeem().refresh_token is not None
    assert standing.redeem().refresh_token is None


def test_a_scope_that_was_unticked_is_not_granted(standing):
    standing.state.unticked = [google.CONTACTS]

    grant = standing.redeem()

    assert google.CONTACTS not in grant.scopes
    with pytest.raises(ProviderError) as caught:
        standing.contacts(grant)
    assert caught.value.kind == "insufficient_scope"


def test_a_refresh_token_stays_the_same(standing):
    grant = standing.redeem()

    fresh = standing.driver.run(standing.adapter.refresh(standing.registration, grant, now=0))

    assert fresh.refresh_token == grant.refresh_token
    assert fresh.access_token != grant.access_token


def test_every_page_of_a_delta_repeats_its_sync_token(standing):
    grant = standing.redeem()
    page = standing.contacts(grant)
    page = standing.contacts(grant, page.next_cursor)
    standing.state.changed = [google.person(number) for number in range(10, 15)]
    standing.state.queries.clear()

    first = standing.contacts(grant, None, page.sync_cursor)
    second = standing.contacts(grant, first.next_cursor)
    third = standing.contacts(grant, second.next_cursor, page.sync_cursor)

    assert [query["syncToken"] for query in standing.state.queries] == [page.sync_cursor] * 3
    assert {query["personFields"] for query in standing.state.queries} == {standing.state.queries[0]["personFields"]}
    assert [page.full for page in (first, second, third)] == [False] * 3
    assert (first.sync_cursor, second.sync_cursor) == (None, None)
    assert third.sync_cursor


def test_a_deleted_contact_is_told_as_gone(standing):
    grant = standing.redeem()
    sync = standing.contacts(grant, standing.contacts(grant).next_cursor).sync_cursor
    standing.state.changed = [{"resourceName": "people/c1", "etag": "%E", "metadata": {"deleted": True}}]

    (item,) = standing.contacts(grant, None, sync).items

    assert (item.external_id, item.deleted, item.values) == ("people/c1", True, ())


def test_a_sync_token_past_its_week_says_read_all_again(standing):
    grant = standing.redeem()
    sync = standing.contacts(grant, standing.contacts(grant).next_cursor).sync_cursor
    standing.state.sync_tokens[sync] = False

    with pytest.raises(ProviderError) as caught:
        standing.contacts(grant, None, sync)

    assert (caught.value.kind, caught.value.code) == ("garbage", "sync_expired")


def test_every_field_of_a_contact_is_sorted(standing):
    """The golden list of a person resource."""
    item = standing.contacts(standing.redeem()).items[0]

    assert {value.pointer: value.value for value in item.values} == {
        "/name": {
            "full": "Friend 1",
            "components": [{"kind": "given", "value": "Friend"}, {"kind": "surname", "value": "1"}],
            "isOrdered": True,
        },
        "/emails/e1": {"address": "one@example.net", "contexts": {"private": True}},
        "/emails/e2": {"address": "one@work.example", "contexts": {"work": True}},
        "/phones/p1": {"number": "070-123", "features": {"mobile": True}},
        "/addresses/a1": {
            "full": "Storgatan 1\nUppsala",
            "countryCode": "SE",
            "components": [
                {"kind": "name", "value": "Storgatan 1"},
                {"kind": "locality", "value": "Uppsala"},
                {"kind": "postcode", "value": "753 31"},
                {"kind": "country", "value": "Sweden"},
            ],
            "contexts": {"private": True},
        },
        "/organizations/o1": {"name": "Looms"},
        "/titles/o1": {"name": "Weaver"},
        "/links/u1": {"uri": "https://one.example", "label": "blog"},
    }
    assert item.strangers == ()
    assert {"resourceName", "etag", "metadata", "phoneNumbers.canonicalForm"} <= set(item.ignored)


def test_a_field_that_nobody_knows_is_a_stranger(standing):
    grant = standing.redeem()

    items = standing.contacts(grant, standing.contacts(grant).next_cursor).items

    assert items[0].strangers == ("auras",)
    assert items[0].birthdate == "--02-03"


def test_a_childs_birthday_reaches_the_gate(standing):
    assert standing.contacts(standing.redeem()).items[1].birthdate == "2019-05-17"


def test_the_persons_own_birthday_is_read_where_it_is_granted():
    standing = Standing("openid", "profile", "email", google.BIRTHDAY)
    grant = standing.redeem()

    assert standing.driver.run(standing.adapter.account(standing.registration, grant)).birthdate == "1988-12-10"
    (item,) = standing.driver.run(standing.adapter.profile(standing.registration, grant, ALL)).items
    assert "/anniversaries/birth" in {value.pointer for value in item.values}


def test_a_refresh_token_that_google_ended_is_rejected(standing):
    grant = standing.redeem()
    standing.driver.run(standing.adapter.revoke(standing.registration, grant))

    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.refresh(standing.registration, grant, now=0))

    assert (caught.value.kind, caught.value.code) == ("rejected", "invalid_grant")
    assert standing.driver.run(standing.adapter.revoke(standing.registration, grant)).outcome == "already_gone"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ((403, "PERMISSION_DENIED", "SERVICE_DISABLED"), "misconfigured"),
        ((429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), "try_later"),
        ((503, "UNAVAILABLE", "x"), "try_later"),
        ((401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED"), "rejected"),
        ((400, "INVALID_ARGUMENT", "x"), "garbage"),
    ],
)
def test_errors_of_the_people_api_are_sorted_by_their_reason(standing, error, kind):
    standing.state.error = error

    with pytest.raises(ProviderError) as caught:
        standing.contacts(standing.redeem())

    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ({"year": 1990, "month": 5, "day": 17}, "1990-05-17"),
        ({"month": 5, "day": 17}, "--05-17"),
        ({"year": 1990}, "1990"),
        ({"year": "1990"}, ""),
        ({}, ""),
    ],
)
def test_dates_may_lack_parts(date, text):
    assert birthdate({"birthdays": [{"date": date}]}) == text


def test_age_ranges_are_read_as_years():
    assert age_range({"ageRanges": [{"ageRange": "LESS_THAN_EIGHTEEN"}]}) == (None, 17)
    assert age_range({"ageRanges": [{"ageRange": "AGE_RANGE_UNSPECIFIED"}]}) is None
