"""What happens to one person from outside their own account, done by the application: a wider policy, a transfer.

Each answers with what took effect beyond what was meant; a whole gateway answers with nothing.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from hashlib import sha256

from connector import inbox
from connector.flows import policy_versions, post_notices, stale_choices
from connector.flows.announce_policy import announce_version
from connector.flows.gateway import Gateway
from connector.flows.hand_outside import hand_outside
from connector.flows.outside_notices import announce_outside
from connector.flows.outside_requests import Request
from connector.inbox import Item
from connector.model.errors import Misconfigured
from connector.policy import Policy, Version
from tests.policy.successors import followed_by, successor, wider

WINDOWS = {"transfer": "120d", "sharing": "120d", "changes": "1d"}  # longer than any story sweeps, but for the last
TYPED = {"emails": {"e1": {"address": "typed@example.org"}}}  # by everybody, before their story begins


def widen(gateway: Gateway, name: str, *, reaches: tuple[str, str] | None) -> tuple[Gateway, list[str]]:
    """A version that lets more be pushed takes effect the way every version must; the gateway under it.

    `reaches`: tenant and person who must find the notice in their inbox before it does.
    """
    policy, settings = following(gateway, name), gateway.settings.policy
    found = ["widened untold"] if _counts(gateway, policy) else []
    announce_version(
        gateway.store,
        gateway.vault,
        policy,
        name,
        window=settings.notice_windows.changes,
        contact=settings.controller.contact,
    )
    _spread(gateway)
    if reaches is not None and item(gateway, *reaches, "policy", name) is None:
        found.append("widened past somebody")
    gateway.clock.advance(settings.notice_windows.changes.total_seconds())  # type: ignore[attr-defined]  # by hand
    admitted = policy_versions.admit(gateway.store, policy, settings.notice_windows.changes)
    under_it = replace(gateway, policy=admitted)
    policy_versions.step(under_it)
    stale_choices.step(under_it)
    return under_it, found


def following(gateway: Gateway, name: str) -> Policy:
    """The shipped version, and a wider one that takes effect when a notice given now is over."""
    window = round(gateway.settings.policy.notice_windows.changes.total_seconds() * 1000)
    at = gateway.clock.now() + window
    newer = copy.copy(_wider())  # what it says is worked out once; when it says it differs
    newer.book = replace(newer.book, version=name, posted_at=at, effective_at=at)
    newer.sha256 = sha256(f"{name} {at}".encode()).hexdigest()
    return followed_by(newer)


@cache
def _wider() -> Version:
    made = successor(wider, effective_at=0)
    assert made.tables  # which its copies share
    return made


def _counts(gateway: Gateway, policy: Policy) -> bool:
    """Whether a version counts of which nobody was told."""
    try:
        policy_versions.examined(gateway.store, policy, gateway.settings.policy.notice_windows.changes)
    except Misconfigured:
        return False
    return True


def post_the_notice(gateway: Gateway, tenant_id: str, buyer: str) -> None:
    """Everybody is told that the business goes to somebody."""
    announce_outside(gateway, tenant_id, ("acquirer", buyer), "We move", [f"To {buyer}."], 0)
    _spread(gateway)


def transfer(gateway: Gateway, tenant_id: str, sub: str, buyer: str) -> list[str]:
    """The business goes to them, with what of this person may go."""
    request = Request("acquirer", buyer, ("emails",), "Ada Byron", "the sale", "deed 7")
    sources = {value["source"] for value in hand_outside(gateway, tenant_id, sub, request).document.get("values", ())}
    words = {"given": "transferred", "imported": "import transferred"}
    return [words[source] for source in sources]


def item(gateway: Gateway, tenant_id: str, sub: str, kind: str, topic: str) -> Item | None:
    """What lies in the person's inbox about it."""
    with gateway.store.read() as tx:
        held = inbox.items_of(tx, gateway.vault, tenant_id, sub)
    return next((one for one in held if (one.kind, one.topic) == (kind, topic)), None)


def _spread(gateway: Gateway) -> None:
    while post_notices.spread(gateway):
        pass
