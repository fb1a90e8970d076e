from __future__ import annotations

import socket
import threading
import time
import zlib
from ipaddress import ip_address

import pytest
import requests

from connector.egress import Rules
from connector.egress.rules import Address, Refused, Target
from connector.model.errors import TryLater
from providers.errors import ProviderError
from providers.exchange import Exchange, NetworkFailure, Request, Response, get, post_form
from providers.oauth2 import request_tokens
from providers.secret import Secret
from tests.standins.hostile import answer, drip, gzipped, hostile, raw, reset_after, silent, then_close

pytestmark = pytest.mark.loopback

PUBLIC = ip_address("93.184.216.34")
LOOPBACK = ip_address("127.0.0.1")


class Permissive(Rules):
    """The twin: every address, host and port is fine."""

    def target(self, url: str) -> Target:
        return Rules(development=True).target(url.replace("provider.example.com", "x.localhost"))

    def check(self, target: Target, address: Address) -> None:
        return


def failure(egress, url: str, **more) -> NetworkFailure:
    with pytest.raises(NetworkFailure) as raised:
        egress.send(get(url, **more), provider="p")
    return raised.value


def test_a_plain_answer_comes_back_whole(egress) -> None:
    with hostile(answer(b'{"a":1}', "200 OK", "X-Thing: 7")) as server:
        response = egress.send(get(server.url + "/x", {"q": "a b"}), provider="p")
    assert (response.status, response.json(), response.headers["x-thing"]) == (200, {"a": 1}, "7")
    head = server.requests[0].decode()
    assert head.startswith("GET /x?q=a+b HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}" in head
    assert "python" not in head.lower()


def test_a_connection_is_used_again(egress) -> None:
    with hostile(answer()) as server:
        for _ in range(5):
            egress.send(get(server.url), provider="p")
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_connection_that_the_other_side_closed_is_not_used_again(egress) -> None:
    with hostile(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as server:
        for _ in range(3):
            assert egress.send(post_form(server.url, {}), provider="p").status == 200
            time.sleep(0.02)
    assert (server.connections, len(server.requests)) == (3, 3)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_ends_at_once(egress, status: str) -> None:
    with hostile(raw(f"HTTP/1.1 {status}\r\n\r\n".encode())) as server:
        assert egress.send(get(server.url), provider="p").body == b""
        assert egress.send(get(server.url), provider="p").body == b""
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_never_followed(egress, status: int) -> None:
    with hostile(answer()) as elsewhere:
        there = answer(b"", f"{status} Go", f"Location: {elsewhere.url}/steal")
        with hostile(there) as server:
            response = egress.send(post_form(server.url, {"code": "c", "code_verifier": "v"}), provider="p")
            assert response.status == status
            assert elsewhere.requests == []
            # the twin: a client that follows redirects gives code and verifier away
            requests.post(server.url, data={"code": "c", "code_verifier": "v"}, timeout=3)
            assert bool(elsewhere.requests) is True
            assert (b"code=c&code_verifier=v" in elsewhere.requests[0]) is (status in {307, 308})


def test_cookies_are_not_kept(egress) -> None:
    with hostile(answer(b"{}", "200 OK", "Set-Cookie: a=b; Path=/")) as server:
        egress.send(get(server.url), provider="p")
        egress.send(get(server.url), provider="p")
    assert b"cookie" not in server.requests[1].lower()


def test_the_environment_chooses_no_proxy_and_no_password(egress, monkeypatch, tmp_path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with hostile(answer()) as proxy, hostile(answer()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        egress.send(get(server.url), provider="p")
        assert proxy.requests == []
        assert b"Authorization" not in server.requests[0]
        # the twin: with the environment trusted, the request goes to the proxy with a password
        requests.get(server.url, timeout=3)
        assert b"Authorization" in proxy.requests[0]


# ---- where it may go -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_a_public_name_with_an_inside_address_is_refused_before_anything_leaves(make_egress, address: str) -> None:
    egress = make_egress(development=False, resolve=lambda *_: (ip_address(address),))
    failed = failure(egress, "https://provider.example.com/")
    assert (failed.sent, failed.code) == ("no", "address_refused")


def test_one_inside_address_among_public_ones_is_enough_to_refuse(make_egress) -> None:
    egress = make_egress(development=False, resolve=lambda *_: (PUBLIC, LOOPBACK))
    assert failure(egress, "https://provider.example.com/").code == "address_refused"


def test_the_name_is_resolved_once_so_rebinding_finds_no_second_lookup(make_egress) -> None:
    with hostile(answer()) as server:
        answers = [(LOOPBACK,), (ip_address("10.0.0.1"),)]
        asked: list[str] = []

        def rebinding(host: str, port: int, timeout_s: float) -> tuple[Address, ...]:
            asked.append(host)
            return answers[min(len(asked), len(answers)) - 1]

        egress = make_egress(resolve=rebinding)
        url = f"http://provider.localhost:{server.port}/"
        assert egress.send(get(url), provider="p").status == 200
        assert egress.send(get(url), provider="p").status == 200
    assert asked == ["provider.localhost"]
    assert f"Host: provider.localhost:{server.port}".encode() in server.requests[0]


def test_with_permissive_rules_the_same_request_reaches_the_inside(make_egress) -> None:
    with hostile(answer(b'{"inside": true}')) as server:
        url = f"http://127.0.0.1:{server.port}/latest/meta-data"
        assert failure(make_egress(development=False), url).code == "scheme_refused"
        assert server.requests == []
        twin = make_egress(development=False, rules=Permissive())
        assert twin.send(get(url), provider="p").json() == {"inside": True}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://0/",
        "https://127.1/",
        "https://2130706433/",
        "https://localhost./",
        "https://ok@evil",
    ],
)
def test_a_refused_url_is_refused_through_the_client_too(make_egress, url: str) -> None:
    assert failure(make_egress(development=False), url).sent == "no"


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: 1"}, {"A\r\nB": "x"}, {"X": "a\nb"}])
def test_a_header_cannot_carry_another(egress, headers: dict[str, str]) -> None:
    with hostile(answer()) as server:
        failed = failure(egress, server.url, headers=headers)
    assert (failed.sent, failed.code, server.requests) == ("no", "request_unreadable", [])


def test_an_adapter_cannot_choose_host_framing_or_coding(egress) -> None:
    with hostile(answer()) as server:
        own = {"Host": "evil", "Transfer-Encoding": "chunked", "Content-Length": "7", "Accept-Encoding": "br"}
        egress.send(get(server.url, headers=own), provider="p")
    head = server.requests[0].lower()
    assert b"evil" not in head
    assert b"transfer-encoding" not in head
    assert b"accept-encoding: gzip, deflate\r\n" in head


def test_unknown_methods_are_refused(egress) -> None:
    with pytest.raises(NetworkFailure, match="method_refused"):
        egress.send(Request("CONNECT", "http://127.0.0.1:1/"), provider="p")


# ---- sent or not -----------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_proven_unsent(egress) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    failed = failure(egress, f"http://127.0.0.1:{port}/")
    assert (failed.sent, failed.code) == ("no", "connect_failed")


def test_a_name_that_does_not_exist_is_proven_unsent(make_egress) -> None:
    def nobody(*_: object) -> tuple[Address, ...]:
        raise OSError("no such host")

    failed = failure(make_egress(resolve=nobody), "https://provider.example.com/")
    assert (failed.sent, failed.code) == ("no", "dns_failed")


def test_a_lookup_that_hangs_ends_with_the_deadline(make_egress, monkeypatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    started = time.monotonic()
    failed = failure(make_egress(deadline_s=0.2), "https://provider.example.com/")
    release.set()
    assert (failed.sent, failed.code) == ("no", "dns_timeout")
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    "behaviour",
    [
        then_close(b""),
        then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        reset_after(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        then_close(b"not http at all\r\n\r\n"),
        then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        then_close(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_a_broken_answer_may_have_been_acted_on(egress, behaviour) -> None:
    with hostile(behaviour) as server:
        failed = failure(egress, server.url)
    assert (failed.sent, failed.code) == ("maybe", "broken_answer")
    assert len(server.requests) == 1  # nothing is sent twice


@pytest.mark.parametrize(
    "behaviour",
    [
        silent,
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)
def test_whatever_drips_ends_with_the_total_deadline(make_egress, behaviour) -> None:
    egress = make_egress(deadline_s=0.5)
    started = time.monotonic()
    with hostile(behaviour) as server:
        failed = failure(egress, server.url)
        assert 0.4 < time.monotonic() - started < 5  # what drips goes on for longer
    assert (failed.sent, failed.code) == ("maybe", "deadline")


def test_a_reader_that_takes_nothing_ends_with_the_deadline(make_egress) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        request = Request("POST", url, body=bytes(32 * 1024 * 1024))
        started = time.monotonic()
        with pytest.raises(NetworkFailure, match=r"deadline \(sent: maybe\)"):
            make_egress(deadline_s=0.4).send(request, provider="p")
        assert time.monotonic() - started < 10


def test_a_failure_says_nothing_of_what_was_sent(egress) -> None:
    with hostile(then_close(b"")) as server, pytest.raises(NetworkFailure) as raised:
        egress.send(post_form(server.url + "/t?x=sesame", {"code": "sesame"}, bearer=Secret("sesame")), provider="p")
    assert "sesame" not in repr(raised.value) + str(raised.value)
    assert raised.value.__cause__ is None


# ---- how much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", gzipped(b'{"a":1}')), ("x-gzip", gzipped(b'{"a":1}')), ("deflate", zlib.compress(b'{"a":1}')),
     ("deflate", zlib.compress(b'{"a":1}')[2:-4]), ("identity", b'{"a":1}')],
)  # fmt: skip
def test_gzip_and_deflate_are_unpacked(egress, coding: str, body: bytes) -> None:
    with hostile(answer(body, "200 OK", f"Content-Encoding: {coding}")) as server:
        assert egress.send(get(server.url), provider="p").json() == {"a": 1}


@pytest.mark.parametrize(
    ("coding", "body", "code"),
    [
        ("br", b"x", "encoding_refused"),
        ("gzip, gzip", gzipped(gzipped(b"{}")), "encoding_refused"),
        ("zstd", b"x", "encoding_refused"),
        ("gzip", b"not gzip", "garbled"),
        ("gzip", gzipped(b"{}")[:-4], "truncated"),
        ("gzip", gzipped(b"{}") + b"tail", "garbled"),
        ("gzip", gzipped(bytes(70_000)), "too_large"),
        ("", bytes(70_000), "too_large"),
    ],
)
def test_other_codings_and_broken_or_large_ones_are_refused(egress, coding: str, body: bytes, code: str) -> None:
    with hostile(answer(body, "200 OK", f"Content-Encoding: {coding}")) as server:
        failed = failure(egress, server.url)
    assert (failed.sent, failed.code) == ("maybe", code)


def test_a_body_of_exactly_the_cap_is_taken(egress) -> None:
    with hostile(answer(gzipped(bytes(1000)), "200 OK", "Content-Encoding: gzip")) as server:
        assert len(egress.send(get(server.url, max_bytes=1000), provider="p").body) == 1000
        assert failure(egress, server.url, max_bytes=999).code == "too_large"


def test_headers_are_capped(egress) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 4000) for number in range(50))
    with hostile(raw(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n")) as server:
        assert failure(egress, server.url).code == "too_large"


# ---- bulkhead and circuit --------------------------------------------------------------------------------------------


def test_a_slow_provider_fills_its_own_bulkhead_and_no_other(make_egress) -> None:
    egress = make_egress(bulkhead=2, deadline_s=1.0)
    with hostile(silent) as slow, hostile(answer()) as quick:
        threads = [threading.Thread(target=lambda: failure(egress, slow.url)) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        with pytest.raises(TryLater) as full:
            egress.send(get(slow.url), provider="p")
        assert (full.value.code, full.value.retry_after_s) == ("provider_busy", 1)
        assert egress.send(get(quick.url), provider="q").status == 200
        for thread in threads:
            thread.join()
        assert failure(egress, slow.url).code == "deadline"  # places are given back


def test_without_a_bulkhead_every_caller_waits(make_egress) -> None:
    twin = make_egress(bulkhead=100, deadline_s=0.5)
    with hostile(silent) as slow:
        threads = [threading.Thread(target=lambda: failure(twin, slow.url)) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert slow.connections == 8
        for thread in threads:
            thread.join()


def test_a_host_that_does_not_answer_is_left_alone_and_tried_again_by_one_call(make_egress) -> None:
    egress = make_egress(circuit_threshold=3, circuit_pause_s=0.3)
    with hostile(then_close(b"")) as server:
        for _ in range(3):
            assert failure(egress, server.url).code == "broken_answer"
        failed = failure(egress, server.url)
        assert (failed.sent, failed.code) == ("no", "circuit_open")
        assert len(server.requests) == 3
        time.sleep(0.35)
        server.behaviour = answer()
        assert egress.send(get(server.url), provider="p").status == 200
        assert egress.send(get(server.url), provider="p").status == 200


def test_without_a_circuit_every_call_goes_out(make_egress) -> None:
    twin = make_egress(circuit_threshold=10**9)
    with hostile(then_close(b"")) as server:
        for _ in range(10):
            failure(twin, server.url)
    assert len(server.requests) == 10


def test_what_a_host_answers_or_a_rule_refuses_does_not_open_the_circuit(make_egress) -> None:
    egress = make_egress(circuit_threshold=1)
    with hostile(answer(b"", "500 Oops")) as server:
        assert [egress.send(get(server.url), provider="p").status for _ in range(3)] == [500, 500, 500]
        server.behaviour = answer(bytes(100))
        assert failure(egress, server.url, max_bytes=10).code == "too_large"
        assert egress.send(get(server.url), provider="p").status == 200


# ---- driving ---------------------------------------------------------------------------------------------------------


def test_an_exchange_is_driven_to_its_result_and_observed(egress) -> None:
    def twice(url: str) -> Exchange[int]:
        first = yield get(url + "/1")
        second = yield get(url + "/2")
        return first.status + second.status

    seen: list[tuple[str, object]] = []
    with hostile(answer()) as server:
        result = egress.drive(
            twice(server.url), provider="p", observe=lambda asked, got: seen.append((asked.url[-2:], type(got)))
        )
    assert result == 400
    assert seen == [("/1", Response), ("/2", Response)]


def test_an_exchange_that_asks_nothing_needs_no_network(egress) -> None:
    def nothing() -> Exchange[str]:
        yield from ()
        return "done"

    assert egress.drive(nothing(), provider="p") == "done"


def test_a_failure_is_thrown_into_the_exchange_which_sorts_it(egress) -> None:
    seen: list[object] = []
    with hostile(then_close(b"")) as server, pytest.raises(ProviderError) as error:
        egress.drive(
            request_tokens(post_form(server.url, {}), now=0), provider="p", observe=lambda _, got: seen.append(got)
        )
    assert error.value.kind == "ambiguous"
    assert isinstance(seen[0], NetworkFailure)


def test_the_whole_exchange_has_one_deadline(make_egress) -> None:
    def many(url: str) -> Exchange[None]:
        while True:
            yield get(url)

    def slow(conn: socket.socket) -> None:
        time.sleep(0.15)
        answer()(conn)

    started = time.monotonic()
    with hostile(slow) as server, pytest.raises(NetworkFailure):
        make_egress().drive(many(server.url), provider="p", deadline_s=0.5)
    assert time.monotonic() - started < 5
    assert 2 <= len(server.requests) <= 4


def test_a_place_is_given_back_when_an_exchange_fails(make_egress) -> None:
    def fails() -> Exchange[None]:
        yield from ()
        raise ProviderError("denied", "no", "No.")

    egress = make_egress(bulkhead=1)
    for _ in range(3):
        with pytest.raises(ProviderError):
            egress.drive(fails(), provider="p")


def test_callers_share_the_client_without_mixing_answers(egress) -> None:
    results: list[bool] = []

    def call(number: int) -> None:
        for step in range(20):
            path = f"/{number}/{step}"
            with hostile(answer(path.encode())) as own:
                results.append(egress.send(get(own.url + path), provider=str(number)).body == path.encode())

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 120


def test_two_readings_of_one_url_are_refused(make_egress) -> None:
    class Fooled(Rules):
        def target(self, url: str) -> Target:
            return Target("https", "other.example.com", 443)

    assert failure(make_egress(rules=Fooled()), "https://provider.example.com/").code == "url_ambiguous"


def test_refused_is_typed() -> None:
    with pytest.raises(Refused) as refused:
        Rules().target("http://x")
    assert refused.value.code
