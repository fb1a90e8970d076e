"""A provider, a registration at it, and the adapter with a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from providers.capabilities import Ask, Callback, Grant, Registration
from providers.oidc import MetadataCache, OpenIDConnect
from providers.secret import Secret
from tests.clock import ManualClock
from tests.standins.openid import CLIENT_ID, CLIENT_SECRET, NOW, REDIRECT_URI, OpenIDProvider, drive


@pytest.fixture
def op() -> OpenIDProvider:
    return OpenIDProvider()


@pytest.fixture
def cache_clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def adapter(cache_clock: ManualClock) -> OpenIDConnect:
    return OpenIDConnect(MetadataCache(cache_clock.now))


@pytest.fixture
def registration(op: OpenIDProvider) -> Registration:
    return Registration(CLIENT_ID, Secret(CLIENT_SECRET), REDIRECT_URI, issuer=op.issuer)


@pytest.fixture
def ask() -> Ask:
    return Ask(Secret("the-state"), Secret("the-nonce"), Secret("v" * 43))


@pytest.fixture
def sign_in(op, adapter, registration, ask) -> Callable[..., Grant]:
    """The whole way from the URL to the grant."""

    def go(*, ask: Ask = ask, registration: Registration = registration, **callback: Any) -> Grant:
        code = op.authorize(drive(adapter.authorization_url(registration, ask), op))
        back = Callback(Secret(code), **callback)
        return drive(adapter.redeem(registration, back, ask, now=NOW), op)

    return go
