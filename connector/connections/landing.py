"""What a token answer becomes before it is stored: clamped, dated, compared. Plain functions, no I/O.

The windows are those of DESIGN's refresh: background refresh starts well before expiry and is spread, so that
connections which were made together do not refresh together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from providers.capabilities import Grant
from providers.secret import Secret

MAX_LIFETIME_S = 10 * 365 * 24 * 3600
DEFAULT_LIFETIME_S = 3600
EARLIEST_BEFORE_S = 60
LATEST_BEFORE_S = 15 * 60
SHARE_BEFORE = 0.2
SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class Landed:
    """Tokens ready to be stored.

    Attributes:
        expires_at: ms; None where the token has no end that anybody knows.
        lifetime_s: seconds from issue to expiry; None likewise.
        granted_scopes, declined_scopes: the provider's words.
        refresh_at: ms; when the background refresh is due; None where there is none.
        reauth_by: ms; when the person must come back whatever the tokens say.
    """

    access: Secret
    refresh: Secret | None
    token_type: str
    expires_at: int | None
    lifetime_s: int | None
    granted_scopes: tuple[str, ...]
    declined_scopes: tuple[str, ...]
    can_refresh: bool
    refresh_at: int | None
    refresh_expires_at: int | None
    reauth_by: int | None


def landed_from(
    grant: Grant, *, asked: tuple[str, ...], sent_at: int, refresh_model: str, access_ttl_s: int | None, draw: float
) -> Landed:
    """A grant as it will be stored.

    Args:
        grant: as the adapter parsed it.
        asked: the scopes that were asked for; granted where the provider did not say (RFC 6749 section 5.1).
        sent_at: ms when the request left; lifetimes count from there, which errs on the safe side.
        refresh_model: the catalogue's word: none, exchange, reusable, rotating, fixed, unknown.
        access_ttl_s: the catalogue's usual lifetime, used where the answer has none or nonsense.
        draw: uniform in [0, 1), to spread refreshes.
    """
    lifetime_s = _lifetime(grant.expires_in_s, access_ttl_s)
    expires_at = None if lifetime_s is None else sent_at + lifetime_s * 1000
    can_refresh = refresh_model != "none" and (grant.refresh_token is not None or refresh_model == "exchange")
    return Landed(
        access=grant.access_token,
        refresh=grant.refresh_token,
        token_type=grant.token_type,
        expires_at=expires_at,
        lifetime_s=lifetime_s,
        granted_scopes=asked if grant.scopes is None else grant.scopes,
        declined_scopes=grant.declined,
        can_refresh=can_refresh,
        refresh_at=refresh_due(expires_at, lifetime_s, draw) if can_refresh else None,
        refresh_expires_at=_later(sent_at, grant.refresh_expires_in_s),
        reauth_by=_later(sent_at, grant.reauth_in_s),
    )


def refresh_due(expires_at: int | None, lifetime_s: int | None, draw: float) -> int | None:
    """When a background refresh is due, in ms; None where the token does not end."""
    if expires_at is None or lifetime_s is None:
        return None
    before_s = max(min(EARLIEST_BEFORE_S, lifetime_s / 2), min(LATEST_BEFORE_S, SHARE_BEFORE * lifetime_s))
    return expires_at - int((before_s + draw * SPREAD * lifetime_s) * 1000)


def keep_what_is_wider(new: Landed, *, held_refresh: Secret | None, held_scopes: tuple[str, ...]) -> Landed:
    """A repeated sign-in never loses what is there: no refresh token in the answer keeps the old one.

    Scopes are the union where the provider said nothing narrower; a provider that lists what is granted is believed.
    """
    kept = keep_refresh(new, held_refresh)
    missing = tuple(s for s in held_scopes if s not in kept.granted_scopes and s not in kept.declined_scopes)
    return replace(kept, granted_scopes=kept.granted_scopes + missing) if missing else kept


def keep_refresh(new: Landed, held_refresh: Secret | None) -> Landed:
    """An answer without a refresh token keeps the one that is there (RFC 6749 section 6)."""
    if new.refresh is not None or held_refresh is None:
        return new
    due = new.refresh_at or refresh_due(new.expires_at, new.lifetime_s, 0.0)
    return replace(new, refresh=held_refresh, can_refresh=True, refresh_at=due)


def _lifetime(given_s: int | None, usual_s: int | None) -> int | None:
    """Seconds, clamped: absent, zero or negative means the usual; absurd means the longest that makes sense."""
    if given_s is None or given_s <= 0:
        return usual_s if given_s is None else usual_s or DEFAULT_LIFETIME_S
    return min(given_s, MAX_LIFETIME_S)


def _later(sent_at: int, seconds: int | None) -> int | None:
    return None if seconds is None or seconds <= 0 else sent_at + min(seconds, MAX_LIFETIME_S) * 1000
