"""The adapter and the outbound client against a certified OpenID provider that nobody here wrote."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.egress import Egress
from connector.model.clock import SystemClock
from providers.capabilities import Ask, Callback, Registration
from providers.errors import ProviderError
from providers.oidc import OpenIDConnect
from providers.secret import Secret
from tests.services.oidc_provider import OidcProvider
from tests.standins.openid import REDIRECT_URI

pytestmark = [pytest.mark.loopback, pytest.mark.node]

CLOCK = SystemClock()
ASK = Ask(Secret("the-state"), Secret("the-nonce"), Secret("v" * 43), scopes=("profile", "email", "offline_access"))


@pytest.mark.parametrize("pushes", [False, True])
def test_a_certified_provider_is_signed_in_to_refreshed_and_revoked(start_oidc_provider, pushes: bool) -> None:
    live: OidcProvider = start_oidc_provider(requirePar=pushes)
    client = live.register(REDIRECT_URI)
    registration = Registration(
        client["client_id"], Secret(client["client_secret"]), REDIRECT_URI, issuer=live.issuer, development=True
    )
    adapter, egress = OpenIDConnect(), Egress(CLOCK, development=True)

    def drive(exchange):
        return egress.drive(exchange, provider="live")

    url = drive(adapter.authorization_url(registration, ASK))
    assert ("request_uri=" in url) is pushes
    back = parse_qs(urlsplit(live.sign_in(url, "ada")).query)
    assert back["state"] == ["the-state"]
    with pytest.raises(ProviderError, match="mismatch/iss_missing"):
        drive(adapter.check_callback(registration, None))
    callback = Callback(Secret(back["code"][0]), back["iss"][0])
    grant = drive(adapter.redeem(registration, callback, ASK, now=CLOCK.now()))
    account = drive(adapter.account(registration, grant))
    assert (account.issuer, bool(account.subject)) == (live.issuer, True)
    fresh = drive(adapter.refresh(registration, grant, now=CLOCK.now()))
    assert fresh.refresh_token != grant.refresh_token
    assert drive(adapter.revoke(registration, fresh)).outcome == "confirmed"
    assert live.introspect(client, fresh.refresh_token.reveal())["active"] is False
    with pytest.raises(ProviderError, match="rejected/invalid_grant"):
        drive(adapter.refresh(registration, fresh, now=CLOCK.now()))
    with pytest.raises(ProviderError, match=r"issuer_mismatch|no_metadata"):
        drive(adapter.authorization_url(replace(registration, issuer=live.issuer + "/"), ASK))
    egress.close()
