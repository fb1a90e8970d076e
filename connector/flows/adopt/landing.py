"""What adopted tokens become, and whether they are newer than those that are held. Plain functions, no I/O."""

from __future__ import annotations

from connector.connections import Adoption, Connection, Landed
from connector.connections.landing import MAX_LIFETIME_S, refresh_due
from connector.flows.adopt.asked import Wanted
from connector.model.errors import BadInput
from providers.catalogue import Refresh
from providers.secret import Secret

AHEAD_MS = 60_000  # how far another machine's clock may be ahead


def landed_of(wanted: Wanted, facts: Refresh, *, now: int, draw: float) -> Landed:
    """The tokens as they will be stored.

    A token whose end nobody names and which can be refreshed is taken as over: its first use refreshes it.

    Raises:
        BadInput: they say that they were obtained in the future, or nothing can be done with them any more.
    """
    if wanted.obtained_at is not None and wanted.obtained_at > now + AHEAD_MS:
        raise BadInput("obtained_in_future", "obtained_at is in the future; compare the clocks, or leave it out.")
    can_refresh = facts.model != "none" and (wanted.refresh_token is not None or facts.model == "exchange")
    expires_at = _expires_at(wanted, facts, now=now, can_refresh=can_refresh)
    if expires_at is not None and expires_at <= now and not can_refresh:
        raise BadInput("token_over", "The access token is over and nothing can renew it; the person has to sign in.")
    lifetime_s = _lifetime_s(wanted, facts, expires_at)
    return Landed(
        access=wanted.access_token,
        refresh=wanted.refresh_token,
        token_type=wanted.token_type,
        expires_at=expires_at,
        lifetime_s=lifetime_s,
        granted_scopes=wanted.scopes,
        declined_scopes=(),
        can_refresh=can_refresh,
        refresh_at=refresh_due(expires_at, lifetime_s, draw) if can_refresh else None,
        refresh_expires_at=wanted.refresh_expires_at,
        reauth_by=None,
    )


def same(wanted: Wanted, access: Secret, refresh: Secret | None) -> bool:
    """Whether these are the very tokens that are held; constant time."""
    given = wanted.refresh_token
    return wanted.access_token == access and (given is None or given == refresh)


def is_newer(wanted: Wanted, held: Connection, adoption: Adoption | None, landed_at: int) -> bool:
    """Whether the tokens were obtained after those that are held. Where nobody knows, they were not.

    `landed_at` (ms): when the held ones were stored; for adopted ones, what was said of them counts.
    """
    if wanted.obtained_at is None:
        return False
    adopted = adoption is not None and adoption.generation == held.generation
    said = adoption.obtained_at if adopted and adoption is not None else None
    return wanted.obtained_at > (landed_at if said is None else said)


def _expires_at(wanted: Wanted, facts: Refresh, *, now: int, can_refresh: bool) -> int | None:
    if wanted.expires_at is not None:
        return min(wanted.expires_at, now + MAX_LIFETIME_S * 1000)
    if facts.access_ttl_s is None and not can_refresh:
        return None  # the provider's tokens have no end that anybody knows
    if wanted.obtained_at is not None and facts.access_ttl_s is not None:
        return wanted.obtained_at + facts.access_ttl_s * 1000
    if can_refresh:
        return now
    raise BadInput("expires_at_missing", "expires_at or obtained_at is needed: this provider's tokens end.")


def _lifetime_s(wanted: Wanted, facts: Refresh, expires_at: int | None) -> int | None:
    """How long such a token lives in all: what may be asked of one follows from it."""
    if expires_at is None:
        return None
    if wanted.obtained_at is not None and expires_at > wanted.obtained_at:
        return min((expires_at - wanted.obtained_at) // 1000, MAX_LIFETIME_S)
    return facts.access_ttl_s or 3600
