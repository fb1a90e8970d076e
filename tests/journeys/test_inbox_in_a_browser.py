"""The inbox and the page of a letter's link in a real Chromium: without scripts, at every size, found accessible."""

from __future__ import annotations

import pytest

from connector import inbox
from connector.flows import post_notices
from connector.flows.opting_out import opt_out_link
from connector.inbox import Announcement
from tests.gateways import House
from tests.journeys import test_portal_in_a_browser as pages
from tests.journeys.test_portal_in_a_browser import Visitor, _looked_at

pytestmark = [pytest.mark.loopback, pytest.mark.browser]
house, context, visitor = pages.house, pages.context, pages.visitor


def test_a_notice_is_read_prevented_and_taken_back_with_a_keyboard(
    house: House, visitor: Visitor, axe_source: str
) -> None:
    with house.gateway.store.transaction() as tx:
        new = Announcement("transfer", "buyer", "We join Buyer", ["Your records would go to Buyer."], 30 * 86_400_000)
        inbox.announce(tx, house.gateway.vault, house.tenant.id, new)
    post_notices.spread(house.gateway)
    visitor.open_portal()
    visitor.follow("Inbox")
    _looked_at(visitor.page, "inbox", axe_source)
    visitor.page.get_by_role("button", name="Prevent this").focus()
    visitor.page.keyboard.press("Enter")
    assert visitor.says("You said no")
    _looked_at(visitor.page, "inbox-no", axe_source)
    visitor.press("Take it back")
    assert visitor.says("Prevent this")
    with house.gateway.store.read() as tx:
        (item,) = inbox.items_of(tx, house.gateway.vault, house.tenant.id, visitor.sub)
        link = opt_out_link(house.gateway, tx, item)
    visitor.page.goto(link)
    _looked_at(visitor.page, "mail", axe_source)
    visitor.press("No more mail")
    assert visitor.says("We send you no more mail")
    visitor.page.goto(f"{visitor.base}/portal/delete")
    _looked_at(visitor.page, "delete", axe_source)
