"""GitHub's login: code, tokens, account, the end of a grant.

Sources: docs.github.com, "Authorizing OAuth apps", "REST API endpoints for OAuth authorizations"; github.blog
changelog of 14 July 2025 for PKCE (S256 alone).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from providers.capabilities import Account, Ask, Callback, Grant, Registration, Revoked
from providers.errors import ProviderError
from providers.exchange import Exchange, basic_authorization, with_params
from providers.github.rest import (
    ISSUER,
    api_url,
    failure,
    get_user,
    known_error,
    request,
    site_url,
    token_reader,
    verified_emails,
)
from providers.oauth2 import (
    TokenAnswer,
    authorization_params,
    client_request,
    code_fields,
    read,
    refresh_fields,
    send_once,
    token_answer,
)

EMAIL_SCOPES = frozenset({"user", "user:email"})


def authorization_url(registration: Registration, ask: Ask) -> str:
    """The login page. `login` names the account to use; `prompt=select_account` offers the choice."""
    params = authorization_params(registration, ask)
    extra = [("login", ask.login_hint), ("prompt", "select_account" if ask.prompt == "select_account" else "")]
    return with_params(site_url(registration, "login/oauth/authorize"), [*params, *((n, v) for n, v in extra if v)])


def redeem(registration: Registration, callback: Callback, ask: Ask, now: int) -> Exchange[Grant]:
    """Exchange the code, once."""
    answer = yield from _token_call(registration, code_fields(registration, callback, ask), now)
    return answer.grant()


def refresh(registration: Registration, grant: Grant, now: int) -> Exchange[Grant]:
    """A GitHub App's refresh. An OAuth app's tokens do not expire and have none: unsupported."""
    answer = yield from _token_call(registration, refresh_fields(grant), now)
    return answer.grant(keep=grant)


def _token_call(registration: Registration, fields: list[tuple[str, str]], now: int) -> Exchange[TokenAnswer]:
    endpoint = site_url(registration, "login/oauth/access_token")
    response = yield from send_once(client_request(endpoint, fields, registration, "client_secret_post"))
    try:
        known = known_error(token_reader(response))
    except ProviderError:
        known = None  # neither JSON nor a form: sorted below, by status
    if known is not None:
        raise known
    return token_answer(response, now=now, separators=", ", reader=token_reader)


def account(registration: Registration, grant: Grant) -> Exchange[Account]:
    """Whose grant it is: the account's number, as its exact decimal digits. Logins can change hands; numbers cannot."""
    user = yield from get_user(registration, grant)
    number = user.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ProviderError("garbage", "no_account_id", "GitHub does not say whose account it is.")
    emails: tuple[str, ...] = ()
    if EMAIL_SCOPES & set(grant.scopes or ()):
        emails = yield from verified_emails(registration, grant)
    return Account(ISSUER, str(number), _claims(user, emails))


def revoke(registration: Registration, grant: Grant) -> Exchange[Revoked]:
    """Delete the person's grant to this app, and every token of it. 404: there is none any more."""
    url = api_url(registration, f"applications/{registration.client_id}/grant")
    basic = basic_authorization(registration.client_id, registration.client_secret)
    response = yield from read(request("DELETE", url, basic, {"access_token": grant.access_token.reveal()}))
    if response.ok:
        return Revoked("confirmed")
    if response.status == HTTPStatus.NOT_FOUND:
        return Revoked("already_gone")
    if response.status == HTTPStatus.UNAUTHORIZED:
        raise ProviderError("misconfigured", "invalid_client", "GitHub refuses the client id and secret. Compare them.")
    raise failure(response)


def _claims(user: dict[str, Any], emails: tuple[str, ...]) -> dict[str, Any]:
    named = {"name": "name", "preferred_username": "login", "profile": "html_url", "picture": "avatar_url"}
    found = {claim: user[field] for claim, field in named.items() if isinstance(user.get(field), str) and user[field]}
    return found | ({"email": emails[0], "email_verified": True} if emails else {})
