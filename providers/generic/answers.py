"""A provider's answers brought into the form of RFC 6749, so that one reader sorts them all.

Fields are taken from where the entry says they are; the provider's own error codes become the RFC's. What comes out is
read by `providers.oauth2` as strictly as any other answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from providers.entries.values import Entry, Errors, Limits
from providers.errors import ProviderError
from providers.exchange import Response
from providers.generic.paths import as_text, at
from providers.oauth2 import MAX_RETRY_S, MIN_RETRY_S, resource_failure

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_MILLISECONDS = 1000


def read_token_answer(entry: Entry, response: Response) -> dict[str, Any]:
    """The answer with the RFC's names. Raises ProviderError(garbage) where it cannot be read at all."""
    raw = _body(entry, response)
    code = error_of(entry.errors, raw)
    if code is not None:
        return {"error": _as_rfc(entry.errors, code)}
    found = {name: at(raw, path) for name, path in entry.token.fields.items()}
    said = raw.get("token_type")
    kind = said.lower() if isinstance(said, str) else "" if said is None else None
    return {**raw, **found, "token_type": "Bearer" if kind in entry.token.token_types else said}


def _body(entry: Entry, response: Response) -> dict[str, Any]:
    if entry.token.answer == "form":
        try:
            return dict(response.form())
        except ProviderError:
            if response.ok:
                raise
            return response.json()  # a failure may come in the other form
    try:
        return response.json()
    except ProviderError:
        if entry.token.answer == "json":
            raise
        return dict(response.form())


def error_of(errors: Errors, raw: Mapping[str, Any]) -> str | None:
    """The provider's error code in an answer; "" for an error without one; None where there is no error."""
    standard = raw.get("error")
    code = as_text(at(raw, errors.path)) or (standard if isinstance(standard, str) else "")
    said = at(raw, errors.ok) if errors.ok else None
    if said is not None:
        return None if said is True or as_text(said) == "0" else code
    if code and code not in {"0", "false"}:
        return code
    return "" if standard else None


def _as_rfc(errors: Errors, code: str) -> str:
    for codes, standard in (
        (errors.gone, "invalid_grant"),
        (errors.later, "temporarily_unavailable"),
        (errors.misconfigured, "invalid_client"),
        (errors.denied, "access_denied"),
    ):
        if code in codes:
            return standard
    return code or "unspecified"


def read_resource(entry: Entry, response: Response) -> dict[str, Any]:
    """A profile answer, its failures sorted. A list is read as `{"0": …}` would be: its elements by number.

    Raises:
        ProviderError: rejected where the token is dead, try_later, insufficient_scope or garbage.
    """
    raw = _json(response)
    code = error_of(entry.errors, raw) if isinstance(raw, dict) else None
    if response.ok and code is None:
        if isinstance(raw, list):
            return {str(number): row for number, row in enumerate(raw)}
        return response.json() if raw is None else raw
    raise _failure(entry, response, code)


def _json(response: Response) -> Any:
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _failure(entry: Entry, response: Response, code: str | None) -> ProviderError:
    errors = entry.errors
    by_status = resource_failure(response)
    if response.status in errors.gone_statuses or (code and code in errors.gone) or code == "invalid_token":
        return ProviderError("rejected", "invalid_token", "The provider does not take this token any more.")
    if (code and code in errors.later) or by_status.kind == "try_later":
        wait = by_status.retry_after_s if by_status.retry_after_s is not None else wait_s(entry.limits, response)
        return ProviderError("try_later", by_status.code, "The provider cannot answer now.", retry_after_s=wait)
    if code and code in errors.denied:
        return ProviderError("insufficient_scope", "insufficient_scope", "The grant does not reach this far.")
    return by_status


def wait_s(limits: Limits, response: Response) -> int | None:
    """How long to wait by the provider's own header, within 1 s … 24 h; None where it does not say.

    A moment is measured from the answer's own Date, so that clocks need not agree.
    """
    text = response.headers.get(limits.reset_header, "").strip() if limits.reset_header else ""
    try:
        if limits.reset_is == "iso_8601":
            until = _moment(datetime.fromisoformat(text))
        else:
            until = float(text) / (_MILLISECONDS if limits.reset_is == "epoch_ms" else 1)
        start = (
            0.0 if limits.reset_is == "seconds" else _moment(parsedate_to_datetime(response.headers.get("date", "")))
        )
    except (ValueError, OverflowError):
        return None
    return int(max(MIN_RETRY_S, min(until - start, MAX_RETRY_S))) if isfinite(until) else None


def _moment(said: datetime) -> float:
    """Seconds since the epoch; a time without a zone is taken as UTC."""
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
