"""What a token answer becomes before it is stored: clamped, dated, compared. Plain functions.

The windows are those of DESIGN's refresh: background refresh starts well before expiry and is spread, so that
connections which were made together do not refresh together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import structlog

from providers.capabilities import Grant
from providers.secret import Secret

MAX_LIFETIME_S = 10 * 365 * 24 * 3600
DEFAULT_LIFETIME_S = 3600
EARLIEST_BEFORE_S = 60
LATEST_BEFORE_S = 15 * 60
SHARE_BEFORE = 0.2
SPREAD = 0.05
KEEP_ALIVE_SHARE = 0.25
KEEP_ALIVE_AT_MOST_S = 24 * 3600

_log = structlog.get_logger("landing")

OddLifetime = Literal["absent", "not_positive", "absurd"]


@dataclass(frozen=True, slots=True)
class Landed:
    """Tokens ready to be stored.

    Attributes:
        expires_at: ms; None where the token has no end that anybody knows.
        lifetime_s: seconds from issue to expiry; None likewise.
        granted_scopes, declined_scopes: the provider's words.
        refresh_at: ms; when the background refresh is due; None where there is none.
        reauth_by: ms; when the person must come back whatever the tokens say.
        refresh_at_if_kept: what `refresh_at` is where the refresh token that is held stays.
        odd_lifetime: what was wrong with the lifetime that the provider named, where something was.
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
    refresh_at_if_kept: int | None = None
    odd_lifetime: OddLifetime | None = None


def landed_from(
    grant: Grant,
    *,
    asked: tuple[str, ...],
    sent_at: int,
    refresh_model: str,
    access_ttl_s: int | None,
    draw: float,
    refresh_idle_ttl_s: int | None = None,
) -> Landed:
    """A grant as it will be stored.

    Args:
        grant: as the adapter parsed it.
        asked: the scopes that were asked for; granted where the provider did not say (RFC 6749 section 5.1).
        sent_at: ms when the request left; lifetimes count from there, which errs on the safe side.
        refresh_model: the catalogue's word: none, exchange, reusable, rotating, fixed, unknown.
        access_ttl_s: the catalogue's usual lifetime, used where the answer has none or nonsense.
        draw: uniform in [0, 1), to spread refreshes.
        refresh_idle_ttl_s: the catalogue's; an unused refresh token dies after so long.
    """
    odd = _oddity(grant.expires_in_s)
    lifetime_s = _lifetime(grant.expires_in_s, access_ttl_s, odd)
    expires_at = None if lifetime_s is None else sent_at + lifetime_s * 1000
    due = _due(expires_at, lifetime_s, sent_at, refresh_idle_ttl_s, draw)
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
        refresh_at=due if can_refresh else None,
        refresh_at_if_kept=due,
        refresh_expires_at=_later(sent_at, grant.refresh_expires_in_s),
        reauth_by=_later(sent_at, grant.reauth_in_s),
        odd_lifetime=odd,
    )


def refresh_due(expires_at: int | None, lifetime_s: int | None, draw: float) -> int | None:
    """When a background refresh is due, in ms; None where the token does not end."""
    if expires_at is None or lifetime_s is None:
        return None
    before_s = max(min(EARLIEST_BEFORE_S, lifetime_s / 2), min(LATEST_BEFORE_S, SHARE_BEFORE * lifetime_s))
    return expires_at - int((before_s + draw * SPREAD * lifetime_s) * 1000)


def keep_alive_due(sent_at: int, refresh_idle_ttl_s: int | None, draw: float) -> int | None:
    """When a refresh token that nobody uses must be used so that it does not die, in ms; None where it does not die.

    A quarter of what it lives unused, and at least daily; up to a twentieth earlier, so that they do not come at once.
    """
    if refresh_idle_ttl_s is None:
        return None
    every_s = min(KEEP_ALIVE_AT_MOST_S, KEEP_ALIVE_SHARE * refresh_idle_ttl_s)
    return sent_at + int(every_s * (1 - draw * SPREAD) * 1000)


def tell_odd_lifetime(landed: Landed, integration_id: str) -> None:
    """Say in the log that a provider named a lifetime that makes no sense, and what was taken instead."""
    if landed.odd_lifetime in {"not_positive", "absurd"}:
        _log.warning(
            "token.lifetime_clamped",
            integration=integration_id,
            lifetime=landed.odd_lifetime,
            taken_s=landed.lifetime_s,
        )


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
    due = new.refresh_at or new.refresh_at_if_kept or refresh_due(new.expires_at, new.lifetime_s, 0.0)
    return replace(new, refresh=held_refresh, can_refresh=True, refresh_at=due)


def _due(
    expires_at: int | None, lifetime_s: int | None, sent_at: int, refresh_idle_ttl_s: int | None, draw: float
) -> int | None:
    """Whichever comes first: the access token's end, or the refresh token's death of disuse."""
    times = (refresh_due(expires_at, lifetime_s, draw), keep_alive_due(sent_at, refresh_idle_ttl_s, draw))
    return min((at for at in times if at is not None), default=None)


def _oddity(given_s: int | None) -> OddLifetime | None:
    if given_s is None:
        return "absent"
    if given_s <= 0:
        return "not_positive"
    return "absurd" if given_s >= MAX_LIFETIME_S else None


def _lifetime(given_s: int | None, usual_s: int | None, odd: OddLifetime | None) -> int | None:
    """Seconds. What makes no sense becomes the usual; without one: no end, an hour, or the longest we take."""
    if odd is None:
        return given_s
    return usual_s or {"absent": None, "not_positive": DEFAULT_LIFETIME_S, "absurd": MAX_LIFETIME_S}[odd]


def _later(sent_at: int, seconds: int | None) -> int | None:
    return None if seconds is None or seconds <= 0 else sent_at + min(seconds, MAX_LIFETIME_S) * 1000
