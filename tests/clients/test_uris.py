"""Which URIs may be registered."""

from __future__ import annotations

import pytest

from connector.clients.uris import redirect_uris
from connector.model.errors import BadInput

GOOD = [
    "https://app.example.org/callback",
    "https://app.example.org:8443/callback?tenant=a",
    "https://[2001:db8::1]/cb",
    "https://app.example.org",
]
LOCAL = ["http://127.0.0.1:8070/callback", "http://localhost/cb", "http://[::1]:9/cb", "http://app.localhost/cb"]
BAD = [
    "",
    "/callback",
    "app.example.org/callback",
    "//app.example.org/callback",
    "https:app.example.org",
    "https:///callback",
    "ftp://app.example.org/",
    "javascript:alert(1)",
    "data:text/html,x",
    "myapp://callback",
    "http://app.example.org/callback",
    "https://app.example.org/callback#part",
    "https://app.example.org/callback#",
    "https://user@app.example.org/callback",
    "https://user:pw@app.example.org/callback",
    "https://*.example.org/callback",
    "https://app.example.org/a/../callback",
    "https://app.example.org/a/%2e%2E/callback",
    "https://app.example.org/./callback",
    "https://app.example.org\\@evil.example/",
    "https://app.example.org/call back",
    "https://app.example.org/\r\nX: y",
    "https://app.example.org/\x00",
    "https://äpp.example.org/",
    "https://app.example.org:port/",
    "https://app.example.org:99999/",
    "https://[::1/",
    "https://app.example.org/" + "x" * 2000,
]


@pytest.mark.parametrize("uri", GOOD)
def test_an_https_uri_is_registered_as_written(uri: str) -> None:
    assert redirect_uris([uri], development=False) == (uri,)


@pytest.mark.parametrize("uri", LOCAL)
def test_http_is_for_loopback_in_development_alone(uri: str) -> None:
    assert redirect_uris([uri], development=True) == (uri,)
    with pytest.raises(BadInput):
        redirect_uris([uri], development=False)


@pytest.mark.parametrize("uri", BAD)
@pytest.mark.parametrize("development", [True, False])
def test_anything_else_is_refused_with_a_way_to_mend_it(uri: str, development: bool) -> None:
    with pytest.raises(BadInput, match="cannot be registered: "):
        redirect_uris([uri], development=development)


def test_a_uri_given_twice_is_kept_once() -> None:
    assert redirect_uris([GOOD[0], GOOD[0]], development=False) == (GOOD[0],)
