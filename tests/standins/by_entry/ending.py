"""The end of a grant there: who may ask for it, by which token, and what is told of a token that is dead already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from providers.exchange import Request, Response
from tests.standins.by_entry.documents import put
from tests.standins.by_entry.refusing import Refused, as_json, read_body

if TYPE_CHECKING:
    from tests.standins.by_entry.provider import Issued, Provider


def end(provider: Provider, request: Request) -> Response:
    """End what the token was issued for, if everything is as the entry says."""
    way, errors = provider.entry.revocation, provider.entry.errors
    if request.method != way.method:
        raise Refused(f"{request.method} where {way.method} is wanted")
    fields = read_body(request, way.body)
    if not _may_ask(provider, request, fields):
        return provider.failure("invalid_client", 401)
    provider.has(fields, way.parameters)
    provider.has(request.headers, provider.entry.token.headers)
    ended = _named(provider, request, fields)
    if ended is None or not ended.alive:
        return _nothing_to_end(provider)
    token = fields.get(way.token_parameter, "")
    ended.alive = way.token == "each" and not token.startswith("issued-access-")
    if ended.alive:  # the refresh token is dead, the access token is to come
        provider.refreshing = {name: one for name, one in provider.refreshing.items() if name != token}
    return as_json(200, put({}, errors.ok, True)) if errors.ok else Response(200, {}, b"")


def _may_ask(provider: Provider, request: Request, fields: Mapping[str, str]) -> bool:
    entry, way = provider.entry, provider.entry.revocation
    if way.authentication == "client":
        return provider.client_known(request, fields)
    if way.authentication == "client_in_body":
        provider.has(fields, provider.own_credentials())
    elif entry.client_secret_parameter in fields or request.headers.get("Authorization", "").startswith("Basic "):
        raise Refused("the client authenticates where nothing is asked of it")
    return True


def _named(provider: Provider, request: Request, fields: Mapping[str, str]) -> Issued | None:
    way = provider.entry.revocation
    by_bearer = provider.bearer(request, "Authorization", "Bearer") if way.authentication == "bearer" else None
    if not way.token_parameter or (way.authentication == "bearer" and by_bearer is None):
        return by_bearer
    token = fields.get(way.token_parameter, "")
    if not token:
        raise Refused("no token is named")
    if way.token_type_hint != ("token_type_hint" in fields):
        raise Refused("there is a token_type_hint too many, or too few")
    if way.token == "access" and token not in provider.access:
        raise Refused("the access token is wanted")
    return provider.access.get(token) or provider.refreshing.get(token)


def _nothing_to_end(provider: Provider) -> Response:
    way = provider.entry.revocation
    if way.gone_statuses:
        return Response(way.gone_statuses[0], {}, b"")
    if way.gone_errors or way.authentication == "bearer":
        codes = (*way.gone_errors, *provider.entry.errors.gone, "invalid_token")
        return provider.failure(codes[0], 401)
    return as_json(200, {})
