"""The adapters driven by the gateway's own outbound client, against stand-ins on loopback."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from connector.egress.client import Egress
from connector.model.clock import SystemClock
from providers.capabilities import Grant, Registration
from providers.errors import ProviderError
from providers.facebook import Facebook
from providers.github import GitHub
from providers.google import Google
from providers.rehearsal import Rehearsal
from providers.rehearsal.server import start
from providers.rehearsal.server.state import State
from providers.secret import Secret
from tests.standins import facebook, github, google
from tests.standins.driver import ask, callback
from tests.standins.serving import serving

pytestmark = pytest.mark.loopback

CALLBACK = "http://127.0.0.1:8080/callback/int_1"
ALL = frozenset({"profile", "contact"})


@pytest.fixture
def egress() -> Iterator[Egress]:
    client = Egress(SystemClock(), development=True)
    yield client
    client.close()


def redeem(
    egress: Egress, adapter: Any, registration: Registration, form: list[tuple[str, str]] | None = None
) -> Grant:
    """Through the browser's part by a plain request, then the exchange by our own client."""
    url = urlsplit(egress.drive(adapter.authorization_url(registration, ask()), provider="p"))
    browser = http.client.HTTPConnection(url.netloc, timeout=30)
    if form is None:
        browser.request("GET", f"{url.path}?{url.query}")
    else:
        given = [(name, values[0]) for name, values in parse_qs(url.query).items()]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        browser.request("POST", url.path, urlencode([*given, *form]), headers)
    answer = browser.getresponse()
    query = parse_qs(urlsplit(answer.getheader("Location") or "").query)
    browser.close()
    brought = callback({name: values[0] for name, values in query.items()})
    return egress.drive(adapter.redeem(registration, brought, ask(), now=now()), provider="p")


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("standin", "adapter", "client_id", "secret", "scopes"),
    [
        (facebook, Facebook(), facebook.APP_ID, facebook.APP_SECRET, ("public_profile", "email")),
        (google, Google(), google.CLIENT_ID, google.CLIENT_SECRET, ("openid", "profile", "email")),
        (github, GitHub(), github.CLIENT_ID, github.CLIENT_SECRET, ("user",)),
    ],
    ids=["facebook", "google", "github"],
)
def test_a_person_signs_in_is_read_and_leaves_over_the_wire(
    egress: Egress, standin: Any, adapter: Any, client_id: str, secret: str, scopes: tuple[str, ...]
) -> None:
    with serving(standin.create_app()) as base:
        settings = {"base_url": base}
        registration = Registration(client_id, Secret(secret), CALLBACK, "", scopes, settings, development=True)

        grant = redeem(egress, adapter, registration)
        account = egress.drive(adapter.account(registration, grant), provider="p")
        page = egress.drive(adapter.profile(registration, grant, ALL), provider="p")
        revoked = egress.drive(adapter.revoke(registration, grant), provider="p")
        with pytest.raises(ProviderError) as caught:
            egress.drive(adapter.profile(registration, grant, ALL), provider="p")

    assert account.claims["email"] == "ada@example.org"
    assert page.items[0].values
    assert revoked.outcome == "confirmed"
    assert caught.value.kind == "rejected"


def test_the_oracle_counts_refreshes_that_run_at_once(egress: Egress) -> None:
    """What a caller without single flight does to a strict provider: it loses the grant, and the oracle saw why."""
    form = [("person", "ada"), ("decision", "approve"), ("granted", "profile")]
    with start() as server:
        state: State = server.app.extensions["rehearsal"]
        state.config.rotation = "strict"
        server.app.test_client().post(
            "/_control/faults", json=[{"endpoint": "token", "kind": "delay", "delay_s": 0.3, "skip": 1}]
        )
        registration = Registration(
            "app", Secret("rehearsal-secret"), CALLBACK, server.url, ("openid", "profile"), development=True
        )
        adapter = Rehearsal()
        grant = redeem(egress, adapter, registration, form)
        outcomes: list[str] = []

        def refresh() -> None:
            try:
                egress.drive(adapter.refresh(registration, grant, now=now()), provider="p")
            except ProviderError as error:
                outcomes.append(error.kind)
            else:
                outcomes.append("refreshed")

        threads = [threading.Thread(target=refresh) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report = state.oracle.report()

    assert sorted(outcomes) == ["refreshed", "rejected", "rejected"]
    assert list(report["most_at_once"].values()) == [3]
    assert [event["event"] for event in report["reuse"]] == ["refresh_reuse"]
