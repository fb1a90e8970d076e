"""C8, C9 and C10 at the application: the provider answers on a real socket, too much, too slowly or from too near."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.egress import Egress, client
from connector.http import create_app
from connector.model.clock import SystemClock
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import make_house
from tests.signing_up import form_of, fresh_start
from tests.standins.hostile import Hostile, answer, drip, gzip_bomb, hostile, peak_growth_mb

pytestmark = pytest.mark.loopback

MEGABYTE = 1024 * 1024
Begun = Callable[..., Any]


@pytest.fixture
def begun(tmp_path: Path, sqlite_store: Store, clock: ManualClock) -> Iterator[Begun]:
    """Sends a person on to a provider: our answer to the form of our page, after the provider was asked where to."""
    opened: list[Egress] = []

    def begin(server: Hostile, **options: Any) -> Any:
        house = make_house(tmp_path, sqlite_store, clock, rehearsal_url=server.url)
        opened.append(Egress(SystemClock(), **{"development": True, "deadline_s": 5.0, **options}))
        browser = create_app(replace(house.gateway, egress=opened[-1])).test_client()
        query = fresh_start(client_id=house.web.id).query
        action, token = form_of(browser.get("/oauth/authorize", query_string=query))
        return browser.post(action, data={"form_token": token, "action": "go", "age": "yes"})

    yield begin
    for each in opened:
        each.close()


# C8: too large ---------------------------------------------------------------------------------------------


def grown_mb(begun: Begun) -> float:
    """How far the gateway's memory rose while a provider's metadata was a small archive of something huge."""
    with hostile(answer(gzip_bomb(100 * MEGABYTE), "200 OK", "Content-Encoding: gzip")) as server:
        return peak_growth_mb(lambda: begun(server))


def test_c8_a_provider_s_archive_of_something_huge_stays_small(begun: Begun) -> None:
    assert grown_mb(begun) < 20


def test_c8_twin_a_reader_that_unpacks_all_that_comes_holds_all_of_it(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(source: Any, _coding: str, _max_bytes: int) -> bytes:
        return zlib.decompress(source.read(MEGABYTE, decode_content=False), 16 + zlib.MAX_WBITS)

    monkeypatch.setattr(client, "read_body", greedy)
    assert grown_mb(begun) > 60


# C9: too slow ----------------------------------------------------------------------------------------------


def sent_on(begun: Begun) -> str:
    """Where a person is sent whose provider drips: half a second was given, and it takes one and a half."""
    with hostile(answer()) as server:
        said = metadata_of(server)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(said) + 15}\r\n\r\n".encode()
        server.behaviour = drip(head + said, b" ", every_s=0.1)
        return str(begun(server, deadline_s=0.5).headers["Location"])


def metadata_of(server: Hostile) -> bytes:
    endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    return json.dumps({"issuer": server.url, **dict.fromkeys(endpoints, f"{server.url}/x")}).encode()


def test_c9_whoever_drips_is_left_at_the_deadline_and_the_person_is_told(begun: Begun) -> None:
    assert "error=temporarily_unavailable" in sent_on(begun)


def test_c9_twin_without_a_deadline_for_the_whole_each_byte_buys_more_time(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Egress, "_deadline", lambda *_args: time.monotonic() + 60)
    assert "/x?response_type=code" in sent_on(begun)


# C10: inside addresses ----------------------------------------------------------------------------------------


def asked_inside(begun: Begun, **options: Any) -> int:
    """How many requests reach a service inside, which an operator was talked into naming as a provider."""
    with hostile(answer()) as inside:
        begun(inside, **options)
        return len(inside.requests)


def test_c10_a_service_inside_is_not_asked(begun: Begun) -> None:
    assert asked_inside(begun, development=False) == 0


def test_c10_twin_by_the_rules_of_development_it_is(begun: Begun) -> None:
    assert asked_inside(begun, development=True) == 1
