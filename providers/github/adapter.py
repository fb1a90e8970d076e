"""GitHub's capabilities, put together from the modules beside this one."""

from __future__ import annotations

from collections.abc import Mapping
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
    WriteOutcome,
)
from providers.exchange import Exchange
from providers.github import oauth, profile
from providers.github.rest import ISSUER
from providers.oauth2 import at_once, check_iss


class GitHub:
    """The adapter, for OAuth apps and for the user tokens of GitHub Apps."""

    name = "github"
    reads_before_writing: Literal[True] = True

    def issuer(self, registration: Registration) -> str:  # noqa: ARG002  the same for every registration
        """One issuer for all."""
        return ISSUER

    def authorization_url(self, registration: Registration, ask: Ask) -> Exchange[str]:
        """The login page."""
        return at_once(oauth.authorization_url(registration, ask))

    def check_callback(self, registration: Registration, iss: str | None) -> Exchange[None]:  # noqa: ARG002  see above
        """GitHub need not send `iss`; one that is there must be its own."""
        check_iss(ISSUER, iss)
        return at_once(None)

    def redeem(self, registration: Registration, callback: Callback, ask: Ask, *, now: int) -> Exchange[Grant]:
        """See `oauth.redeem`."""
        return oauth.redeem(registration, callback, ask, now)

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """See `oauth.account`."""
        return oauth.account(registration, grant)

    def whose(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """The account call itself."""
        return oauth.account(registration, grant)

    def refresh(self, registration: Registration, grant: Grant, *, now: int) -> Exchange[Grant]:
        """See `oauth.refresh`."""
        return oauth.refresh(registration, grant, now)

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """See `oauth.revoke`."""
        return oauth.revoke(registration, grant)

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """See `profile.profile`."""
        return profile.profile(registration, grant, categories)

    def writable(self, registration: Registration, grant: Grant) -> frozenset[str]:  # noqa: ARG002  the grant decides
        """See `profile.writable`."""
        return profile.writable(grant)

    def preview(self, registration: Registration, change: ProfileChange) -> tuple[Mapping[str, Any], ...]:
        """See `profile.preview`."""
        return profile.preview(registration, change)

    def write(self, registration: Registration, grant: Grant, change: ProfileChange) -> Exchange[WriteOutcome]:
        """See `profile.write`."""
        return profile.write(registration, grant, change)
