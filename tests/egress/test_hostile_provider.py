"""What stock OAuth clients were seen to accept from a hostile provider, and what this one makes of it.

The rows about ID tokens are in `tests/providers/test_oidc_id_token.py`.
"""

from __future__ import annotations

import json
import time

import pytest
import requests

from providers.capabilities import Grant, Registration
from providers.errors import ProviderError
from providers.exchange import NetworkFailure, get, post_form
from providers.oauth2 import MAX_LIFETIME_S, MAX_TOKEN, TokenAnswer, request_tokens, revoke_token
from providers.secret import Secret
from tests.standins.hostile import answer, drip, flood, gzip_bomb, hostile, peak_growth_mb, then_close

pytestmark = pytest.mark.loopback

FORM = {"grant_type": "authorization_code", "code": "the-code", "code_verifier": "the-verifier"}
GOOD = {"access_token": "at", "token_type": "Bearer", "expires_in": 3600}
MEGABYTE = 1024 * 1024


def redeem(egress, server) -> TokenAnswer:
    return egress.drive(request_tokens(post_form(server.url, FORM), now=0), provider="p")


def failure(egress, server) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        redeem(egress, server)
    return raised.value


def too_large(egress, request) -> None:
    with pytest.raises(NetworkFailure, match="too_large"):
        egress.send(request, provider="p")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_the_token_endpoint_is_an_error_and_nothing_goes_elsewhere(egress, status: int) -> None:
    with hostile(answer(json.dumps(GOOD).encode())) as thief:
        with hostile(answer(b"", f"{status} Go", f"Location: {thief.url}/")) as server:
            failed = failure(egress, server)
        assert (failed.kind, failed.code) == ("misconfigured", "redirected")
        assert thief.requests == []


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_of_the_revocation_endpoint_does_not_carry_the_refresh_token_away(egress, status: int) -> None:
    registration = Registration("id", Secret("s"), "https://app.example/cb")
    grant = Grant(Secret("at"), Secret("the-refresh-token"))
    with hostile(answer()) as thief:
        with hostile(answer(b"", f"{status} Go", f"Location: {thief.url}/")) as server:
            with pytest.raises(ProviderError, match="redirected"):
                egress.drive(revoke_token(server.url, registration, grant), provider="p")
            requests.post(server.url, data={"token": "the-refresh-token"}, timeout=3)  # the twin follows
        assert len(thief.requests) == 1
        assert b"the-refresh-token" in thief.requests[0]


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b'["a","list"]', b"", b"null", b"\xff\xfe", b'{"a":NaN}'])
def test_a_success_that_is_no_json_object_is_ambiguous(egress, body: bytes) -> None:
    with hostile(answer(body)) as server:
        assert failure(egress, server).kind == "ambiguous"


@pytest.mark.parametrize("change", [{"token_type": None}, {"token_type": "mac"}, {"token_type": 7}, {"token_type": ""}])
def test_a_token_type_that_is_not_bearer_is_not_taken(egress, change: dict[str, object]) -> None:
    with hostile(answer(json.dumps({**GOOD, **change}).encode())) as server:
        failed = failure(egress, server)
    assert (failed.kind, failed.code) == ("ambiguous", "token_type_unsupported")


def test_a_missing_token_type_is_not_taken(egress) -> None:
    with hostile(answer(b'{"access_token":"at"}')) as server:
        assert failure(egress, server).code == "token_type_unsupported"


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [("-5", 0), ("1e400", MAX_LIFETIME_S), ("1e18", MAX_LIFETIME_S), ('"soon"', None), ('"3600"', 3600), ("true", None),
     ("[1]", None), ("null", None), ("3600.9", 3600), ("9" * 400, MAX_LIFETIME_S)],
)  # fmt: skip
def test_a_lifetime_is_brought_to_sense_and_never_costs_the_token(egress, expires_in: str, seconds: int | None) -> None:
    body = f'{{"access_token":"at","token_type":"bearer","expires_in":{expires_in}}}'
    with hostile(answer(body.encode())) as server:
        assert redeem(egress, server).expires_in_s == seconds


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 40_000 + b"1" + b"}" * 20_000,
        b"[" * 65_000,
        b'{"access_token":"at","token_type":"bearer","expires_in":' + b"9" * 60_000 + b"}",
    ],
)
def test_deep_or_endless_json_is_a_typed_failure(egress, body: bytes) -> None:
    with hostile(answer(body)) as server:
        assert failure(egress, server).kind == "ambiguous"


def test_a_byte_now_and_then_ends_with_the_deadline(make_egress) -> None:
    started = time.monotonic()
    with hostile(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b"{", every_s=0.1)) as server:
        failed = failure(make_egress(deadline_s=0.6), server)
        assert time.monotonic() - started < 5
        assert (failed.kind, failed.code) == ("ambiguous", "no_answer")
        # the twin: a timeout per read is reset by every byte
        started = time.monotonic()
        answered = requests.post(server.url, data=FORM, timeout=0.6, stream=True)
        answered.raw.read(14)
        assert time.monotonic() - started > 1.0
        answered.close()


def test_a_small_archive_of_something_huge_stays_small(make_egress) -> None:
    bomb = gzip_bomb(300 * MEGABYTE)
    assert len(bomb) < 400_000
    with hostile(answer(bomb, "200 OK", "Content-Encoding: gzip")) as server:
        egress = make_egress(max_bytes=4 * MEGABYTE, deadline_s=20)
        assert peak_growth_mb(lambda: failure(egress, server)) < 20
        large = get(server.url, max_bytes=4 * MEGABYTE)
        assert peak_growth_mb(lambda: too_large(egress, large)) < 20
        # the twin: without the cap it unfolds
        twin = make_egress(max_bytes=100 * MEGABYTE, deadline_s=20)
        larger = get(server.url, max_bytes=100 * MEGABYTE)
        assert peak_growth_mb(lambda: too_large(twin, larger)) > 60


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_two_hundred_megabytes_are_not_read(make_egress, framing: str) -> None:
    head = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n",
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "until close": b"HTTP/1.1 200 OK\r\n\r\n",
    }[framing]
    piece = bytes(MEGABYTE)
    with hostile(flood(head, b"100000\r\n" + piece + b"\r\n" if framing == "chunked" else piece, 200)) as server:
        egress = make_egress(deadline_s=20)
        assert peak_growth_mb(lambda: failure(egress, server)) < 20


@pytest.mark.parametrize(
    "endless",
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"T: y\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 60000 + b"\r\nx\r\n"),
    ],
)
def test_endless_headers_trailers_and_chunk_extensions_end(make_egress, endless: tuple[bytes, bytes]) -> None:
    egress = make_egress(deadline_s=60)
    started = time.monotonic()
    with hostile(flood(*endless, 10_000)) as server:
        assert peak_growth_mb(lambda: failure(egress, server)) < 20
    assert time.monotonic() - started < 50


def test_a_token_of_two_hundred_megabytes_or_of_control_characters_is_not_taken(egress) -> None:
    for token in ("a" * (MAX_TOKEN + 1), "a\x00b", "a\nb", "", "ü", "\ud800", 7, None, ["a"]):
        with hostile(answer(json.dumps({**GOOD, "access_token": token}).encode())) as server:
            assert failure(egress, server).code == "access_token_missing"


def test_an_error_inside_a_success_is_an_error(egress) -> None:
    body = b'{"error":"invalid_grant","error_description":"sesame UNIQUE constraint failed"}'
    with hostile(answer(body)) as server:
        failed = failure(egress, server)
    assert failed.kind == "rejected"
    assert "sesame" not in str(failed)


def test_an_answer_that_never_comes_is_ambiguous(egress) -> None:
    with hostile(then_close(b"")) as server:
        assert failure(egress, server).kind == "ambiguous"
