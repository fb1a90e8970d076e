"""`connector integrations add --register`: a server that gives out credentials by itself is asked for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.cli import registering
from providers import catalogue
from providers.exchange import Response
from tests.standins.by_entry import CLIENT_ID, CLIENT_SECRET, Provider
from tests.standins.by_entry.refusing import as_json

ADD = ("integrations", "add", "--tenant", "shop")
MASTODON = (*ADD, "mastodon", "--setting", "host=mastodon.social", "--register")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """mastodon.social, in this process."""
    provider = Provider(catalogue.entry("mastodon"))
    monkeypatch.setattr(registering, "Egress", lambda *_, **__: Door(provider.answer))
    return provider


class Door:
    """The door out, to one server."""

    def __init__(self, answer: Callable[[Any], Response]) -> None:
        self._answer = answer

    def drive(self, exchange: Any, *, provider: str) -> Any:
        assert provider.startswith("int_")
        request = next(exchange)
        assert request.url == "https://mastodon.social/api/v1/apps"
        try:
            exchange.send(self._answer(request))
        except StopIteration as end:
            return end.value
        raise AssertionError("one request is enough")

    def close(self) -> None:
        pass


def test_a_server_gives_the_credentials_for_this_very_callback(desk, server, monkeypatch) -> None:
    asked = []

    def remembered(request: Any) -> Response:
        asked.append(request.body.decode())
        return as_json(200, {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})

    monkeypatch.setattr(registering, "Egress", lambda *_, **__: Door(remembered))

    made = desk.json(*MASTODON)

    assert made["client_id"] == CLIENT_ID
    assert made["settings"] == {"host": "mastodon.social"}
    assert made["callback_url"].endswith(f"/callback/{made['id']}")
    assert made["id"] in asked[0]
    assert [one["id"] for one in desk.json("integrations", "list") if one["provider"] == "mastodon"] == [made["id"]]
    assert CLIENT_SECRET not in str(made)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("mastodon", "--register"), "host"),  # which server?
        (("mastodon", "--setting", "host=127.0.0.1", "--register"), "does not fit"),
        (("mastodon", "--setting", "host=mastodon.social", "--register", "--client-id", "x"), "leave the others out"),
        (("mastodon", "--setting", "host=mastodon.social"), "--register"),
        (("github", "--register"), "by hand"),
    ],
)
def test_what_cannot_be_registered_is_told_and_nothing_is_sent(desk, server, words, sentence) -> None:
    done = desk.run(*ADD, *words)

    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response(422, {}, b'{"error": "Redirect URI must be an absolute URI."}'), 2),
        (Response(200, {}, b'{"client_id": "x"}'), 2),
        (Response(503, {}, b""), 1),
    ],
)
def test_a_server_that_refuses_or_fails_leaves_nothing_behind(desk, server, monkeypatch, answer, code) -> None:
    monkeypatch.setattr(registering, "Egress", lambda *_, **__: Door(lambda _: answer))

    done = desk.run(*MASTODON)

    assert done.exit_code == code, done.stderr
    assert "absolute URI" not in done.stderr
    assert [one for one in desk.json("integrations", "list") if one["provider"] == "mastodon"] == []
