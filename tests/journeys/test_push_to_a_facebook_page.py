"""What a person types goes to the Page that they manage, through the whole push flow, over sockets."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.clients import NewIntegration, add_integration
from connector.flows.integrations import integrated
from connector.flows.preview_push import Preview, preview
from connector.storage import Store
from providers.capabilities import Grant
from providers.facebook.pages import ONE_PAGE
from providers.secret import Secret
from tests.agreed import agree, deliveries, push_all, typed
from tests.clock import ManualClock
from tests.connected import Linked, establish
from tests.gateways import House, make_house
from tests.standins import facebook
from tests.standins.driver import ask, callback
from tests.standins.serving import serving

pytestmark = pytest.mark.loopback

SCOPES = ("public_profile", "email", "pages_show_list", "pages_manage_metadata")
PHONE = {"phones": {"p1": {"number": "+4618999"}}}


@dataclass
class Shop(Linked):
    """A house whose integration is Facebook's, one person's connection, and what Facebook holds."""

    @property
    def state(self) -> facebook.State:
        found: facebook.State = self.rehearsal.extensions["state"]
        return found

    def outcome(self) -> tuple[str, dict[str, Any]]:
        """How the one delivery ended."""
        (row,) = deliveries(self)
        return row["state"], row["outcome"]

    def shown(self) -> Preview:
        (found,) = preview(self.gateway, self.house.web, self.connection().sub, PHONE)
        return found


Opened = Callable[..., Shop]


@pytest.fixture
def opened(tmp_path: Path, store: Store, clock: ManualClock) -> Iterator[Opened]:
    """Opens the shop: with the integration's settings, and what the person declined at Facebook."""
    standin = facebook.create_app()
    with serving(standin) as base:

        def open_with(*, declined: tuple[str, ...] = (), **settings: str) -> Shop:
            standin.extensions["state"].declined = list(declined)
            house = _with_facebook(make_house(tmp_path, store, clock), {"base_url": base, **settings})
            made = Shop(house, standin)
            made.connection_id = establish(house.gateway, house, _granted(house), subject="10158000000000001")
            agree(made, "push", "phones")
            return made

        yield open_with


def _with_facebook(house: House, settings: dict[str, str]) -> House:
    new = NewIntegration(
        house.tenant.id,
        "facebook",
        client_id=facebook.APP_ID,
        client_secret=Secret(facebook.APP_SECRET),
        scopes=SCOPES,
        settings=settings,
    )
    with house.gateway.store.transaction() as tx:
        return replace(house, integration=add_integration(tx, house.gateway.vault, new, development=True))


def _granted(house: House) -> Grant:
    """Through Facebook's dialog by a plain request, then the exchange by our own client."""
    gateway = house.gateway
    with gateway.store.read() as tx:
        whole = integrated(gateway, tx, house.tenant.id, house.integration.id)
    adapter: Any = whole.adapter
    url = urlsplit(gateway.egress.drive(adapter.authorization_url(whole.registration, ask()), provider="facebook"))
    browser = http.client.HTTPConnection(url.netloc, timeout=30)
    browser.request("GET", f"{url.path}?{url.query}")
    query = parse_qs(urlsplit(browser.getresponse().getheader("Location") or "").query)
    browser.close()
    brought = callback({name: values[0] for name, values in query.items()})
    redeeming = adapter.redeem(whole.registration, brought, ask(), now=gateway.clock.now())
    granted: Grant = gateway.egress.drive(redeeming, provider="facebook")
    return granted


def test_the_only_page_gets_what_was_typed_and_nothing_else(opened: Opened) -> None:
    shop = opened()
    assert shop.shown().requests[-1]["url"].endswith(f"/{ONE_PAGE}")
    assert shop.state.bodies == []

    typed(shop, PHONE | {"emails": {"m1": {"address": "new@looms.example"}}})
    push_all(shop)

    state, outcome = shop.outcome()
    assert (state, outcome["written"]) == ("done", ["/phones/p1"])
    assert shop.state.bodies == [("2001", {"phone": "+4618999"})]


def test_among_several_pages_the_app_learns_how_one_is_named(opened: Opened) -> None:
    shop = opened()
    shop.state.pages["2002"]["tasks"] = ["MANAGE"]

    typed(shop, PHONE)
    push_all(shop)

    state, outcome = shop.outcome()
    assert state == "refused"
    assert "page_id" in outcome["reason"]
    assert shop.state.bodies == []


def test_the_integrations_setting_names_the_page(opened: Opened) -> None:
    shop = opened(page_id="2002")
    shop.state.pages["2002"]["tasks"] = ["MANAGE"]
    assert shop.shown().requests[-1]["url"].endswith("/2002")

    typed(shop, PHONE)
    push_all(shop)

    assert shop.outcome()[0] == "done"
    assert shop.state.bodies == [("2002", {"phone": "+4618999"})]


def test_without_the_permissions_for_pages_it_is_said_that_profiles_cannot_be_written(opened: Opened) -> None:
    shop = opened(declined=("pages_manage_metadata",))
    (not_sent,) = shop.shown().not_sent
    assert "not personal profiles" in not_sent.reason

    typed(shop, PHONE)
    push_all(shop)

    state, outcome = shop.outcome()
    assert state == "refused"
    assert "not personal profiles" in outcome["reason"]
    assert outcome["deep_link"] == "https://www.facebook.com/settings?tab=account"
    assert shop.state.bodies == []
