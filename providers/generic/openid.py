"""OpenID Connect with the few words that an entry adds: its issuer, constant parameters, client authentication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.capabilities import Ask, Grant, Registration, Revoked
from providers.entries.plain import SPOKEN
from providers.entries.values import Entry, Revocation
from providers.exchange import Exchange, Response
from providers.generic.addresses import issuer
from providers.generic.answers import read_token_answer
from providers.generic.oauth2 import PlainOAuth2
from providers.oidc import OpenIDConnect


class PlainOpenID(OpenIDConnect):
    """The generic OpenID Connect adapter, for a provider that we know by name.

    Its endpoints come from the provider's own metadata; those in the entry are for people to read.
    """

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry

    def issuer(self, registration: Registration) -> str:
        """The entry's, with a customer's own host where it has one."""
        return issuer(self.entry, registration)

    def extra_params(self, ask: Ask, scopes: tuple[str, ...]) -> Mapping[str, str]:
        """The entry's constants; what this very request says comes first."""
        return {**self.entry.authorization.parameters, **super().extra_params(ask, scopes)}

    def client_authentication(self, registration: Registration) -> str:
        """As the operator set it, else the first that the entry prefers and we speak."""
        wanted = super().client_authentication(registration)
        return wanted or next((one for one in self.entry.token.authentication if one in SPOKEN[:2]), "")

    def read_answer(self, response: Response) -> dict[str, Any]:
        """With the provider's own error codes as the RFC's."""
        return read_token_answer(self.entry, response)

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """By RFC 7009 at the endpoint that the metadata names, unless the entry says that it is done otherwise."""
        if self.entry.revocation == Revocation():
            return super().revoke(registration, grant)
        return PlainOAuth2(self.entry).revoke(registration, grant)
