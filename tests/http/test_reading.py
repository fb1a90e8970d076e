"""How requests are read: bodies, queries, pages, proxies."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request

from connector.http.pagination import page, read_cursor, wanted, write_cursor
from connector.http.proxies import TrustedProxies
from connector.http.request import MERGE_PATCH, StrictRequest, UnsupportedMediaType, form, json_body, query
from connector.model.errors import BadInput


class _App(Flask):
    request_class = StrictRequest


APP = _App("reading")


def body(data: bytes, content_type: str = "application/json", **parts: Any) -> dict[str, Any]:
    with APP.test_request_context("/", method="POST", data=data, content_type=content_type):
        return json_body(**parts)


def test_a_json_object_is_read() -> None:
    assert body(b'{"a": [1, "\xc3\xbc"]}') == {"a": [1, "ü"]}
    assert body(b"{}", "application/json; charset=utf-8") == {}
    assert body(b"{}", MERGE_PATCH, media_type=MERGE_PATCH) == {}
    assert body(b"", "", required=False) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"7",
        b'"x"',
        b"null",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\\ud800"}',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 200_000,
        b'{"a":' * 40_000,
        b'{"a":' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_json_object_or_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        body(data)
    assert caught.value.code == "bad_json"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", MERGE_PATCH])
def test_json_is_taken_as_json_alone(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        body(b"{}", content_type)


def test_a_form_field_without_value_counts_as_absent() -> None:
    with APP.test_request_context("/", method="POST", data={"a": "1", "b": ""}):
        assert form() == {"a": "1"}


@pytest.mark.parametrize("url", ["/?a=1&a=1", "/?a=%00", "/?a=%ff", "/?a=" + "x" * 20_000, "/?stranger=1"])
def test_a_query_that_is_ambiguous_unreadable_or_unknown_is_refused(url: str) -> None:
    with APP.test_request_context(url), pytest.raises(BadInput):
        query(("a",))


def test_a_query_may_be_open_to_any_name() -> None:
    with APP.test_request_context("/?a=1&b=2&c="):
        assert query() == {"a": "1", "b": "2"}


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "²", "9" * 50, " 1"])
def test_a_page_has_one_to_two_hundred_items(limit: str) -> None:
    with pytest.raises(BadInput) as caught:
        wanted({"limit": limit})
    assert caught.value.code == "bad_limit"
    assert wanted({"limit": "200"}).limit == 200
    assert wanted({}).limit == 50


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "bnVsbA", "W1tdXQ", "W3RydWVd", "!" * 9, "A" * 10_000, "ü"])
def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_cursor(cursor)
    assert caught.value.code == "bad_cursor"


def test_pages_follow_each_other_to_the_end() -> None:
    items = list(range(1, 8))
    seen: list[int] = []
    after: dict[str, str] = {}
    while True:
        which = wanted({"limit": "3"} | after)
        start = int(which.after[0]) if which.after else 0
        found = page([n for n in items if n > start][:4], which, show=lambda n: n, place=lambda n: (n, "x"))
        seen += found["items"]
        if found["next"] is None:
            break
        after = {"cursor": found["next"]}
    assert seen == items
    assert read_cursor(write_cursor((7, "x"))) == (7, "x")


def peer(networks: tuple[str, ...], remote: str, forwarded: str | None, **headers: str) -> tuple[str, list[str]]:
    app = Flask("peer")
    seen: list[tuple[str, list[str]]] = []

    @app.get("/")
    def view() -> str:
        seen.append((request.remote_addr or "", [name for name in request.environ if "FORWARDED" in name]))
        return request.host_url

    given = headers | ({"X-Forwarded-For": forwarded} if forwarded is not None else {})
    app.wsgi_app = TrustedProxies(app.wsgi_app, networks)
    app.test_client().get("/", headers=given, environ_base={"REMOTE_ADDR": remote})
    return seen[0]


@pytest.mark.parametrize(
    ("networks", "remote", "forwarded", "believed"),
    [
        ((), "10.0.0.1", "1.2.3.4", "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", None, "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", "1.2.3.4", "1.2.3.4"),
        (("10.0.0.0/8",), "9.9.9.9", "1.2.3.4", "9.9.9.9"),
        (("10.0.0.0/8",), "10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", "", "10.0.0.1"),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
        (("fd00::/8",), "fd00::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_only_a_trusted_proxy_is_believed(
    networks: tuple[str, ...], remote: str, forwarded: str | None, believed: str
) -> None:
    others = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "for=6.6.6.6"}
    assert peer(networks, remote, forwarded, **others) == (believed, [])
