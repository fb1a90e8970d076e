"""Calls to GitHub: where it is, which headers it wants, and what its refusals mean.

Sources: docs.github.com, "Rate limits for the REST API", "Troubleshooting OAuth app access token request errors".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from providers.capabilities import Grant, Registration
from providers.errors import Kind, ProviderError
from providers.exchange import LARGE, Exchange, Request, Response
from providers.oauth2 import MAX_RETRY_S, MIN_RETRY_S, read, resource_failure, retry_after_s
from providers.secret import Secret

ISSUER = "https://github.com"
HEADERS: Mapping[str, str] = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "account-connector-gateway",  # GitHub refuses requests that have none
}

_TOKEN_ERRORS: Mapping[str, tuple[Kind, str]] = {
    "bad_verification_code": ("rejected", "GitHub's code was used or is too old. Start again."),
    "bad_refresh_token": ("rejected", "The grant has ended at GitHub. The person has to connect again."),
    "incorrect_client_credentials": ("misconfigured", "GitHub refuses the client id and secret. Compare them with it."),
    "redirect_uri_mismatch": ("misconfigured", "Register the callback at GitHub exactly as it is here."),
    "application_suspended": ("misconfigured", "GitHub has suspended this app. Ask its support."),
    "unverified_user_email": ("denied", "GitHub wants the person to verify their e-mail address there first."),
}


def site_url(registration: Registration, path: str) -> str:
    """An address on github.com."""
    return f"{_base(registration, ISSUER)}/{path}"


def api_url(registration: Registration, path: str) -> str:
    """An address of the REST API."""
    return f"{_base(registration, 'https://api.github.com')}/{path}"


def _base(registration: Registration, real: str) -> str:
    stand_in = registration.settings.get("base_url", "") if registration.development else ""
    return stand_in.rstrip("/") or real


def request(
    method: str, url: str, authorization: str, body: Mapping[str, Any] | None = None, *, max_bytes: int = LARGE
) -> Request:
    """One request of the REST API; what changes something is sent once."""
    headers = {**HEADERS, "Authorization": authorization}
    sent = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        sent = json.dumps(body, separators=(",", ":")).encode()
    return Request(method, url, headers, sent, max_bytes=max_bytes, once=method != "GET")


def bearer(token: Secret) -> str:
    """The Authorization header of a person's token."""
    return f"Bearer {token.reveal()}"


def get_user(registration: Registration, grant: Grant) -> Exchange[dict[str, Any]]:
    """`GET /user`. Raises ProviderError, sorted."""
    response = yield from read(request("GET", api_url(registration, "user"), bearer(grant.access_token)))
    if not response.ok:
        raise failure(response)
    return response.json()


def verified_emails(registration: Registration, grant: Grant) -> Exchange[tuple[str, ...]]:
    """The person's verified addresses, the primary first; none where the grant does not reach them."""
    url = api_url(registration, "user/emails")
    response = yield from read(request("GET", url, bearer(grant.access_token)))
    if response.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND) and failure(response).kind != "try_later":
        return ()
    if not response.ok:
        raise failure(response)
    try:
        rows = json.loads(response.body)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        raise ProviderError("garbage", "not_a_list", "GitHub's list of addresses cannot be read.")
    good = [row for row in rows if isinstance(row, dict) and row.get("verified") is True and _text(row.get("email"))]
    return tuple(row["email"] for row in sorted(good, key=lambda row: row.get("primary") is not True))


def failure(response: Response) -> ProviderError:
    """How a refusal is sorted. A 403 is a limit where the headers say so, a missing scope else; so is a 404."""
    wait = _wait_s(response)
    limited = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    if response.status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS) and (
        limited or response.status == HTTPStatus.TOO_MANY_REQUESTS
    ):
        return ProviderError("try_later", "rate_limited", "GitHub's limit of calls is reached.", retry_after_s=wait)
    if response.status == HTTPStatus.NOT_FOUND:
        return ProviderError("insufficient_scope", "not_found", "GitHub shows this only to a wider grant.")
    if response.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return ProviderError("garbage", "validation_failed", "GitHub does not take one of the values sent.")
    return resource_failure(response)


def token_reader(response: Response) -> dict[str, Any]:
    """A token answer: JSON as asked, or the form that GitHub sends where it does not listen.

    Raises:
        ProviderError: sorted, for GitHub's own error words, whatever the status; garbage for neither shape.
    """
    if response.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        answer: dict[str, Any] = dict(response.form())
    else:
        try:
            answer = response.json()
        except ProviderError:
            answer = dict(response.form())
    return answer


def known_error(answer: Mapping[str, Any]) -> ProviderError | None:
    """GitHub's own error words, sorted; None for any other."""
    code = answer.get("error")
    if not isinstance(code, str) or code not in _TOKEN_ERRORS:
        return None
    kind, hint = _TOKEN_ERRORS[code]
    return ProviderError(kind, code, hint)


def _wait_s(response: Response) -> int | None:
    """Retry-After where sent (secondary limits), else until `x-ratelimit-reset`, measured from the answer's Date."""
    said = retry_after_s(response)
    if said is not None:
        return said
    reset, date = response.headers.get("x-ratelimit-reset", ""), response.headers.get("date", "")
    if not reset.isdecimal() or not date:
        return None
    try:
        moment = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    return int(max(MIN_RETRY_S, min(int(reset) - moment, MAX_RETRY_S)))


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
