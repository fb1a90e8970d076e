"""The adapter and the outbound client together, over real sockets, against a provider that turns hostile."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from connector.egress import Egress
from connector.model.clock import SystemClock
from providers.capabilities import Callback
from providers.errors import ProviderError
from providers.secret import Secret
from tests.standins.hostile import answer, hostile
from tests.standins.openid import NOW, OpenIDProvider

pytestmark = pytest.mark.loopback


@pytest.fixture
def world(loopback_server, registration):
    op = OpenIDProvider()
    op.issuer = loopback_server(op)
    egress = Egress(SystemClock(), development=True, deadline_s=20)
    yield op, egress, replace(registration, issuer=op.issuer, development=True)
    egress.close()


def test_a_person_signs_in_refreshes_and_revokes(world, adapter, ask) -> None:
    op, egress, registration = world
    code = op.authorize(egress.drive(adapter.authorization_url(registration, ask), provider="oidc"))
    egress.drive(adapter.check_callback(registration, None), provider="oidc")
    grant = egress.drive(adapter.redeem(registration, Callback(Secret(code)), ask, now=NOW), provider="oidc")
    account = egress.drive(adapter.account(registration, grant), provider="oidc")
    assert account.claims["name"] == "Ada Lovelace"
    fresh = egress.drive(adapter.refresh(registration, grant, now=NOW), provider="oidc")
    assert egress.drive(adapter.revoke(registration, fresh), provider="oidc").outcome == "confirmed"
    assert op.revoked == [fresh.refresh_token.reveal()]


def test_a_provider_on_loopback_is_refused_outside_development(world, adapter, ask) -> None:
    op, _, registration = world
    egress = Egress(SystemClock(), development=False)
    with pytest.raises(ProviderError, match="misconfigured/issuer_unusable"):
        egress.drive(adapter.authorization_url(replace(registration, development=False), ask), provider="oidc")
    with pytest.raises(ProviderError, match="try_later/unsent"):
        egress.drive(adapter.authorization_url(registration, ask), provider="oidc")
    assert op.seen == []


def the_whole_way(op, egress, adapter, registration, ask) -> None:
    code = op.authorize(egress.drive(adapter.authorization_url(registration, ask), provider="oidc"))
    grant = egress.drive(adapter.redeem(registration, Callback(Secret(code)), ask, now=NOW), provider="oidc")
    egress.drive(adapter.account(registration, grant), provider="oidc")
    egress.drive(adapter.revoke(registration, grant), provider="oidc")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token", "/userinfo", "/revoke"])
@pytest.mark.parametrize("status", [302, 307, 308])
def test_no_endpoint_leads_us_elsewhere(world, adapter, ask, path: str, status: int) -> None:
    op, egress, registration = world
    with hostile(answer(json.dumps({"access_token": "x", "token_type": "bearer"}).encode())) as thief:
        op.replies[path] = (status, {"Location": f"{thief.url}{path}"}, b"")
        with pytest.raises(ProviderError) as raised:
            the_whole_way(op, egress, adapter, registration, ask)
        assert (raised.value.kind, raised.value.code) == ("misconfigured", "redirected")
        assert thief.requests == []
