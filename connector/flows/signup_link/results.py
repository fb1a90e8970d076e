"""What a redemption gives the app."""

from __future__ import annotations

from dataclasses import dataclass

from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The token response (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3), plus the connection's id.

    Attributes:
        expires_in: seconds that our access token lives.
    """

    access_token: Secret
    id_token: Secret
    expires_in: int
    scope: tuple[str, ...]
    connection_id: str
    sub: str
