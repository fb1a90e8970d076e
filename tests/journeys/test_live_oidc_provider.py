"""A certified provider that nobody here wrote: refresh with rotation through the gateway, and revocation seen dead."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.clients import NewIntegration, add_integration
from connector.flows.integrations import integrated
from connector.flows.revoke import revoke, tell_providers
from connector.model.clock import SystemClock
from connector.model.errors import Conflict, Gone
from connector.model.states import ConnectionState, Ended
from providers.capabilities import Ask, Callback
from providers.secret import Secret
from tests.connected import Linked, establish
from tests.gateways import make_house

pytestmark = [pytest.mark.loopback, pytest.mark.node]

ASK = Ask(Secret("the-state"), Secret("the-nonce"), Secret("v" * 43), scopes=("profile", "email", "offline_access"))


@pytest.fixture
def live(tmp_path, open_another, start_oidc_provider):
    """A connection that was signed in at the provider, whose access tokens live two seconds."""
    store = open_another(SystemClock())
    provider = start_oidc_provider(accessTokenTtl=2)
    house = make_house(tmp_path, store, SystemClock())
    with store.transaction() as tx:
        new = NewIntegration(
            house.tenant.id, "oidc", client_id="later", client_secret=Secret("later"), issuer=provider.issuer
        )
        found = add_integration(tx, house.gateway.vault, new, development=True)
        redirect = integrated(house.gateway, tx, house.tenant.id, found.id).registration.redirect_uri
    client = provider.register(redirect)
    with store.transaction() as tx:
        new = replace(new, client_id=client["client_id"], client_secret=Secret(client["client_secret"]), name="live")
        integration = add_integration(tx, house.gateway.vault, new, development=True)
        whole = integrated(house.gateway, tx, house.tenant.id, integration.id)
    registration = replace(whole.registration, redirect_uri=redirect)

    def drive(exchange):
        return house.gateway.egress.drive(exchange, provider="live")

    url = drive(whole.adapter.authorization_url(registration, ASK))
    back = parse_qs(urlsplit(provider.sign_in(url, "ada")).query)
    callback = Callback(Secret(back["code"][0]), back["iss"][0])
    grant = drive(whole.adapter.redeem(registration, callback, ASK, now=house.gateway.clock.now()))
    house = replace(house, integration=integration)
    connection_id = establish(
        house.gateway, house, grant, subject=drive(whole.adapter.account(registration, grant)).subject
    )
    return Linked(house, None, connection_id), provider, client


def test_tokens_rotate_and_each_one_that_is_handed_out_lives(live):
    town, provider, client = live
    seen = {town.held_grant().refresh_token.reveal()}
    for generation in (2, 3):
        time.sleep(2.1)
        handed = town.fresh()
        assert town.connection().generation == generation
        assert provider.introspect(client, handed.access_token.reveal())["active"] is True
        seen.add(town.held_grant().refresh_token.reveal())
    assert len(seen) == 3


def test_a_revoked_connection_is_dead_at_the_provider_and_hands_out_nothing(live):
    town, provider, client = live
    held = town.held_grant()
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    with pytest.raises(Gone):
        town.fresh()
    assert tell_providers(town.gateway) == 1
    for token in (held.refresh_token, held.access_token):
        assert provider.introspect(client, token.reveal())["active"] is False


def test_a_grant_that_was_ended_there_needs_the_person(live):
    town, _provider, _client = live
    with town.store.read() as tx:
        whole = integrated(town.gateway, tx, town.house.tenant.id, town.house.integration.id)
    town.gateway.egress.drive(whole.adapter.revoke(whole.registration, town.held_grant()), provider="live")
    time.sleep(2.1)
    with pytest.raises(Conflict, match="needs_reauth"):
        town.fresh()
    assert town.connection().state is ConnectionState.NEEDS_REAUTH
