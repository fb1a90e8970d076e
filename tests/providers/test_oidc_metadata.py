from __future__ import annotations

from dataclasses import replace

import pytest

from providers.errors import ProviderError
from providers.oidc.metadata import REFETCH_MS, discovery_url, read_metadata
from tests.standins.openid import NOW, OTHER_RSA, OpenIDProvider, drive

ISSUER = "https://op.example.com"
BASE = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/a",
    "token_endpoint": f"{ISSUER}/t",
    "jwks_uri": f"{ISSUER}/j",
}


def fetches(op: OpenIDProvider, path: str) -> int:
    return [seen[1] for seen in op.seen].count(path)


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        (ISSUER, f"{ISSUER}/.well-known/openid-configuration"),
        (f"{ISSUER}/", f"{ISSUER}/.well-known/openid-configuration"),
        (f"{ISSUER}/tenant/1", f"{ISSUER}/tenant/1/.well-known/openid-configuration"),
    ],
)
def test_metadata_is_where_discovery_says(issuer: str, url: str) -> None:
    assert discovery_url(issuer) == url


@pytest.mark.parametrize(
    "issuer", ["http://op.example.com", "op.example.com", "", "https://op.example.com?x", "https://op.example.com#x",
               "https://a@op.example.com", "https://", "file:///x", "http://127.0.0.1:1"],
)  # fmt: skip
def test_an_issuer_that_is_no_plain_https_address_is_refused(issuer: str) -> None:
    with pytest.raises(ProviderError, match="issuer_unusable"):
        discovery_url(issuer)


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:1", "http://localhost:8000", "http://[::1]:1"])
def test_loopback_issuers_are_for_development(issuer: str) -> None:
    assert discovery_url(issuer, development=True).startswith(issuer)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [None, "", 7, "http://op.example.com/x", "javascript:alert(1)", "https://a@b/", "//x", "https://x/ y"])  # noqa: E501  # fmt: skip
def test_a_missing_or_unusable_endpoint_stops(name: str, value: object) -> None:
    with pytest.raises(ProviderError, match=f"endpoint_unusable.*{name}"):
        read_metadata({**BASE, name: value}, ISSUER)


def test_an_optional_endpoint_may_be_absent_but_not_unusable() -> None:
    assert read_metadata(BASE, ISSUER).userinfo_endpoint == ""
    with pytest.raises(ProviderError, match="userinfo_endpoint"):
        read_metadata({**BASE, "userinfo_endpoint": "http://10.0.0.1/"}, ISSUER)


def test_metadata_is_fetched_once_an_hour(sign_in, op, cache_clock) -> None:
    for _ in range(3):
        sign_in()
    assert (fetches(op, "/.well-known/openid-configuration"), fetches(op, "/jwks")) == (1, 1)
    cache_clock.advance(hours=1)
    sign_in()
    assert (fetches(op, "/.well-known/openid-configuration"), fetches(op, "/jwks")) == (2, 2)


@pytest.mark.parametrize(
    "fault", [(500, {}, b"oops"), (200, {}, b"<html>"), (200, {}, b'{"keys":{}}'), (200, {}, b"{}")]
)
def test_the_last_good_answers_serve_for_a_day_while_the_provider_fails(sign_in, op, cache_clock, fault) -> None:
    sign_in()
    op.replies["/jwks"] = fault
    op.replies["/.well-known/openid-configuration"] = (500, {}, b"")
    cache_clock.advance(hours=2)
    assert sign_in()
    cache_clock.advance(days=1)
    with pytest.raises(ProviderError):
        sign_in()


def test_a_provider_that_becomes_another_is_refused_even_with_good_answers_at_hand(sign_in, op, cache_clock) -> None:
    sign_in()
    op.metadata["issuer"] = "https://evil.example"
    cache_clock.advance(hours=2)
    with pytest.raises(ProviderError, match="issuer_mismatch"):
        sign_in()


def test_a_flood_of_unknown_key_ids_fetches_once_per_interval(sign_in, op, cache_clock) -> None:
    sign_in()
    op.key = OTHER_RSA
    for number in range(20):
        op.header["kid"] = f"random{number}"
        with pytest.raises(ProviderError, match="key_unknown"):
            sign_in()
    assert fetches(op, "/jwks") == 2
    cache_clock.advance(REFETCH_MS / 1000)
    with pytest.raises(ProviderError, match="key_unknown"):
        sign_in()
    assert fetches(op, "/jwks") == 3


def test_those_who_come_while_a_rotation_is_fetched_do_not_fail(adapter, registration, sign_in, op, ask) -> None:
    """Two sign-ins meet the same new key: the second arrives while the first is fetching."""
    sign_in()
    cache = adapter._cache
    metadata = drive(adapter.metadata(registration), op)
    first = cache.newer_keys(registration, metadata)
    waiting = next(first)
    assert waiting.url.endswith("/jwks")
    assert drive(cache.newer_keys(registration, metadata), op) is not None
    with pytest.raises(StopIteration):
        first.send(op.answer(waiting))
    assert drive(cache.newer_keys(registration, metadata), op) is None


def test_a_removed_key_stops_working_within_the_hour(sign_in, op, cache_clock) -> None:
    sign_in()
    op.jwks = [OTHER_RSA]
    cache_clock.advance(hours=1)
    with pytest.raises(ProviderError, match="key_unknown"):
        sign_in()


def test_the_code_does_not_leave_while_keys_cannot_be_had(sign_in, op) -> None:
    op.down.add("/jwks")
    with pytest.raises(ProviderError, match="try_later/unsent"):
        sign_in()
    assert op.requests("/token") == []


@pytest.mark.parametrize(("status", "kind"), [(404, "misconfigured"), (302, "misconfigured"), (500, "try_later")])
def test_metadata_that_cannot_be_had_is_sorted(adapter, registration, op, ask, status: int, kind: str) -> None:
    op.replies["/.well-known/openid-configuration"] = (status, {"Location": "http://169.254.169.254/"}, b"{}")
    with pytest.raises(ProviderError) as raised:
        drive(adapter.authorization_url(registration, ask), op)
    assert raised.value.kind == kind
    assert len(op.seen) == 1


def test_two_issuers_are_kept_apart(adapter, registration, op, ask) -> None:
    drive(adapter.authorization_url(registration, ask), op)
    other = OpenIDProvider(issuer="https://other.example.com")
    url = drive(adapter.authorization_url(replace(registration, issuer=other.issuer), ask), other)
    assert url.startswith("https://other.example.com/authorize?")


def test_requests_about_metadata_are_not_about_a_person(adapter, registration, ask) -> None:
    request = next(adapter.authorization_url(registration, ask))
    assert (request.about_person, request.max_bytes) == (False, 256 * 1024)
    assert NOW
