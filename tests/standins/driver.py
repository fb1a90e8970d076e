"""Drives an adapter's exchange against a stand-in in this process: no socket, and a record of what was asked."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from flask import Flask

from providers.capabilities import Ask, Callback
from providers.exchange import Exchange, NetworkFailure, Request, Response
from providers.secret import Secret

T = TypeVar("T")


class Driver:
    """Sends every request to one WSGI app, whatever its host, and remembers them."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.requests: list[Request] = []

    def run(self, exchange: Exchange[T]) -> T:
        """The exchange's result."""
        try:
            request = next(exchange)
            while True:
                try:
                    response = self.send(request)
                except ConnectionError:
                    request = exchange.throw(NetworkFailure("maybe", "hung_up"))
                else:
                    request = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result

    def send(self, request: Request) -> Response:
        """One request, as the app answers it."""
        self.requests.append(request)
        parts = urlsplit(request.url)
        answer = self.app.test_client().open(
            parts.path or "/",
            method=request.method,
            query_string=parts.query,
            headers=dict(request.headers),
            data=request.body,
            base_url=f"{parts.scheme}://{parts.netloc}",
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.get_data())

    def browse(self, url: str, **form: Any) -> dict[str, str]:
        """What the provider's redirect brings back, when the browser opens `url` (or posts `form` there)."""
        parts = urlsplit(url)
        client, base = self.app.test_client(), f"{parts.scheme}://{parts.netloc}"
        if form:
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = client.post(parts.path, data={**given, **form}, base_url=base)
        else:
            answer = client.get(parts.path, query_string=parts.query, base_url=base)
        assert answer.status_code in (302, 303), answer.get_data(as_text=True)
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}


def ask(scopes: tuple[str, ...] = (), **more: Any) -> Ask:
    """An authorization request as a flow would make it."""
    return Ask(Secret("s" * 43), Secret("n" * 43), Secret("v" * 43), scopes, **more)


def callback(brought: dict[str, str]) -> Callback:
    """The callback, from what the redirect brought."""
    return Callback(Secret(brought["code"]), brought.get("iss"))
