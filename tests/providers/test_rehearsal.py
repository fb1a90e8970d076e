"""The pretend provider and its adapter, in one process: refresh, faults, contacts, writes, signals."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from providers.capabilities import Grant, ProfileChange, Registration, SignalRequest
from providers.errors import ProviderError
from providers.rehearsal import Rehearsal
from providers.rehearsal.server import Client, Config, create_app
from providers.rehearsal.server.faults import rule_from
from providers.rehearsal.server.signals import signal_body, signed
from providers.rehearsal.server.state import State
from providers.secret import Secret
from tests.standins.driver import Driver, ask, callback

BASE = "http://127.0.0.1:8099"
NOW = 1_795_000_000_000
SCOPES = ("openid", "profile", "email", "contacts", "profile:write")
ALL = frozenset({"profile", "contact"})


class Standing:
    """A provider whose clock stands still, and its adapter."""

    def __init__(self, **config: Any) -> None:
        self.app = create_app(Config(now=lambda: NOW, sleep=lambda _seconds: None, **config))
        self.state: State = self.app.extensions["rehearsal"]
        self.driver = Driver(self.app)
        self.adapter = Rehearsal()
        self.registration = Registration(
            "app", Secret("rehearsal-secret"), "http://127.0.0.1:8080/cb", BASE, SCOPES, development=True
        )

    def redeem(self, person: str = "ada", granted: tuple[str, ...] = SCOPES) -> Grant:
        url = self.driver.run(self.adapter.authorization_url(self.registration, ask()))
        brought = self.driver.browse(url, person=person, granted=list(granted), decision="approve")
        return self.driver.run(self.adapter.redeem(self.registration, callback(brought), ask(), now=NOW))

    def refresh(self, grant: Grant) -> Grant:
        return self.driver.run(self.adapter.refresh(self.registration, grant, now=NOW))

    def write(self, grant: Grant, key: str = "key", **values: Any):
        change = ProfileChange({f"/{name}": value for name, value in values.items()}, key)
        return self.driver.run(self.adapter.write(self.registration, grant, change))

    def control(self, path: str, body: Any) -> Any:
        answer = self.app.test_client().post(f"/_control/{path}", json=body, base_url=BASE)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return answer.get_json(silent=True)

    def log(self) -> Any:
        return self.app.test_client().get("/_control/log").get_json()


@pytest.fixture
def standing() -> Standing:
    return Standing()


# ---- signing in ------------------------------------------------------------------------------------------------------


def test_a_person_may_untick_what_an_app_asked_for(standing):
    grant = standing.redeem(granted=("profile",))

    assert set(grant.scopes) == {"openid", "profile"}


def test_refusing_brings_access_denied_with_state_and_issuer(standing):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))

    brought = standing.driver.browse(url, decision="deny")

    assert (brought["error"], brought["state"], brought["iss"]) == ("access_denied", "s" * 43, BASE)


def test_who_types_the_same_name_is_the_same_person(standing):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))
    for _ in range(2):
        standing.driver.browse(url, other="Zoë Ólafs", decision="approve")

    assert sum(person.startswith("typed-") for person in standing.state.profiles) == 1


def test_the_page_preselects_the_hinted_person_and_runs_no_script(standing):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))
    page = standing.app.test_client().get(f"{url}&login_hint=bo")

    assert 'value="bo" checked' in page.get_data(as_text=True)
    assert "<script" not in page.get_data(as_text=True)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_what_a_request_says_is_escaped_on_the_page(standing):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))
    page = standing.app.test_client().get(url.replace("client_id=app", "client_id=%3Cb%3Ex"))

    assert "<b>x" not in page.get_data(as_text=True)


def test_auto_approval_needs_no_page():
    standing = Standing(auto_approve=True)
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask(login_hint="cleo")))
    grant = standing.driver.run(
        standing.adapter.redeem(standing.registration, callback(standing.driver.browse(url)), ask(), now=NOW)
    )

    assert grant.id_claims["sub"] == "cleo"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
        ("response_type=code", "response_type=token", "unsupported_response_type"),
        ("scope=openid", "scope=everything", "invalid_scope"),
    ],
)
def test_a_request_that_is_wrong_goes_back_with_its_error(standing, old, new, error):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))

    assert standing.driver.browse(url.replace(old, new))["error"] == error


def test_an_unregistered_callback_gets_a_page_and_no_redirect():
    standing = Standing(clients={"app": Client("rehearsal-secret", ("http://127.0.0.1:1/other",))})
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))

    answer = standing.app.test_client().get(url)

    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_a_code_used_twice_ends_the_grant_that_it_gave(standing):
    url = standing.driver.run(standing.adapter.authorization_url(standing.registration, ask()))
    brought = callback(standing.driver.browse(url, person="ada", decision="approve"))
    grant = standing.driver.run(standing.adapter.redeem(standing.registration, brought, ask(), now=NOW))
    with pytest.raises(ProviderError):
        standing.driver.run(standing.adapter.redeem(standing.registration, brought, ask(), now=NOW))

    with pytest.raises(ProviderError) as caught:
        standing.refresh(grant)

    assert caught.value.kind == "rejected"


def test_a_rotated_signing_key_is_found(standing):
    standing.redeem()
    standing.control("keys", {})

    assert standing.redeem().id_claims["sub"] == "ada"


def test_two_people_may_have_one_address(standing):
    accounts = [
        standing.driver.run(standing.adapter.account(standing.registration, standing.redeem(person)))
        for person in ("bo", "cleo")
    ]

    assert accounts[0].claims["email"] == accounts[1].claims["email"]
    assert accounts[0].subject != accounts[1].subject


def test_a_childs_birthday_is_known_at_sign_in(standing):
    account = standing.driver.run(standing.adapter.account(standing.registration, standing.redeem("dina")))

    assert account.birthdate == "2018-01-01"


# ---- refreshing ------------------------------------------------------------------------------------------------------


def test_strict_rotation_ends_the_grant_when_a_token_returns(standing):
    grant = standing.redeem()
    fresh = standing.refresh(grant)

    for used in (grant, fresh):
        with pytest.raises(ProviderError) as caught:
            standing.refresh(used)
        assert caught.value.code == "invalid_grant"
    assert [event["event"] for event in standing.log()["reuse"]] == ["refresh_reuse"]


def test_within_the_grace_a_used_token_still_works_and_after_it_does_not():
    standing = Standing(rotation="grace", grace_s=30)
    grant = standing.redeem()
    standing.refresh(grant)
    standing.refresh(grant)
    standing.control("clock", {"advance_s": 31})

    with pytest.raises(ProviderError):
        standing.refresh(grant)


def test_without_rotation_the_token_stays():
    standing = Standing(rotation="none")
    grant = standing.redeem()

    assert standing.refresh(standing.refresh(grant)).refresh_token == grant.refresh_token


def test_a_lost_answer_leaves_a_used_token_behind(standing):
    """The failure that strict rotation punishes: the provider acted, and nobody heard of it."""
    grant = standing.redeem()
    standing.control("faults", [{"endpoint": "token", "kind": "hang_up_after", "count": 1}])

    with pytest.raises(ProviderError) as lost:
        standing.refresh(grant)
    with pytest.raises(ProviderError) as caught:
        standing.refresh(grant)

    assert (lost.value.kind, caught.value.kind) == ("ambiguous", "rejected")


def test_a_hang_up_before_leaves_the_token_good(standing):
    grant = standing.redeem()
    standing.control("faults", [{"endpoint": "token", "kind": "hang_up_before", "count": 1}])

    with pytest.raises(ProviderError):
        standing.refresh(grant)

    assert standing.refresh(grant).access_token


def test_the_oracle_knows_who_used_which_token(standing):
    standing.refresh(standing.redeem())
    first, second = standing.log()["refresh_tokens"]

    assert [use["client"] for use in first["uses"]] == ["app"]
    assert second["uses"] == []
    assert list(standing.log()["most_at_once"].values()) == [1]


def test_an_access_token_ends_when_its_time_is_over(standing):
    grant = standing.redeem()
    standing.control("clock", {"advance_s": 301})

    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.profile(standing.registration, grant, ALL))

    assert (caught.value.kind, caught.value.code) == ("rejected", "invalid_token")


def test_a_person_can_end_access_there_without_a_word(standing):
    grant = standing.redeem()

    ended = standing.control("revoke", {"person": "ada"})["ended"]

    assert len(ended) == 1
    with pytest.raises(ProviderError):
        standing.refresh(grant)
    assert standing.log()["live_tokens"] == []


def test_introspection_sees_a_revoked_token_dead(standing):
    grant = standing.redeem()

    def active() -> bool:
        form = {"token": grant.access_token.reveal(), "client_id": "app", "client_secret": "rehearsal-secret"}
        return standing.app.test_client().post("/introspect", data=form).get_json()["active"]

    assert active()
    standing.driver.run(standing.adapter.revoke(standing.registration, grant))
    assert not active()


# ---- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"kind": "status", "status": 503}, "try_later"),
        ({"kind": "status", "status": 500, "body": {}}, "try_later"),
        ({"kind": "rate_limit", "retry_after_s": 7}, "try_later"),
        ({"kind": "garbage"}, "garbage"),
        ({"kind": "truncated"}, "try_later"),
        ({"kind": "hang_up_before"}, "try_later"),
        ({"kind": "redirect", "location": "http://169.254.169.254/"}, "misconfigured"),
    ],
)
def test_each_failure_of_a_read_is_sorted(standing, rule, kind):
    grant = standing.redeem()
    standing.control("faults", [{"endpoint": "me", "count": 1, **rule}])

    with pytest.raises(ProviderError) as caught:
        standing.driver.run(standing.adapter.profile(standing.registration, grant, ALL))

    assert caught.value.kind == kind
    assert caught.value.retry_after_s == rule.get("retry_after_s")
    assert standing.driver.run(standing.adapter.profile(standing.registration, grant, ALL)).items


def test_values_of_wrong_types_are_strangers_and_none_is_taken(standing):
    grant = standing.redeem()
    standing.control("faults", [{"endpoint": "me", "kind": "wrong_types"}])

    (item,) = standing.driver.run(standing.adapter.profile(standing.registration, grant, ALL)).items

    assert item.values == ()
    assert {"display_name", "mail", "links", "born"} <= set(item.strangers)


def test_a_fault_may_wait_for_its_turn_and_choose_its_request(standing):
    grant = standing.redeem()
    when = {"grant_type": "refresh_token"}
    standing.control("faults", [{"endpoint": "token", "kind": "rate_limit", "count": 1, "skip": 1, "when": when}])

    fresh = standing.refresh(standing.redeem())
    with pytest.raises(ProviderError):
        standing.refresh(fresh)

    assert standing.refresh(grant).access_token


@pytest.mark.parametrize(
    "rule", [{}, {"endpoint": "token"}, {"kind": "garbage"}, {"endpoint": "x", "kind": "no"}, {"typo": 1}]
)
def test_a_fault_that_cannot_be_read_says_why(rule):
    with pytest.raises(ValueError, match="fault rule"):
        rule_from(rule)


# ---- contacts --------------------------------------------------------------------------------------------------------


def contacts(standing: Standing, grant: Grant, cursor: str | None = None, sync: str | None = None):
    return standing.driver.run(standing.adapter.contacts(standing.registration, grant, cursor=cursor, sync_cursor=sync))


def test_a_delta_has_what_changed_and_what_is_gone(standing):
    grant = standing.redeem()
    sync = contacts(standing, grant).sync_cursor
    changes = {"put": [{"id": "ada-c002", "first": "New"}], "delete": ["ada-c003"]}
    standing.control("people", {"id": "ada", "contacts": changes})

    page = contacts(standing, grant, None, sync)

    assert [(item.external_id, item.deleted) for item in page.items] == [("ada-c002", False), ("ada-c003", True)]
    assert not page.full


def test_the_first_contact_of_an_empty_book_is_in_the_delta(standing):
    grant = standing.redeem("eli")
    sync = contacts(standing, grant).sync_cursor
    standing.control("people", {"id": "eli", "contacts": {"put": [{"id": "c1", "first": "First"}]}})

    assert len(contacts(standing, grant, None, sync).items) == 1


def test_a_delta_that_is_too_old_is_lost(standing):
    grant = standing.redeem()
    sync = contacts(standing, grant).sync_cursor
    standing.control("settings", {"sync_s": 60, "access_token_s": 3600})
    standing.control("clock", {"advance_s": 61})

    with pytest.raises(ProviderError) as caught:
        contacts(standing, grant, None, sync)

    assert caught.value.code == "sync_expired"


def test_children_and_strangers_are_among_the_contacts(standing):
    items = {item.external_id: item for item in contacts(standing, standing.redeem()).items}

    assert items["ada-child"].birthdate == "2018-01-01"
    assert set(items["ada-odd"].strangers) == {"x_mood", "favourite_number"}


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_a_list_keeps_what_the_change_does_not_name(standing):
    outcome = standing.write(standing.redeem(), **{"emails/m2": {"address": "two@example.org"}})

    assert outcome.written == ("/emails/m2",)
    addresses = [row["address"] for row in standing.state.profiles["ada"].fields["mail"]]
    assert addresses == ["ada@example.org", "two@example.org"]


def test_a_changed_address_is_no_longer_verified(standing):
    standing.write(standing.redeem(), **{"emails/m1": {"address": "new@example.org"}})

    assert "verified" not in standing.state.profiles["ada"].fields["mail"][0]


def test_a_newer_profile_there_is_a_conflict_and_stays(standing):
    grant = standing.redeem()
    change = ProfileChange({"/notes/about": {"note": "ours"}}, "key")
    exchange = standing.adapter.write(standing.registration, grant, change)
    request = exchange.send(standing.driver.send(next(exchange)))
    standing.control("people", {"id": "ada", "about": "theirs"})

    with pytest.raises(ProviderError) as caught:
        exchange.send(standing.driver.send(request))

    assert caught.value.kind == "conflict"
    assert standing.state.profiles["ada"].fields["about"] == "theirs"


def test_a_write_whose_answer_was_lost_has_one_effect(standing):
    grant = standing.redeem()
    standing.control("faults", [{"endpoint": "me", "kind": "hang_up_after", "count": 1, "skip": 1}])

    with pytest.raises(ProviderError) as caught:
        standing.write(grant, **{"notes/about": {"note": "once"}})
    again = standing.write(grant, **{"notes/about": {"note": "once"}})

    assert caught.value.kind == "ambiguous"
    assert again.unchanged == ("/notes/about",)
    assert [write["effect"] for write in standing.log()["writes"]] == [True]


def test_a_repeated_key_has_one_effect_even_without_reading_first(standing):
    grant = standing.redeem()
    client, headers = standing.app.test_client(), {"Authorization": f"Bearer {grant.access_token.reveal()}"}
    etag = client.get("/me", headers=headers).headers["ETag"]
    headers |= {"If-Match": etag, "Idempotency-Key": "k"}

    statuses = [client.patch("/me", json={"about": "x"}, headers=headers).status_code for _ in range(2)]
    other = client.patch("/me", json={"about": "y"}, headers=headers).status_code

    assert (statuses, other) == ([200, 200], 422)
    assert [write["effect"] for write in standing.log()["writes"]] == [True, False]


@pytest.mark.parametrize("body", [{"password": "x"}, {"id": "bo"}, {"about": 7}, {"mail": "x"}])
def test_the_provider_takes_only_fields_it_knows(standing, body):
    headers = {"Authorization": f"Bearer {standing.redeem().access_token.reveal()}", "If-Match": "*"}

    assert standing.app.test_client().patch("/me", json=body, headers=headers).status_code == 422


def test_a_list_that_the_grant_cannot_read_is_not_written(standing):
    grant = standing.redeem(granted=("profile", "profile:write"))

    assert "emails" not in standing.adapter.writable(standing.registration, grant)
    with pytest.raises(ProviderError) as caught:
        standing.write(grant, **{"emails/m1": {"address": "x@example.org"}})
    assert caught.value.kind == "insufficient_scope"
    assert standing.log()["writes"] == []


def test_work_is_one_entry_of_company_and_title(standing):
    standing.write(standing.redeem(), **{"organizations/w1": {"name": "Looms"}, "titles/w1": {"name": "Weaver"}})

    assert standing.state.profiles["ada"].fields["work"] == [{"id": "w1", "company": "Looms", "title": "Weaver"}]


def test_clearing_a_whole_map_clears_the_list(standing):
    standing.write(standing.redeem(), links=None, **{"notes/about": None})

    fields = standing.state.profiles["ada"].fields
    assert (fields["links"], fields["about"]) == ([], "")


# ---- signals ---------------------------------------------------------------------------------------------------------


def a_signal(standing: Standing, secret: str = "rehearsal-secret", kind: str = "rehearsal-deauthorize", **change: Any):
    body = signal_body(standing.state, kind, BASE, "app", "ada")
    body = json.dumps({**json.loads(body), **change}).encode()
    return SignalRequest(kind, {"Rehearsal-Signature": signed(secret, body)}, body)


def test_a_signal_names_the_account(standing):
    signal = standing.adapter.signal(standing.registration, a_signal(standing), now=NOW)

    assert (signal.means, signal.issuer, signal.subject, signal.issued_at) == ("deauthorized", BASE, "ada", NOW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret": "another"}, "signature"),
        ({"client_id": "another"}, "event"),
        ({"issuer": "https://another.example"}, "issuer"),
        ({"event": "delete_data"}, "event"),
        ({"subject": 7}, "event"),
        ({"issued_at": NOW - 86_400_001}, "issued_at"),
        ({"issued_at": NOW + 300_001}, "issued_at"),
        ({"issued_at": "now"}, "issued_at"),
    ],
)
def test_a_signal_that_is_not_for_us_or_not_of_now_is_refused(standing, changes, code):
    with pytest.raises(ProviderError) as caught:
        standing.adapter.signal(standing.registration, a_signal(standing, **changes), now=NOW)

    assert (caught.value.kind, caught.value.code) == ("mismatch", code)


def test_without_the_comparison_a_forged_signal_would_pass(standing, monkeypatch):
    request = a_signal(standing, secret="another")
    monkeypatch.setattr(hmac, "compare_digest", lambda _one, _other: True)

    assert standing.adapter.signal(standing.registration, request, now=NOW).subject == "ada"
