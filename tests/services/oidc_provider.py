"""`oidc-provider` from npm as a live peer: sign-in, rotation of refresh tokens, revocation, introspection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.services.node import NodeScript

_MOST_STEPS = 12


class OidcProvider:
    """A running provider. Any login signs in; its claims follow from the login."""

    def __init__(self, script: NodeScript) -> None:
        self.script = script
        self.issuer: str = script.hear()["issuer"]
        self.metadata: dict[str, Any] = requests.get(
            f"{self.issuer}/.well-known/openid-configuration", timeout=30
        ).json()

    def register(self, *redirect_uris: str, **more: Any) -> dict[str, Any]:
        """A new client by dynamic registration (RFC 7591): `client_id`, `client_secret`, …"""
        wanted = {
            "redirect_uris": list(redirect_uris),
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic",
            **more,
        }
        answer = requests.post(self.metadata["registration_endpoint"], json=wanted, timeout=30)
        answer.raise_for_status()
        client: dict[str, Any] = answer.json()
        return client

    def sign_in(self, authorization_url: str, login: str, *, allow: bool = True) -> str:
        """Play the person's browser at the provider; the URL it is sent back to, unvisited."""
        with requests.Session() as browser:
            answer = browser.get(authorization_url, allow_redirects=False, timeout=30)
            for _ in range(_MOST_STEPS):
                if answer.is_redirect:
                    target = urljoin(answer.url, answer.headers["Location"])
                    if not target.startswith(self.issuer):
                        return target
                    answer = browser.get(target, allow_redirects=False, timeout=30)
                else:
                    answer = self._fill(browser, answer, login, allow=allow)
        raise AssertionError(f"no way back from the provider; it said: {answer.text[:500]}")

    def _fill(
        self, browser: requests.Session, page: requests.Response, login: str, *, allow: bool
    ) -> requests.Response:
        assert page.ok, page.text
        if not allow:
            return browser.get(f"{page.url}/abort", allow_redirects=False, timeout=30)
        if 'value="login"' in page.text:
            form = {"prompt": "login", "login": login, "password": "any"}
        else:
            form = {"prompt": "consent"}
        return browser.post(page.url, data=form, allow_redirects=False, timeout=30)

    def introspect(self, client: dict[str, Any], token: str) -> dict[str, Any]:
        """What the provider says of a token (RFC 7662)."""
        answer = requests.post(
            self.metadata["introspection_endpoint"],
            data={"token": token},
            auth=(client["client_id"], client["client_secret"]),
            timeout=30,
        )
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said


@pytest.fixture
def start_oidc_provider(node_peers: Path) -> Iterator[Callable[..., OidcProvider]]:
    """A function that starts a provider with options of `oidc-provider.mjs`, such as `accessTokenTtl=2`."""
    with ExitStack() as running:

        def start(**options: Any) -> OidcProvider:
            script = NodeScript("oidc-provider.mjs", options)
            running.enter_context(closing(script))
            return OidcProvider(script)

        yield start


@pytest.fixture
def oidc_provider(start_oidc_provider: Callable[..., OidcProvider]) -> OidcProvider:
    """A provider with its defaults: tokens live an hour, refresh tokens rotate."""
    return start_oidc_provider()
