"""The pretend provider on a real socket: failures that only a connection can have, and signals that it posts."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from providers.rehearsal.server import Client, Config, run, start
from providers.rehearsal.server.run import read_faults
from providers.rehearsal.server.signals import signed

pytestmark = pytest.mark.loopback


@pytest.fixture
def server():
    with start("127.0.0.1:0", Config(clients={"app": Client("secret")})) as running:
        yield running


def call(url: str, method: str = "GET", body: object = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, parts.path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_issuer_is_where_it_is_served(server):
    status, body = call(f"{server.url}/.well-known/openid-configuration")

    assert status == 200
    assert json.loads(body)["issuer"] == server.url


@pytest.mark.parametrize("kind", ["hang_up_before", "hang_up_after"])
def test_a_hang_up_ends_the_connection_without_an_answer(server, kind):
    call(f"{server.url}/_control/faults", "POST", [{"endpoint": "jwks", "kind": kind, "count": 1}])

    with pytest.raises(http.client.RemoteDisconnected):
        call(f"{server.url}/jwks")
    assert call(f"{server.url}/jwks")[0] == 200


def test_a_truncated_answer_is_shorter_than_it_says(server):
    call(f"{server.url}/_control/faults", "POST", [{"endpoint": "jwks", "kind": "truncated", "count": 1}])

    with pytest.raises(http.client.IncompleteRead):
        call(f"{server.url}/jwks")


def test_a_huge_answer_is_as_huge_as_asked(server):
    call(f"{server.url}/_control/faults", "POST", [{"endpoint": "jwks", "kind": "huge", "bytes": 100_000, "count": 1}])

    assert len(call(f"{server.url}/jwks")[1]) > 100_000


def test_a_signal_is_posted_signed_and_ends_the_grants(server):
    seen: list[tuple[str | None, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Rehearsal-Signature"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's own name
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = threading.Thread(target=receiver.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{receiver.server_port}/signals/int_1/rehearsal-deauthorize"
        status, _ = call(
            f"{server.url}/_control/deauthorize", "POST", {"person": "ada", "client_id": "app", "url": url}
        )
        thread.join()

    ((signature, body),) = seen
    assert status == 200
    assert signature == signed("secret", body)
    assert json.loads(body)["subject"] == "ada"


def test_an_address_that_is_none_says_how_to_write_one():
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:8090"):
        run("8090")


def test_a_file_of_faults_must_hold_a_list(tmp_path):
    path = tmp_path / "faults.json"
    path.write_text('{"endpoint": "token"}')

    with pytest.raises(ValueError, match="JSON list"):
        read_faults(path)
