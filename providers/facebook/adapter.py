"""Facebook's capabilities, put together from the modules beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from providers.capabilities import (
    Account,
    Ask,
    Callback,
    Grant,
    Page,
    ProfileChange,
    Registration,
    Revoked,
    Signal,
    SignalRequest,
    WriteOutcome,
)
from providers.exchange import Exchange
from providers.facebook import oauth, pages, profile, signals
from providers.facebook.graph import ISSUER
from providers.oauth2 import at_once, check_iss


class Facebook:
    """The adapter. Settings: `graph_version` (v25.0), `page_id` (a Page to write to), `pkce` ("off" leaves it out)."""

    name = "facebook"
    reads_before_writing: Literal[True] = True
    signal_kinds = tuple(signals.KINDS)

    def issuer(self, registration: Registration) -> str:  # noqa: ARG002  the same for every registration
        """One issuer for all: ids are told apart by app, and an integration is one app."""
        return ISSUER

    def authorization_url(self, registration: Registration, ask: Ask) -> Exchange[str]:
        """The login dialog."""
        return at_once(oauth.authorization_url(registration, ask))

    def check_callback(self, registration: Registration, iss: str | None) -> Exchange[None]:  # noqa: ARG002  see above
        """Facebook sends no `iss`; one that is there must be its own."""
        check_iss(ISSUER, iss)
        return at_once(None)

    def redeem(self, registration: Registration, callback: Callback, ask: Ask, *, now: int) -> Exchange[Grant]:
        """See `oauth.redeem`."""
        return oauth.redeem(registration, callback, ask, now)

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """See `profile.account`."""
        return profile.account(registration, grant)

    def whose(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """By debug_token, which also says that the token was made for this very app, and /me."""
        return profile.account(registration, replace(grant, id_claims={}))

    def refresh(self, registration: Registration, grant: Grant, *, now: int) -> Exchange[Grant]:
        """See `oauth.refresh`."""
        return oauth.refresh(registration, grant, now)

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """See `oauth.revoke`."""
        return oauth.revoke(registration, grant)

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """See `profile.profile`."""
        return profile.profile(registration, grant, categories)

    def writable(self, registration: Registration, grant: Grant) -> frozenset[str]:
        """See `pages.writable`."""
        return pages.writable(registration, grant)

    def preview(self, registration: Registration, change: ProfileChange) -> tuple[Mapping[str, Any], ...]:
        """See `pages.preview`."""
        return pages.preview(registration, change)

    def write(self, registration: Registration, grant: Grant, change: ProfileChange) -> Exchange[WriteOutcome]:
        """See `pages.write`."""
        return pages.write(registration, grant, change)

    def signal(self, registration: Registration, request: SignalRequest, *, now: int) -> Signal:
        """See `signals.signal`."""
        return signals.signal(registration, request, now)
