"""The adapter with exactly the capabilities that an entry claims: what is lacking has no function to call."""

from __future__ import annotations

from functools import cache
from typing import Protocol, TypeAlias

from providers.capabilities import Account, Adapter, Ask, Callback, Grant, Page, Registration, Revoked
from providers.entries.values import Entry
from providers.exchange import Exchange
from providers.generic.oauth2 import PlainOAuth2
from providers.generic.openid import PlainOpenID

Spoken: TypeAlias = PlainOAuth2 | PlainOpenID


def adapter_of(entry: Entry) -> Adapter:
    """The adapter of an entry that names none."""
    spoken: Spoken = PlainOpenID(entry) if entry.protocol == "openid" else PlainOAuth2(entry)
    named = entry.protocol == "openid" or (entry.profile is not None and entry.profile.source == "userinfo")
    return _class_for(frozenset(entry.capabilities), named=named)(entry.name, spoken)


@cache
def _class_for(capabilities: frozenset[str], *, named: bool) -> type[_Authorises]:
    parts = [part for word, part in _PARTS.items() if word in capabilities] + ([_NamesAccount] if named else [])
    return type("Generic", (*parts, _Authorises), {})


class _Speaks(Protocol):
    """What the parts below share."""

    name: str
    _spoken: Spoken


class _Authorises:
    """The part that every adapter has."""

    def __init__(self, name: str, spoken: Spoken) -> None:
        self.name = name
        self._spoken = spoken

    def issuer(self, registration: Registration) -> str:
        return self._spoken.issuer(registration)

    def authorization_url(self, registration: Registration, ask: Ask) -> Exchange[str]:
        return self._spoken.authorization_url(registration, ask)

    def check_callback(self, registration: Registration, iss: str | None) -> Exchange[None]:
        return self._spoken.check_callback(registration, iss)

    def redeem(self, registration: Registration, callback: Callback, ask: Ask, *, now: int) -> Exchange[Grant]:
        return self._spoken.redeem(registration, callback, ask, now=now)

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        return self._spoken.account(registration, grant)


class _NamesAccount:
    def whose(self: _Speaks, registration: Registration, grant: Grant) -> Exchange[Account]:
        return self._spoken.whose(registration, grant)


class _Refreshes:
    def refresh(self: _Speaks, registration: Registration, grant: Grant, *, now: int) -> Exchange[Grant]:
        return self._spoken.refresh(registration, grant, now=now)


class _Revokes:
    def revoke(self: _Speaks, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        return self._spoken.revoke(registration, grant)


class _ReadsProfile:
    def profile(self: _Speaks, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        return self._spoken.profile(registration, grant, categories)


_PARTS: dict[str, type] = {"refresh": _Refreshes, "revoke": _Revokes, "import_profile": _ReadsProfile}
