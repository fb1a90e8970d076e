"""One suite that every adapter must pass: from the authorization request to revocation, failures included."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from providers import catalogue
from providers.capabilities import (
    Authorizes,
    Callback,
    FieldValue,
    Grant,
    Item,
    ProfileChange,
    Registration,
    field_group,
)
from providers.errors import ProviderError
from providers.exchange import NetworkFailure
from providers.rehearsal.server import Config, create_app
from providers.secret import Secret
from tests.standins import facebook, github, google
from tests.standins.driver import Driver, ask, callback

ALL = frozenset({"profile", "contact", "people"})
BASE = "http://127.0.0.1:8095"
CALLBACK = "http://127.0.0.1:8080/callback/int_1"


@dataclass
class Case:
    """One provider: its adapter, its stand-in, and what is true of the person there."""

    name: str
    app: Flask
    registration: Registration
    issuer: str
    subject: str
    approval: dict[str, Any] = field(default_factory=dict)  # form of the approval page; empty: approved at once
    change: dict[str, Any] = field(default_factory=dict)
    target: str = ""
    dead_token: str = "rejected"
    sorts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.adapter: Any = catalogue.adapter(self.name).__class__()
        self.driver = Driver(self.app)

    def grant(self) -> Grant:
        url = self.driver.run(self.adapter.authorization_url(self.registration, ask()))
        brought = self.driver.browse(url, **self.approval)
        return self.driver.run(self.adapter.redeem(self.registration, callback(brought), ask(), now=now()))


def now() -> int:
    return time.time_ns() // 1_000_000


def registration(client_id: str, secret: str, *scopes: str, issuer: str = "", **settings: str) -> Registration:
    return Registration(client_id, Secret(secret), CALLBACK, issuer, scopes, settings, development=True)


def rehearsal_case() -> Case:
    scopes = ("openid", "profile", "email", "phone", "address", "contacts", "profile:write")
    return Case(
        "rehearsal",
        create_app(Config(page_size=10)),
        registration("app", "rehearsal-secret", *scopes, issuer=BASE),
        BASE,
        "ada",
        approval={"person": "ada", "granted": list(scopes), "decision": "approve"},
        change={"/emails/m1": {"address": "new@example.org"}, "/name": {"full": "Ada L."}, "/media/x": {"uri": "x"}},
        sorts={
            "taken": (
                "/name",
                "/nicknames/n1",
                "/anniversaries/birth",
                "/emails/m1",
                "/phones/p1",
                "/addresses/a1",
                "/links/l1",
                "/organizations/w1",
                "/titles/w1",
                "/notes/about",
                "/preferredLanguages/l1",
            ),
            "ignored": ("id", "internal_rank", "mail.verified"),
            "strangers": ("shoe_size", "x_experimental"),
        },
    )


def facebook_case() -> Case:
    scopes = ("public_profile", "email", "user_birthday", "pages_show_list", "pages_manage_metadata")
    return Case(
        "facebook",
        facebook.create_app(),
        registration(facebook.APP_ID, facebook.APP_SECRET, *scopes, base_url=BASE, page_id="2001"),
        "https://www.facebook.com",
        "10158000000000001",
        change={"/emails/e1": {"address": "new@looms.example"}, "/titles/t": {"name": "x"}},
        target="2001",
        sorts={
            "taken": ("/name", "/media/photo", "/emails/e1", "/anniversaries/birth"),
            "ignored": ("id",),
            "strangers": (),
        },
    )


def google_case() -> Case:
    scopes = ("openid", "profile", "email", google.CONTACTS)
    return Case(
        "google",
        google.create_app(),
        registration(google.CLIENT_ID, google.CLIENT_SECRET, *scopes, base_url=BASE),
        BASE,
        "110169484474386276334",
        sorts={
            "taken": ("/name", "/media/photo", "/emails/e1"),
            "ignored": ("sub", "email_verified", "hd", "iss", "aud", "azp", "iat", "exp", "nonce"),
            "strangers": (),
        },
    )


def github_case() -> Case:
    return Case(
        "github",
        github.create_app(),
        registration(github.CLIENT_ID, github.CLIENT_SECRET, "user", base_url=BASE),
        "https://github.com",
        "90071992547409931",
        change={"/name": {"full": "Ada L."}, "/phones/p": {"number": "1"}},
        sorts={
            "taken": (
                "/name",
                "/organizations/company",
                "/links/blog",
                "/addresses/location",
                "/notes/bio",
                "/media/photo",
                "/onlineServices/x",
                "/onlineServices/github",
                "/emails/e1",
                "/emails/e2",
            ),
            "ignored": (
                "id",
                "node_id",
                "gravatar_id",
                "url",
                "html_url",
                "type",
                "site_admin",
                "email",
                "hireable",
                "public_repos",
                "followers",
                "created_at",
                "plan",
            ),
            "strangers": ("x_brand_new_field",),
        },
    )


CASES: dict[str, Callable[[], Case]] = {
    "rehearsal": rehearsal_case,
    "facebook": facebook_case,
    "google": google_case,
    "github": github_case,
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


@pytest.fixture(params=["rehearsal", "google"])
def address_book(request: pytest.FixtureRequest) -> Case:
    """A provider with contacts; that these are all is what the catalogue's test shows."""
    return CASES[request.param]()


@pytest.fixture(params=["rehearsal", "facebook", "github"])
def writer(request: pytest.FixtureRequest) -> Case:
    """A provider that can be written to; that these are all is what the catalogue's test shows."""
    return CASES[request.param]()


# ---- the ask ---------------------------------------------------------------------------------------------------------


def test_the_authorization_url_carries_state_pkce_and_no_secret(case: Case) -> None:
    url = case.driver.run(case.adapter.authorization_url(case.registration, ask()))
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    assert query["response_type"] == "code"
    assert query["state"] == "s" * 43
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == CALLBACK
    assert case.registration.client_secret.reveal() not in url
    assert "v" * 43 not in url


def test_an_iss_of_another_provider_is_a_mismatch(case: Case) -> None:
    with pytest.raises(ProviderError) as caught:
        case.driver.run(case.adapter.check_callback(case.registration, "https://elsewhere.example"))

    assert caught.value.kind == "mismatch"


def test_no_request_carries_a_token_or_secret_in_its_url(case: Case) -> None:
    grant = case.grant()
    case.driver.run(case.adapter.account(case.registration, grant))
    case.driver.run(case.adapter.profile(case.registration, grant, ALL))

    for request in case.driver.requests:
        assert grant.access_token.reveal() not in request.url
        assert case.registration.client_secret.reveal() not in request.url


# ---- the grant -------------------------------------------------------------------------------------------------------


def test_a_code_becomes_a_grant_with_what_was_granted(case: Case) -> None:
    grant = case.grant()

    assert isinstance(case.adapter, Authorizes)
    assert grant.access_token
    assert set(grant.scopes or ()) == set(case.registration.scopes)
    assert grant.expires_in_s is None or grant.expires_in_s > 0


def test_a_code_works_once(case: Case) -> None:
    url = case.driver.run(case.adapter.authorization_url(case.registration, ask()))
    brought = callback(case.driver.browse(url, **case.approval))
    case.driver.run(case.adapter.redeem(case.registration, brought, ask(), now=now()))

    with pytest.raises(ProviderError) as caught:
        case.driver.run(case.adapter.redeem(case.registration, brought, ask(), now=now()))

    assert caught.value.kind == "rejected"


def test_a_code_of_another_browser_does_not_work_with_this_verifier(case: Case) -> None:
    url = case.driver.run(case.adapter.authorization_url(case.registration, ask()))
    brought = callback(case.driver.browse(url, **case.approval))
    other = ask()
    object.__setattr__(other, "code_verifier", Secret("w" * 43))

    with pytest.raises(ProviderError):
        case.driver.run(case.adapter.redeem(case.registration, brought, other, now=now()))


def test_the_account_has_an_exact_issuer_and_subject(case: Case) -> None:
    account = case.driver.run(case.adapter.account(case.registration, case.grant()))

    assert (account.issuer, account.subject) == (case.issuer, case.subject)
    assert account.issuer == case.adapter.issuer(case.registration)
    assert account.claims["name"]


def test_a_wrong_client_secret_is_ours_to_mend(case: Case) -> None:
    url = case.driver.run(case.adapter.authorization_url(case.registration, ask()))
    brought = callback(case.driver.browse(url, **case.approval))
    wrong = Registration(
        case.registration.client_id,
        Secret("wrong"),
        CALLBACK,
        case.registration.issuer,
        case.registration.scopes,
        case.registration.settings,
        development=True,
    )

    with pytest.raises(ProviderError) as caught:
        case.driver.run(case.adapter.redeem(wrong, brought, ask(), now=now()))

    assert caught.value.kind == "misconfigured"


def test_a_lost_answer_to_a_code_is_ambiguous(case: Case) -> None:
    exchange = case.adapter.redeem(case.registration, Callback(Secret("x"), iss_of(case)), ask(), now=now())
    request = next(exchange)
    while not request.once:
        request = exchange.send(case.driver.send(request))

    with pytest.raises(ProviderError) as caught:
        exchange.throw(NetworkFailure("maybe", "timeout"))

    assert caught.value.kind == "ambiguous"


def iss_of(case: Case) -> str | None:
    return BASE if case.name == "rehearsal" else None


def test_a_refreshed_grant_works(case: Case) -> None:
    grant = case.grant()
    if case.name == "github":  # an OAuth app's tokens do not expire: said in words, and shown for apps in its own tests
        with pytest.raises(ProviderError, match="no refresh token"):
            case.driver.run(case.adapter.refresh(case.registration, grant, now=now()))
        return

    fresh = case.driver.run(case.adapter.refresh(case.registration, grant, now=now()))

    assert fresh.access_token != grant.access_token
    assert case.driver.run(case.adapter.account(case.registration, fresh)).subject == case.subject


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_every_field_of_the_profile_is_sorted(case: Case) -> None:
    """The golden list: what is taken, what is known and left, and what nobody knows."""
    (item,) = case.driver.run(case.adapter.profile(case.registration, case.grant(), ALL)).items

    assert {value.pointer for value in item.values} == set(case.sorts["taken"])
    assert set(item.ignored) == set(case.sorts["ignored"])
    assert set(item.strangers) == set(case.sorts["strangers"])


def test_only_the_wanted_categories_are_taken(case: Case) -> None:
    (item,) = case.driver.run(case.adapter.profile(case.registration, case.grant(), frozenset({"contact"}))).items

    assert {value.category for value in item.values} == {"contact"}


def test_every_value_is_where_jscontact_has_it(case: Case) -> None:
    (item,) = case.driver.run(case.adapter.profile(case.registration, case.grant(), ALL)).items

    for value in item.values:
        assert isinstance(value.value, dict), value.pointer
        assert value.pointer == "/name" or len(value.pointer.split("/")) == 3


def test_contacts_come_page_by_page_and_end_with_a_place_to_go_on_from(address_book: Case) -> None:
    items, sync = all_contacts(address_book, address_book.grant())

    assert len(items) == len({item.external_id for item in items}) > 2
    assert all(value.category == "people" for item in items for value in item.values)
    assert sync


def test_a_second_import_asks_only_for_what_changed(address_book: Case) -> None:
    grant = address_book.grant()
    _, sync = all_contacts(address_book, grant)

    page = address_book.driver.run(
        address_book.adapter.contacts(address_book.registration, grant, cursor=None, sync_cursor=sync)
    )

    assert page.items == ()
    assert page.full is False


def test_a_place_that_is_lost_says_read_all_again(address_book: Case) -> None:

    with pytest.raises(ProviderError) as caught:
        address_book.driver.run(
            address_book.adapter.contacts(
                address_book.registration, address_book.grant(), cursor=None, sync_cursor="long-gone"
            )
        )

    assert (caught.value.kind, caught.value.code) == ("garbage", "sync_expired")


def all_contacts(case: Case, grant: Grant) -> tuple[list[Item], str | None]:
    items: list[Item] = []
    cursor = None
    while True:
        page = case.driver.run(case.adapter.contacts(case.registration, grant, cursor=cursor, sync_cursor=None))
        assert page.full
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items, page.sync_cursor
        assert page.sync_cursor is None


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_a_change_is_written_and_what_has_no_place_is_refused_in_words(writer: Case) -> None:
    grant = writer.grant()
    change = ProfileChange(writer.change, "key-1", writer.target)

    outcome = writer.driver.run(writer.adapter.write(writer.registration, grant, change))
    again = writer.driver.run(writer.adapter.write(writer.registration, grant, change))

    *writable, homeless = writer.change
    assert set(outcome.written) == set(writable)
    assert list(outcome.refused) == [homeless]
    assert outcome.refused[homeless].endswith(".")
    assert (again.written, set(again.unchanged)) == ((), set(writable))


def test_what_is_writable_are_groups_that_people_know(writer: Case) -> None:
    groups = writer.adapter.writable(writer.registration, writer.grant())

    assert groups
    *writable, _ = writer.change
    assert {field_group(pointer) for pointer in writable} <= groups
    assert writer.adapter.writable(writer.registration, Grant(Secret("t"), scopes=())) == frozenset()


def test_the_preview_names_the_requests_and_no_credentials(writer: Case) -> None:
    requests = writer.adapter.preview(writer.registration, ProfileChange(writer.change, "key-1", writer.target))

    assert requests[-1]["method"] in {"PATCH", "POST"}
    assert all(set(request) == {"method", "url", "body"} for request in requests)
    assert writer.registration.client_secret.reveal() not in repr(requests)


def test_a_lost_answer_to_a_write_is_ambiguous(writer: Case) -> None:
    exchange = writer.adapter.write(
        writer.registration, writer.grant(), ProfileChange(writer.change, "key-1", writer.target)
    )
    request = next(exchange)
    while not request.once:
        request = exchange.send(writer.driver.send(request))

    with pytest.raises(ProviderError) as caught:
        exchange.throw(NetworkFailure("maybe", "timeout"))

    assert caught.value.kind == "ambiguous"


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_a_revoked_grant_is_dead_and_revoking_again_is_harmless(case: Case) -> None:
    grant = case.grant()

    first = case.driver.run(case.adapter.revoke(case.registration, grant))
    second = case.driver.run(case.adapter.revoke(case.registration, grant))
    with pytest.raises(ProviderError) as caught:
        case.driver.run(case.adapter.profile(case.registration, grant, ALL))

    assert first.outcome == "confirmed"
    assert second.outcome in {"confirmed", "already_gone"}
    assert caught.value.kind == "rejected"


def test_an_answer_that_is_no_json_where_nothing_was_at_stake_is_sorted(case: Case) -> None:
    grant = case.grant()
    case.app.wsgi_app = _nonsense  # type: ignore[method-assign]  # the whole provider answers nonsense from here on

    with pytest.raises(ProviderError) as caught:
        case.driver.run(case.adapter.profile(case.registration, grant, ALL))

    assert caught.value.kind == "garbage"


def test_an_answer_that_is_no_json_to_a_refresh_is_ambiguous(case: Case) -> None:
    grant = Grant(Secret("t"), Secret("r")) if case.name == "github" else case.grant()
    case.app.wsgi_app = _nonsense  # type: ignore[method-assign]  # as above

    with pytest.raises(ProviderError) as caught:
        case.driver.run(case.adapter.refresh(case.registration, grant, now=now()))

    assert caught.value.kind == "ambiguous"


def _nonsense(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b"\x00<not json>{{{"]


def test_the_catalogue_says_exactly_what_the_adapter_has(case: Case) -> None:
    entry = catalogue.entry(case.name)

    for capability, protocol in catalogue.CAPABILITIES.items():
        assert entry.can(capability) == isinstance(case.adapter, protocol), capability
    assert set(entry.signals) == set(getattr(case.adapter, "signal_kinds", ()))


def test_no_endpoint_can_be_moved_outside_development(case: Case) -> None:
    real = Registration(
        case.registration.client_id,
        case.registration.client_secret,
        CALLBACK,
        case.registration.issuer,
        case.registration.scopes,
        case.registration.settings,
    )
    exchange = case.adapter.profile(real, Grant(Secret("t"), id_claims={"iss": "i", "sub": "s"}), ALL)

    if case.name == "rehearsal":  # its issuer is the operator's to say; production refuses the provider as a whole
        assert next(exchange).url.startswith(BASE)
        return
    assert urlsplit(next(exchange).url).scheme == "https"


def test_values_do_not_show_themselves(case: Case) -> None:
    (item,) = case.driver.run(case.adapter.profile(case.registration, case.grant(), ALL)).items

    assert "Ada" not in repr([FieldValue(v.pointer, v.value, v.category, v.origin) for v in item.values])
