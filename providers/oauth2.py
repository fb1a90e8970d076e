"""What every OAuth 2 adapter needs: ask once, read the token answer strictly, sort the failure.

Sources: RFC 6749 (sections 4.1, 5, 6), RFC 6750, RFC 7009, RFC 7636, RFC 9207, RFC 9700. An adapter whose provider
differs sorts its own case first and leaves the rest to these functions.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from providers.capabilities import Ask, Callback, Grant, Registration, Revoked
from providers.errors import ProviderError
from providers.exchange import Exchange, NetworkFailure, Request, Response, post_form
from providers.oauth2_failures import (
    MAX_RETRY_S,
    MIN_RETRY_S,
    Reader,
    authorization_failure,
    error_code,
    resource_failure,
    retry_after_s,
    token_failure,
    unusable,
)
from providers.secret import Secret

__all__ = [
    "MAX_LIFETIME_S",
    "MAX_RETRY_S",
    "MAX_TOKEN",
    "MIN_RETRY_S",
    "ClientAuthentication",
    "Reader",
    "TokenAnswer",
    "at_once",
    "authorization_failure",
    "authorization_params",
    "check_iss",
    "client_request",
    "code_challenge",
    "code_fields",
    "error_code",
    "lifetime_s",
    "read",
    "refresh_fields",
    "request_tokens",
    "resource_failure",
    "retry_after_s",
    "revoke_token",
    "scopes_of",
    "send_once",
    "token_answer",
    "token_failure",
    "token_text",
]

T = TypeVar("T")
ClientAuthentication = Literal["client_secret_basic", "client_secret_post"]

MAX_TOKEN = 16 * 1024  # characters; no provider comes near, a hostile one does
MAX_LIFETIME_S = 25 * 366 * 86_400  # the longest lifetime seen in the field is 20 years

_TOKEN_TEXT = re.compile(r"[\x20-\x7e]+")  # VSCHAR, RFC 6749 appendix A


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token answer that was read and checked (RFC 6749 section 5.1).

    Attributes:
        expires_in_s, refresh_expires_in_s: seconds, clamped to 0 … MAX_LIFETIME_S; None where not said or not a number.
        scopes: as the provider lists them; None where it did not say.
        fields: the whole answer, for what a provider adds. Holds the tokens too: read single names, never log it.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    expires_in_s: int | None = None
    refresh_expires_in_s: int | None = None
    scopes: tuple[str, ...] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def grant(self, *, id_claims: Mapping[str, Any] | None = None, keep: Grant | None = None) -> Grant:
        """The answer as a grant; what it leaves out is taken from `keep`, the grant before a refresh."""
        return Grant(
            access_token=self.access_token,
            refresh_token=self.refresh_token or (keep.refresh_token if keep else None),
            expires_in_s=self.expires_in_s,
            scopes=self.scopes if self.scopes is not None or keep is None else keep.scopes,
            declined=keep.declined if keep else (),
            refresh_expires_in_s=self.refresh_expires_in_s,
            reauth_in_s=None,
            id_claims=id_claims if id_claims is not None else (keep.id_claims if keep else {}),
        )


# ---- asking ----------------------------------------------------------------------------------------------------------


def at_once(value: T) -> Exchange[T]:
    """An exchange that needs no network: it asks nothing and returns `value`."""
    yield from ()
    return value


def send_once(request: Request) -> Exchange[Response]:
    """Send what must not be sent twice.

    Raises:
        ProviderError: try_later/unsent where it is proven that nothing left; ambiguous where something may have.
    """
    try:
        return (yield request)
    except NetworkFailure as failure:
        if failure.sent == "no":
            raise ProviderError("try_later", "unsent", "The provider could not be reached. Nothing was sent.") from None
        raise ProviderError(
            "ambiguous", "no_answer", "The provider did not answer. Whether it acted is not known."
        ) from None


def read(request: Request) -> Exchange[Response]:
    """Ask for something that changes nothing. Raises ProviderError(try_later) where the network failed."""
    try:
        return (yield request)
    except NetworkFailure as failure:
        code = "unsent" if failure.sent == "no" else "no_answer"
        raise ProviderError("try_later", code, "The provider could not be reached. Try again later.") from None


def request_tokens(
    request: Request, *, now: int, separators: str = " ", reader: Reader = Response.json
) -> Exchange[TokenAnswer]:
    """Send a token request once and read the answer. `now` in ms; `reader` for answers that are not JSON.

    Raises:
        ProviderError: as `token_answer` and `token_failure` sort it.
    """
    response = yield from send_once(request)
    return token_answer(response, now=now, separators=separators, reader=reader)


def authorization_params(
    registration: Registration, ask: Ask, *, separator: str = " ", scopes: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """The parameters every authorization request has: code flow, state and PKCE S256 (RFC 7636 section 4.3).

    `scopes` names what to ask for where the adapter adds its own; else the ask's, else the registration's.
    """
    asked = tuple(scopes) or ask.scopes or registration.scopes
    params = [
        ("response_type", "code"),
        ("client_id", registration.client_id),
        ("redirect_uri", registration.redirect_uri),
        ("scope", separator.join(asked)),
        ("state", ask.state.reveal()),
        ("code_challenge", code_challenge(ask.code_verifier)),
        ("code_challenge_method", "S256"),
    ]
    return [(name, value) for name, value in params if value]


def code_challenge(verifier: Secret) -> str:
    """The S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def code_fields(registration: Registration, callback: Callback, ask: Ask) -> list[tuple[str, str]]:
    """The form of a code exchange (RFC 6749 section 4.1.3), client authentication not included."""
    return [
        ("grant_type", "authorization_code"),
        ("code", callback.code.reveal()),
        ("redirect_uri", registration.redirect_uri),
        ("code_verifier", ask.code_verifier.reveal()),
    ]


def refresh_fields(grant: Grant) -> list[tuple[str, str]]:
    """The form of a refresh (RFC 6749 section 6). Scopes are left out: the provider keeps what was granted.

    Raises:
        ProviderError: unsupported, where the grant has no refresh token.
    """
    if grant.refresh_token is None:
        raise ProviderError(
            "unsupported", "no_refresh_token", "The provider gave no refresh token. The person has to connect again."
        )
    return [("grant_type", "refresh_token"), ("refresh_token", grant.refresh_token.reveal())]


def client_request(
    endpoint: str,
    fields: Sequence[tuple[str, str]],
    registration: Registration,
    method: ClientAuthentication = "client_secret_basic",
) -> Request:
    """A form request with client authentication (RFC 6749 section 2.3.1)."""
    if method == "client_secret_basic":
        return post_form(endpoint, fields, basic=(registration.client_id, registration.client_secret))
    own = [("client_id", registration.client_id), ("client_secret", registration.client_secret.reveal())]
    return post_form(endpoint, [*fields, *own])


def revoke_token(
    endpoint: str,
    registration: Registration,
    grant: Grant,
    *,
    now: int | None = None,
    method: ClientAuthentication = "client_secret_basic",
) -> Exchange[Revoked]:
    """Revoke by RFC 7009: the refresh token, which ends its grant, else the access token.

    An unknown token answers 200 too, so asking again is safe and "confirmed" says only that the token is dead now.

    Raises:
        ProviderError: sorted; a 503 or a lost answer is try_later, as the call may be repeated.
    """
    token, kind = (
        (grant.refresh_token, "refresh_token") if grant.refresh_token else (grant.access_token, "access_token")
    )
    fields = [("token", token.reveal()), ("token_type_hint", kind)]
    response = yield from read(client_request(endpoint, fields, registration, method))
    if response.ok:
        return Revoked("confirmed")
    failure = token_failure(response, now=now)
    if failure.code in {"invalid_grant", "invalid_token"}:
        return Revoked("already_gone")
    if failure.kind == "ambiguous":
        raise ProviderError(
            "try_later", failure.code, "The provider did not confirm.", retry_after_s=failure.retry_after_s
        )
    raise failure


def check_iss(expected: str, iss: str | None, *, required: bool = False) -> None:
    """Compare the `iss` of an authorization response, exactly (RFC 9207 section 2.4).

    Raises:
        ProviderError: mismatch, where it differs, or is missing although `required`.
    """
    if iss is None and not required:
        return
    if iss != expected:
        code = "iss_missing" if iss is None else "iss_mismatch"
        raise ProviderError("mismatch", code, "The answer does not come from the provider that was asked. Start again.")


# ---- reading ---------------------------------------------------------------------------------------------------------


def token_answer(
    response: Response, *, now: int | None = None, separators: str = " ", reader: Reader = Response.json
) -> TokenAnswer:
    """Read a token answer strictly (RFC 6749 section 5.1).

    A successful status with an error inside is an error. Lifetimes that are no numbers are taken as not said, because a
    rotated token must not be lost for them; an answer without a usable token is `ambiguous`, for the provider acted.

    Raises:
        ProviderError: sorted as in `token_failure`.
    """
    if not response.ok:
        raise token_failure(response, now=now, reader=reader)
    try:
        answer = reader(response)
    except ProviderError as error:
        raise unusable(error.code) from None
    if answer.get("error"):
        raise token_failure(response, now=now, reader=reader)
    if not isinstance(answer.get("token_type"), str) or answer["token_type"].lower() != "bearer":
        raise unusable("token_type_unsupported")
    access = token_text(answer.get("access_token"))
    if access is None:
        raise unusable("access_token_missing")
    return TokenAnswer(
        access_token=access,
        refresh_token=_optional_token(answer, "refresh_token"),
        id_token=_optional_token(answer, "id_token"),
        expires_in_s=lifetime_s(answer.get("expires_in")),
        refresh_expires_in_s=lifetime_s(
            answer.get("refresh_expires_in", answer.get("refresh_token_expires_in"))  # two names seen in the field
        ),
        scopes=scopes_of(answer.get("scope"), separators),
        fields=answer,
    )


def token_text(value: Any) -> Secret | None:
    """A token as the RFC allows it: visible ASCII, not empty, at most MAX_TOKEN characters; else None."""
    if isinstance(value, str) and len(value) <= MAX_TOKEN and _TOKEN_TEXT.fullmatch(value):
        return Secret(value)
    return None


def lifetime_s(value: Any) -> int | None:
    """Seconds from a number or a decimal string, clamped to 0 … MAX_LIFETIME_S; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  NaN
        return None
    return int(max(0, min(value, MAX_LIFETIME_S)))


def scopes_of(value: Any, separators: str = " ") -> tuple[str, ...] | None:
    """The scopes of a `scope` field, in order, each once; None where the field is absent or no text."""
    if isinstance(value, list):
        parts = [part for part in value if isinstance(part, str)]
    elif isinstance(value, str):
        parts = re.split(f"[{re.escape(separators)}]+", value)
    else:
        return None
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _optional_token(answer: Mapping[str, Any], name: str) -> Secret | None:
    value = answer.get(name)
    if value is None or value == "":
        return None
    token = token_text(value)
    if token is None:
        raise unusable(f"{name}_unusable")
    return token
