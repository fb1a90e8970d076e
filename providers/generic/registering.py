"""Registers an app at a server by itself, where each server keeps apps of its own: Mastodon and its kind, RFC 7591.

It is about no person. What comes back is the client's secret: it stands in no URL and in no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from providers.capabilities import Registration
from providers.entries.values import Entry
from providers.errors import ProviderError
from providers.exchange import SMALL, Exchange, Request, post_form, send_json
from providers.generic.addresses import endpoint
from providers.oauth2 import send_once, token_failure, token_text
from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class Registered:
    """What the server gave the new app."""

    client_id: str
    client_secret: Secret


def register_app(entry: Entry, registration: Registration, name: str) -> Exchange[Registered]:
    """Register an app called `name` with the callback and scopes of `registration`, whose client id is not read.

    Raises:
        ProviderError: unsupported where the provider knows no such thing; ambiguous where the answer was lost (an app
            that nobody uses may have been made); garbage where it cannot be used.
    """
    where = entry.registration
    if not where.endpoint:
        raise ProviderError(
            "unsupported", "no_registration", "Apps are registered there by hand: connector providers show says how."
        )
    request = _request(entry, registration, name)
    response = yield from send_once(request)
    if not response.ok:
        raise token_failure(response)
    answer = response.json()
    client_id, secret = (token_text(answer.get(key)) for key in ("client_id", "client_secret"))
    if client_id is None or secret is None:
        raise ProviderError("garbage", "no_client", "The server registered an app but did not say its id and secret.")
    return Registered(client_id.reveal(), secret)


def _request(entry: Entry, registration: Registration, name: str) -> Request:
    address = endpoint(entry, registration, entry.registration.endpoint)
    scopes = entry.scope_separator.join(registration.scopes or entry.default_scopes)
    if entry.registration.protocol == "mastodon":
        form = {"client_name": name, "redirect_uris": registration.redirect_uri, "scopes": scopes}
        request = post_form(address, form)
    else:
        method = next(iter(entry.token.authentication), "client_secret_basic")
        grants = ["authorization_code", *(["refresh_token"] if "refresh" in entry.capabilities else [])]
        metadata: dict[str, Any] = {
            "client_name": name,
            "redirect_uris": [registration.redirect_uri],
            "grant_types": grants,
            "response_types": ["code"],
            "token_endpoint_auth_method": method,
            "scope": scopes,
        }
        request = send_json("POST", address, metadata)
    return Request("POST", request.url, request.headers, request.body, about_person=False, max_bytes=SMALL, once=True)
