"""How failures of OAuth 2 endpoints and of resources are sorted: one place for every adapter.

Sources: RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 9110 section 10.2.3. A provider's own text is
never repeated: it may hold anything. Adapters import these names from `oauth2`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from providers.errors import Kind, ProviderError
from providers.exchange import Response

Reader = Callable[[Response], dict[str, Any]]

MIN_RETRY_S = 1
MAX_RETRY_S = 24 * 3600

_HTTP_OK = range(200, 300)
_HTTP_REDIRECT = range(300, 400)
_HTTP_CLIENT = range(400, 500)
_HTTP_TIMEOUT = 408
_HTTP_TOO_MANY = 429

_REJECTED = "The grant has ended at the provider. The person has to connect again."
_MISCONFIGURED = "The provider refuses this registration. Compare client id, secret, redirect URI and scopes with it."
_TRY_LATER = "The provider cannot answer now. Try again later."
_DENIED = "Access was not granted at the provider."

_ERRORS: Mapping[str, tuple[Kind, str]] = {
    "invalid_grant": ("rejected", _REJECTED),
    "invalid_token": ("rejected", _REJECTED),
    "interaction_required": ("rejected", _REJECTED),
    "login_required": ("rejected", _REJECTED),
    "consent_required": ("rejected", _REJECTED),
    "account_selection_required": ("rejected", _REJECTED),
    "invalid_client": ("misconfigured", _MISCONFIGURED),
    "unauthorized_client": ("misconfigured", _MISCONFIGURED),
    "invalid_scope": ("misconfigured", _MISCONFIGURED),
    "invalid_request": ("misconfigured", _MISCONFIGURED),
    "invalid_target": ("misconfigured", _MISCONFIGURED),
    "unsupported_grant_type": ("misconfigured", _MISCONFIGURED),
    "unsupported_response_type": ("misconfigured", _MISCONFIGURED),
    "unsupported_token_type": ("misconfigured", _MISCONFIGURED),
    "temporarily_unavailable": ("try_later", _TRY_LATER),
    "server_error": ("try_later", _TRY_LATER),
    "slow_down": ("try_later", _TRY_LATER),
    "access_denied": ("denied", _DENIED),
}
_AT_THE_DOOR = frozenset({"interaction_required", "login_required", "consent_required", "account_selection_required"})


def token_failure(response: Response, *, now: int | None = None, reader: Reader = Response.json) -> ProviderError:
    """How a failed answer of the token, PAR or revocation endpoint is sorted. Never repeats the provider's own text."""
    code = error_code(response, reader)
    wait = retry_after_s(response, now=now)
    status = response.status
    if status in _HTTP_REDIRECT:
        return ProviderError(
            "misconfigured", "redirected", "The provider redirects where it should answer. Mend the endpoint's address."
        )
    if status == _HTTP_TOO_MANY:
        return ProviderError("try_later", "too_many_requests", _TRY_LATER, retry_after_s=wait)
    if status in _HTTP_OK or (status in _HTTP_CLIENT and status != _HTTP_TIMEOUT):
        return _by_code(code, status, wait)
    if code is not None:  # the provider itself speaks, so it is known that it did not act
        return ProviderError("try_later", "server_error", _TRY_LATER, retry_after_s=wait)
    return ProviderError(
        "ambiguous", "proxy_error", "Something before the provider failed. Whether it acted is not known."
    )


def resource_failure(response: Response, *, now: int | None = None) -> ProviderError:
    """How a failed answer of a resource (profile, contacts, a write) is sorted (RFC 6750 section 3.1)."""
    wait = retry_after_s(response, now=now)
    status = response.status
    if status in _HTTP_REDIRECT:
        return ProviderError(
            "misconfigured", "redirected", "The provider redirects where it should answer. Mend the endpoint's address."
        )
    sorted_by_status: Mapping[int, tuple[Kind, str, str]] = {
        401: ("rejected", "invalid_token", "The provider does not take this token any more."),
        403: ("insufficient_scope", "insufficient_scope", "The grant does not reach this far. Ask for a wider one."),
        408: ("try_later", "no_answer", _TRY_LATER),
        409: ("conflict", "conflict", "The provider has a newer state."),
        412: ("conflict", "precondition_failed", "The provider has a newer state."),
        429: ("try_later", "too_many_requests", _TRY_LATER),
    }
    if status in sorted_by_status:
        kind, code, hint = sorted_by_status[status]
        return ProviderError(kind, code, hint, retry_after_s=wait if kind == "try_later" else None)
    if status in _HTTP_OK or status in _HTTP_CLIENT:
        return ProviderError("garbage", f"status_{status}", "The provider's answer cannot be used.")
    return ProviderError("try_later", "server_error", _TRY_LATER, retry_after_s=wait)


def authorization_failure(error: str) -> ProviderError:
    """How the `error` of an authorization response is sorted (RFC 6749 section 4.1.2.1, OpenID Connect 3.1.2.6)."""
    if error in _AT_THE_DOOR:
        return ProviderError("denied", error, _DENIED)
    if error not in _ERRORS:
        return ProviderError("garbage", "unknown_error", "The provider gave a reason that nobody knows. Start again.")
    kind, hint = _ERRORS[error]
    return ProviderError(kind, error, hint)


def error_code(response: Response, reader: Reader = Response.json) -> str | None:
    """The `error` of an answer where it has one that is text; else None."""
    try:
        code = reader(response).get("error")
    except ProviderError:
        return None
    return code if isinstance(code, str) and code else None


def _by_code(code: str | None, status: int, wait: int | None) -> ProviderError:
    if code is not None and code in _ERRORS:
        kind, hint = _ERRORS[code]
        return ProviderError(kind, code, hint, retry_after_s=wait if kind == "try_later" else None)
    if status in _HTTP_OK:
        return unusable("unknown_error")
    return ProviderError(
        "garbage", "unknown_error" if code else f"status_{status}", "The provider refused without a known reason."
    )


def unusable(code: str) -> ProviderError:
    """The failure of an answer that came after the provider acted, and holds nothing that can be used."""
    return ProviderError("ambiguous", code, "The provider answered, but with nothing that can be used.")


def retry_after_s(response: Response, *, now: int | None = None) -> int | None:
    """Retry-After in seconds, from seconds or a date, within 1 s … 24 h (RFC 9110 section 10.2.3).

    A date is measured from the answer's own Date, so that clocks need not agree; else from `now` (ms).
    """
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return max(MIN_RETRY_S, min(int(text), MAX_RETRY_S))
    until = _http_date(text)
    start = _http_date(response.headers.get("date", ""))
    if start is None and now is not None:
        start = now / 1000
    if until is None or start is None:
        return None
    return int(max(MIN_RETRY_S, min(until - start, MAX_RETRY_S)))


def _http_date(text: str) -> float | None:
    if not text:
        return None
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
