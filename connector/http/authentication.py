"""Who asks: a client by its credentials on OAuth routes, a caller by a bearer token on the API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar
from urllib.parse import unquote_plus

from flask import g, request

from connector.clients import ASSERTION_TYPE, Caller, Client, Presented, authenticate, caller_of
from connector.http.context import gateway
from connector.http.limits import too_many_failures
from connector.http.operations import describe_scope
from connector.model.errors import BadInput, Forbidden, Unauthenticated
from providers.secret import Secret

P = ParamSpec("P")
R = TypeVar("R")

MAX_HEADER = 8 * 1024


class InsufficientScope(Forbidden):
    """The caller's token lacks a scope (RFC 6750 section 3.1)."""

    def __init__(self, scope: str) -> None:
        super().__init__("insufficient_scope", f"This needs the scope {scope}; get a token that has it.")
        self.scope = scope


def authenticated_client(fields: Mapping[str, str]) -> Client:
    """The client that sent this form, by Basic, body or assertion: exactly one of them (RFC 6749 section 2.3).

    Raises:
        BadInput: two ways at once, or half of one.
        Unauthenticated: none, or a wrong one.
        TooMany: too many wrong ones from this address.
    """
    presented = _presented(fields)
    parts = gateway()
    once = presented.assertion is not None  # an assertion is written down, so that it works a single time
    try:
        with parts.store.transaction() if once else parts.store.read() as tx:
            return authenticate(tx, parts.vault, presented, audiences=audiences())
    except Unauthenticated:
        too_many_failures("client")
        raise


def audiences() -> tuple[str, ...]:
    """What a client assertion may name as its audience: issuer, token endpoint, PAR endpoint (RFC 9126 section 2)."""
    issuer = gateway().settings.server.public_url
    return (issuer, f"{issuer}/oauth/token", f"{issuer}/oauth/par")


def bearer_caller() -> Caller:
    """Who holds the bearer token of this request (RFC 6750 section 2.1: header only).

    Raises:
        Unauthenticated: no token, or none that lives.
        BadInput: a token in the URL.
        TooMany: too many wrong ones from this address.
    """
    if "access_token" in request.args:
        raise BadInput("invalid_request", "A token has no place in a URL; send it in the Authorization header.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("missing_token", "Send an access token: Authorization: Bearer …")
    parts = gateway()
    try:
        with parts.store.read() as tx:
            return caller_of(tx, parts.vault, token.strip(" "))
    except Unauthenticated:
        too_many_failures("token")
        raise


def needs(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A view that only a client with this scope may call; `context.caller()` names it there."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            found = bearer_caller()
            if found.kind != "client" or scope not in found.scopes:
                raise InsufficientScope(scope)
            g.caller = found
            return view(*args, **kwargs)

        return describe_scope(checked, scope)

    return decorate


def _presented(fields: Mapping[str, str]) -> Presented:
    header = request.headers.get("Authorization", "")
    ways = [bool(header), "client_secret" in fields, "client_assertion" in fields or "client_assertion_type" in fields]
    if sum(ways) > 1:
        raise BadInput("invalid_request", "Authenticate in one way only: header, body or assertion.")
    if header:
        return _agreeing(_from_basic(header), fields)
    if ways[1]:
        return Presented(fields.get("client_id", ""), Secret(fields["client_secret"]))
    if ways[2]:
        if fields.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in fields:
            raise BadInput("invalid_request", f"client_assertion comes with client_assertion_type {ASSERTION_TYPE}.")
        return Presented(fields.get("client_id", ""), assertion=Secret(fields["client_assertion"]))
    raise Unauthenticated("invalid_client", "Client authentication is missing.")


def _agreeing(presented: Presented, fields: Mapping[str, str]) -> Presented:
    if fields.get("client_id", presented.client_id) != presented.client_id:
        raise BadInput("invalid_request", "client_id in the body is not the client in the header.")
    return presented


def _from_basic(header: str) -> Presented:
    """Both parts are form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_HEADER:
        raise Unauthenticated("invalid_client", "Client authentication failed.")
    try:
        decoded = base64.b64decode(encoded.strip(" "), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Unauthenticated("invalid_client", "Client authentication failed.") from None
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise Unauthenticated("invalid_client", "Client authentication failed.")
    return Presented(unquote_plus(client_id), Secret(unquote_plus(secret)))
