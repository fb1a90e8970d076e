"""Who plays: a web app and a worker, each with nothing but its client id and secret, and Rehearsal's own view."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, cast

import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from connector.demo.stage import Stage

TIMEOUT_S = 30.0
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SKEW_S = 60


class Surprise(AssertionError):
    """A step did not hold. The message says what was expected, and what came instead."""


def hold(condition: object, expected: str, got: object = "") -> None:
    """Go on only if the condition holds. Raises Surprise."""
    if not condition:
        raise Surprise(f"Expected {expected}{f'; got {got}' if got != '' else ''}")


class Caller:
    """A client of the gateway: authenticates with its secret, and calls the API with tokens that it asks for."""

    def __init__(self, stage: Stage, credentials: tuple[str, str]) -> None:
        self.stage = stage
        self.credentials = credentials
        self._http = requests.Session()
        self._http.trust_env = False
        self._bearer = ""

    def post_form(self, path: str, fields: Mapping[str, str]) -> requests.Response:
        """An OAuth request with client_secret_basic."""
        return self._http.post(
            f"{self.stage.gateway}{path}", data=fields, auth=self.credentials, timeout=TIMEOUT_S, allow_redirects=False
        )

    def call(self, method: str, path: str, body: object = None, **query: str) -> requests.Response:
        """A request of the JSON API, with a token by client credentials."""
        if not self._bearer:
            answer = self.post_form("/oauth/token", {"grant_type": "client_credentials"})
            hold(answer.ok, "a token by client credentials", answer.text)
            self._bearer = str(answer.json()["access_token"])
        headers = {"Authorization": f"Bearer {self._bearer}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return self._http.request(
            method, f"{self.stage.gateway}{path}", params=query, json=body, headers=headers, timeout=TIMEOUT_S
        )


class WebApp(Caller):
    """The backend of a web app."""

    def begin(self, **more: str) -> dict[str, str]:
        """A fresh authorization request with PKCE (RFC 7636), and the verifier to keep."""
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.credentials[0],
            "redirect_uri": self.stage.callback,
            "scope": "openid profile email contacts",
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **more,
        }

    def redeem(self, code: str) -> requests.Response:
        """Our code, with the verifier that only this app has."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.stage.callback,
            "code_verifier": self.verifier,
        }
        return self.post_form("/oauth/token", fields)

    def checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core section 3.1.3.7). Raises Surprise."""
        keys = KeySet.import_key_set(self._http.get(f"{self.stage.gateway}/oauth/jwks", timeout=TIMEOUT_S).json())
        token = jwt.decode(id_token, keys, algorithms=["RS256"])
        rules = jwt.JWTClaimsRegistry(
            leeway=SKEW_S,
            iss={"essential": True, "value": self.stage.gateway},
            aud={"essential": True, "value": self.credentials[0]},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
        )
        rules.validate(token.claims)
        return cast("dict[str, Any]", dict(token.claims))


class Worker(Caller):
    """A background process of the app's: knows connections by their ids, and asks for tokens when it needs one."""

    def exchange(self, connection: str, **more: str) -> requests.Response:
        """A provider token for a connection (RFC 8693)."""
        fields = {
            "grant_type": EXCHANGE,
            "subject_token": connection,
            "subject_token_type": f"{self.stage.gateway}/token-type/connection",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            **more,
        }
        return self.post_form("/oauth/token", fields)


class Rehearsal:
    """The provider as its own staff see it: what was asked of it, which tokens live, what was written."""

    def __init__(self, stage: Stage) -> None:
        self._url = stage.rehearsal
        self._http = requests.Session()
        self._http.trust_env = False

    def me(self, access_token: str) -> requests.Response:
        """The profile, with a provider token."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return self._http.get(f"{self._url}/me", headers=headers, timeout=TIMEOUT_S)

    def log(self) -> dict[str, Any]:
        """Everything it saw."""
        return cast("dict[str, Any]", self._http.get(f"{self._url}/_control/log", timeout=TIMEOUT_S).json())

    def set(self, **settings: Any) -> None:
        """Change how it behaves from now on."""
        answer = self._http.post(f"{self._url}/_control/settings", json=settings, timeout=TIMEOUT_S)
        hold(answer.ok, "Rehearsal to take its settings", answer.text)

    def live_tokens(self, person: str) -> list[dict[str, Any]]:
        """The tokens of a person that work now."""
        return [one for one in self.log()["live_tokens"] if one["person"] == person]
