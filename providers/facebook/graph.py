"""Calls to the Graph API: where it is, how a call proves itself, and what its errors mean.

Sources: developers.facebook.com, "Handling errors", "Secure Graph API calls", "Rate limits" (Graph v25.0).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from providers.capabilities import Registration
from providers.errors import Kind, ProviderError
from providers.exchange import Exchange, Request, Response, get, post_form, send_json, with_params
from providers.oauth2 import read, retry_after_s, send_once
from providers.secret import Secret

ISSUER = "https://www.facebook.com"
DEFAULT_VERSION = "v25.0"
PROOF = "appsecret_proof"

_VERSION = re.compile(r"v[1-9][0-9]{0,2}\.[0-9]{1,2}")
_BLOCKED_S = 3600  # code 368 names no time; an hour keeps us from making it worse
_MAX_WAIT_S = 24 * 3600

_ENDED = "Facebook does not take this token any more. The person has to connect again."
_SUBCODES: Mapping[int, tuple[str, str]] = {
    458: ("app_not_installed", "The person has removed the app at Facebook."),
    459: ("checkpointed", "Facebook wants the person to sign in there first."),
    460: ("password_changed", "The person's Facebook password changed. They have to connect again."),
    463: ("token_expired", "The token is too old to be used or exchanged. The person has to connect again."),
    464: ("unconfirmed", "Facebook wants the person to confirm their account there first."),
    467: ("invalid_token", _ENDED),
    492: ("page_role_lost", "The person may not manage this Page any more."),
}
_CODE_SUBCODES = (36007, 36008, 36009)  # an authorization code that was used, is for another app, or is too old


def version(registration: Registration) -> str:
    """The Graph version from the settings. Raises ProviderError(misconfigured) for what is no version."""
    found = registration.settings.get("graph_version", DEFAULT_VERSION)
    if not _VERSION.fullmatch(found):
        raise ProviderError("misconfigured", "graph_version", "Write graph_version as v25.0, with the v and the dot.")
    return found


def dialog_url(registration: Registration) -> str:
    """Where people say yes or no."""
    return f"{_base(registration, ISSUER)}/{version(registration)}/dialog/oauth"


def graph_url(registration: Registration, path: str) -> str:
    """The address of a node or edge."""
    return f"{_base(registration, 'https://graph.facebook.com')}/{version(registration)}/{path}"


def _base(registration: Registration, real: str) -> str:
    stand_in = registration.settings.get("base_url", "") if registration.development else ""
    return stand_in.rstrip("/") or real


def app_token(registration: Registration) -> Secret:
    """The app's own token: its id and secret with a bar between."""
    return Secret(f"{registration.client_id}|{registration.client_secret.reveal()}")


def proof(registration: Registration, token: Secret) -> str:
    """`appsecret_proof`: HMAC-SHA256 of the very token that is sent, in hex, keyed with the app secret."""
    key, message = registration.client_secret.reveal().encode(), token.reveal().encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def read_node(
    registration: Registration, token: Secret, path: str, params: Sequence[tuple[str, str]] = ()
) -> Exchange[dict[str, Any]]:
    """Read a node or edge as JSON. Raises ProviderError, sorted by `graph_failure`."""
    url = with_params(graph_url(registration, path), [*params, (PROOF, proof(registration, token))])
    return answer_of((yield from read(get(url, bearer=token))))


def read_hidden(
    registration: Registration, token: Secret, path: str, fields: Sequence[tuple[str, str]]
) -> Exchange[dict[str, Any]]:
    """Read with parameters that may not stand in a URL: Graph takes a POST that says `method=get`."""
    body = [("method", "get"), *fields, (PROOF, proof(registration, token))]
    return answer_of((yield from read(post_form(graph_url(registration, path), body, bearer=token))))


def write_node(
    registration: Registration, token: Secret, path: str, body: Mapping[str, Any]
) -> Exchange[dict[str, Any]]:
    """Change a node, sent once. Raises ProviderError, sorted by `graph_failure`, or ambiguous."""
    url = with_params(graph_url(registration, path), [(PROOF, proof(registration, token))])
    return answer_of((yield from send_once(send_json("POST", url, body, bearer=token))))


def delete_edge(registration: Registration, token: Secret, path: str) -> Exchange[dict[str, Any]]:
    """Delete an edge. Deleting again is harmless there, so a lost answer is try_later."""
    url = with_params(graph_url(registration, path), [(PROOF, proof(registration, token))])
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token.reveal()}"}
    return answer_of((yield from read(Request("DELETE", url, headers))))


def answer_of(response: Response) -> dict[str, Any]:
    """A good answer as JSON. An error inside a 200 is an error. Raises ProviderError."""
    if not response.ok:
        raise graph_failure(response)
    try:
        answer = response.json()
    except ProviderError:
        if b"unavailable" in response.body[:200].lower():  # seen in the field: 200 with a proxy's page
            raise ProviderError("try_later", "server_error", "Facebook cannot answer now. Try again later.") from None
        raise
    if "error" in answer:
        raise graph_failure(response)
    return answer


def graph_failure(response: Response) -> ProviderError:
    """How a Graph error is sorted; never repeats Facebook's own text."""
    error = graph_error(response)
    if error is None:
        return _without_code(response)
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    if error.get("is_transient") is True:
        return ProviderError("try_later", "transient", "Facebook cannot answer now. Try again later.")
    if code in (190, 102):
        word, hint = _SUBCODES.get(subcode, ("invalid_token" if code == 190 else "session_ended", _ENDED))  # noqa: PLR2004  Graph's number for a dead token
        return ProviderError("rejected", word, hint)
    if code in (4, 17, 32, 613):
        hint = "Facebook's limit of calls is reached."
        return ProviderError("try_later", "rate_limited", hint, retry_after_s=_wait_s(response))
    return _by_code(code, subcode)


def _by_code(code: int, subcode: int) -> ProviderError:
    if code in (3, 10) or code in range(200, 300):
        return ProviderError("insufficient_scope", f"graph_{code}", "The person or App Review has not allowed this.")
    if code in (1, 2):
        return ProviderError("try_later", "server_error", "Facebook cannot answer now. Try again later.")
    if code == 368:  # noqa: PLR2004  Graph's number for a policy block
        hint = "Facebook has blocked this for a while as against its policies."
        return ProviderError("try_later", "policy_block", hint, retry_after_s=_BLOCKED_S)
    if subcode in _CODE_SUBCODES:
        return ProviderError("rejected", "invalid_code", "Facebook's code was used or is too old. Start again.")
    words: Mapping[int, tuple[Kind, str, str]] = {
        100: ("garbage", "invalid_parameter", "Facebook does not take one of the values sent."),
        101: ("misconfigured", "invalid_app", "Facebook knows no app with this client id."),
        191: ("misconfigured", "redirect_uri", "Add the callback to the app's valid OAuth redirect URIs at Facebook."),
    }
    return ProviderError(*words.get(code, ("garbage", f"graph_{code}", "Facebook refused for a reason nobody knows.")))


def graph_error(response: Response) -> dict[str, Any] | None:
    """The `error` object of an answer, where it has one."""
    try:
        error = json.loads(response.body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return None
    return error if isinstance(error, dict) else None


def _without_code(response: Response) -> ProviderError:
    if response.status in range(300, 400):
        return ProviderError("misconfigured", "redirected", "Facebook redirects where it should answer.")
    if response.status == 429 or response.status >= 500:  # noqa: PLR2004  RFC 9110 and RFC 6585
        wait = retry_after_s(response)
        return ProviderError("try_later", "server_error", "Facebook cannot answer now.", retry_after_s=wait)
    return ProviderError("garbage", f"status_{response.status}", "Facebook's answer cannot be used.")


def _wait_s(response: Response) -> int | None:
    """Seconds until calls are taken again: `estimated_time_to_regain_access` is in minutes; no Retry-After is sent."""
    try:
        usage = json.loads(response.headers.get("x-business-use-case-usage", "{}"))
        found = [entry.get("estimated_time_to_regain_access", 0) for listed in usage.values() for entry in listed]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return retry_after_s(response)
    minutes = max((minutes for minutes in found if isinstance(minutes, int)), default=0)
    return min(minutes * 60, _MAX_WAIT_S) if minutes > 0 else retry_after_s(response)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
