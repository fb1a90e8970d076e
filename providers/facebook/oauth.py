"""Facebook's OAuth: dialog, code, long-lived tokens in place of refresh tokens, permissions, revocation.

Sources: developers.facebook.com, "Manually build a login flow", "OIDC code flow with PKCE", "Get long-lived tokens",
"Debug requests", "User permissions" (Graph v25.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.capabilities import Ask, Callback, Grant, Registration, Revoked
from providers.errors import ProviderError
from providers.exchange import Exchange, Response, post_form, with_params
from providers.facebook.graph import (
    ISSUER,
    app_token,
    delete_edge,
    dialog_url,
    graph_error,
    graph_failure,
    graph_url,
    read_hidden,
    read_node,
)
from providers.oauth2 import TokenAnswer, authorization_params, code_fields, send_once, token_answer
from providers.secret import Secret

USER_ID = "sub"  # as everywhere in Grant.id_claims; here from debug_token, to be compared with the account call

_LATER = ("try_later", "ambiguous")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What debug_token says of a token that is ours and valid. Times in seconds since the epoch; 0: no end."""

    user_id: str
    scopes: tuple[str, ...]
    expires_at: int
    data_access_expires_at: int

    def left_s(self, moment: int, now: int) -> int | None:
        """Seconds from `now` (ms) to a moment of this inspection; None where it has no end."""
        return None if moment <= 0 else max(0, moment - now // 1000)


def authorization_url(registration: Registration, ask: Ask) -> str:
    """The dialog. `auth_type=rerequest` is the only way to be asked again for what was declined."""
    params = authorization_params(registration, ask, separator=",")
    if registration.settings.get("pkce") == "off":  # for apps whose login is set up to refuse it
        params = [(name, value) for name, value in params if not name.startswith("code_challenge")]
    auth_type = [
        word for word, wanted in (("rerequest", ask.rerequest), ("reauthenticate", ask.prompt == "login")) if wanted
    ]
    if auth_type:
        params.append(("auth_type", ",".join(auth_type)))
    return with_params(dialog_url(registration), [*params, ("return_scopes", "true")])


def redeem(registration: Registration, callback: Callback, ask: Ask, now: int) -> Exchange[Grant]:
    """Code → short token → long token at once → whose and for which app → what was granted and declined."""
    fields = code_fields(registration, callback, ask)
    if registration.settings.get("pkce") == "off":
        fields = [(name, value) for name, value in fields if name != "code_verifier"]
    short = yield from _token_call(registration, fields, now)
    answer = yield from _long_or_short(registration, short, now)
    seen = yield from inspect(registration, answer.access_token)
    declined = yield from _declined(registration, answer.access_token)
    return _grant(answer, seen, declined, now)


def refresh(registration: Registration, grant: Grant, now: int) -> Exchange[Grant]:
    """Exchange a token that is still valid for a fresh one; an expired one is never sent.

    Raises:
        ProviderError: rejected/token_expired, where `grant.expires_in_s` says that it is past, or Facebook does.
    """
    if grant.expires_in_s is not None and grant.expires_in_s <= 0:
        raise ProviderError(
            "rejected", "token_expired", "An expired Facebook token cannot be exchanged. Connect again."
        )
    answer = yield from _token_call(registration, _exchange_fields(grant.access_token), now)
    try:
        seen = yield from inspect(registration, answer.access_token)
    except ProviderError as error:
        if error.kind not in (*_LATER, "garbage"):
            raise
        return answer.grant(keep=grant)  # the token is good; when it ends is asked again next time
    return _grant(answer, seen, grant.declined, now)


def revoke(registration: Registration, grant: Grant) -> Exchange[Revoked]:
    """De-authorise the app for this person, by their token, or by the app's own where theirs is dead."""
    try:
        yield from delete_edge(registration, grant.access_token, "me/permissions")
    except ProviderError as error:
        if error.kind != "rejected":
            raise
        if error.code == "app_not_installed":
            return Revoked("already_gone")
        return (yield from _revoke_by_app(registration, grant, error))
    return Revoked("confirmed")


def _revoke_by_app(registration: Registration, grant: Grant, error: ProviderError) -> Exchange[Revoked]:
    user_id = str(grant.id_claims.get(USER_ID, ""))
    if not user_id.isdecimal():
        raise error
    yield from delete_edge(registration, app_token(registration), f"{user_id}/permissions")
    return Revoked("confirmed")


def inspect(registration: Registration, token: Secret) -> Exchange[Inspection]:
    """Ask debug_token whose token it is, and refuse one that was made for another app.

    Raises:
        ProviderError: mismatch, where it is another app's or names nobody; rejected, where it is not valid.
    """
    answer = yield from read_hidden(
        registration, app_token(registration), "debug_token", [("input_token", token.reveal())]
    )
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ProviderError("garbage", "debug_token", "Facebook says nothing about the token.")
    if str(data.get("app_id")) != registration.client_id:
        raise ProviderError("mismatch", "other_app", "The token was made for another app. Start again.")
    if data.get("is_valid") is not True:
        raise ProviderError("rejected", "invalid_token", "Facebook does not take this token any more. Connect again.")
    return _inspection(data)


def _inspection(data: Mapping[str, Any]) -> Inspection:
    user_id = data.get("user_id")
    if isinstance(user_id, int):
        user_id = str(user_id)
    if not isinstance(user_id, str) or not user_id.isdecimal():
        raise ProviderError("mismatch", "no_user", "The token is nobody's. Start again.")
    scopes = data.get("scopes")
    return Inspection(
        user_id,
        tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else (),
        _moment(data.get("expires_at")),
        _moment(data.get("data_access_expires_at")),
    )


def _moment(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _exchange_fields(token: Secret) -> list[tuple[str, str]]:
    return [("grant_type", "fb_exchange_token"), ("fb_exchange_token", token.reveal())]


def _long_or_short(registration: Registration, short: TokenAnswer, now: int) -> Exchange[TokenAnswer]:
    """The long-lived token; while Facebook cannot make one, the short one, which the next refresh exchanges."""
    try:
        return (yield from _token_call(registration, _exchange_fields(short.access_token), now))
    except ProviderError as error:
        if error.kind not in _LATER:
            raise
        return short


def _token_call(registration: Registration, fields: Sequence[tuple[str, str]], now: int) -> Exchange[TokenAnswer]:
    """One call of the token endpoint, as a POST: secrets do not belong in a URL."""
    own = [("client_id", registration.client_id), ("client_secret", registration.client_secret.reveal())]
    response = yield from send_once(post_form(graph_url(registration, "oauth/access_token"), [*fields, *own]))
    if graph_error(response) is not None:
        raise _token_failure(response)
    return token_answer(_with_token_type(response), now=now)


def _token_failure(response: Response) -> ProviderError:
    """Code 1 at the token endpoint is what a wrong app secret gets: with 400 it is ours to mend, not to wait for."""
    error = graph_error(response) or {}
    if error.get("code") == 1 and response.status in range(400, 500) and error.get("is_transient") is not True:
        return ProviderError(
            "misconfigured", "invalid_client", "Facebook refuses the app's id and secret. Compare them."
        )
    return graph_failure(response)


def _with_token_type(response: Response) -> Response:
    """An exchange may leave `token_type` out; its tokens are always bearer tokens."""
    try:
        answer = response.json()
    except ProviderError:
        return response
    if "token_type" in answer or not response.ok:
        return response
    body = response.body.strip()
    return Response(response.status, response.headers, body[:-1] + b',"token_type":"bearer"}')


def _declined(registration: Registration, token: Secret) -> Exchange[tuple[str, ...]]:
    """The permissions that the person declined; none where Facebook does not say now, for it is no reason to fail."""
    try:
        answer = yield from read_node(registration, token, "me/permissions")
    except ProviderError as error:
        if error.kind not in (*_LATER, "garbage"):
            raise
        return ()
    rows = answer.get("data")
    listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple(str(row.get("permission")) for row in listed if row.get("status") == "declined")


def _grant(answer: TokenAnswer, seen: Inspection, declined: tuple[str, ...], now: int) -> Grant:
    expires = answer.expires_in_s if answer.expires_in_s is not None else seen.left_s(seen.expires_at, now)
    return Grant(
        access_token=answer.access_token,
        expires_in_s=expires,
        scopes=seen.scopes,
        declined=declined,
        reauth_in_s=seen.left_s(seen.data_access_expires_at, now),
        id_claims={"iss": ISSUER, USER_ID: seen.user_id},
    )
