"""What lies in a person's inbox, in words, with where each stands and what they said to it; and who may get what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from connector import inbox
from connector.flows.gateway import Gateway
from connector.flows.stances import ANSWERS, objection_to
from connector.flows.standings import ground_of
from connector.flows.transfer_consent import FromAccount, asks
from connector.inbox import Item, Stance, Toward, Window
from connector.model.errors import NotFound
from connector.settings import Outsider
from connector.storage import Transaction
from vault import VaultError

_log = structlog.get_logger("inbox")
_UNREADABLE = "It does not open as what it was written as, so it is not shown; the operator finds it in the log."


@dataclass(frozen=True, slots=True)
class Lying:
    """One thing in the inbox, as its person sees it.

    Attributes:
        window: where it stands: open for objection, closed, effective.
        may_object: it announces something that a no of the person prevents.
        objection: the no that stands, by whomever it was said.
        asks: the accounts from which something goes only with an explicit yes to this.
        agreed: that yes stands.
    """

    item: Item
    title: str
    paragraphs: tuple[str, ...]
    window: Window
    may_object: bool
    objection: Stance | None
    asks: tuple[FromAccount, ...] = ()
    agreed: bool = False


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody outside who may get something, and what the person said to that. `kind`: agent or affiliate."""

    kind: str
    outsider: Outsider
    purposes: tuple[str, ...]
    said: str


def lying_in(gateway: Gateway, tenant_id: str, sub: str) -> list[Lying]:
    """Everything there, newest first."""
    with gateway.store.read() as tx:
        now = tx.now()
        said = inbox.stances_of(tx, gateway.vault, tenant_id, sub)
        found: list[Lying] = []
        for item in inbox.items_of(tx, gateway.vault, tenant_id, sub):
            title, paragraphs = _words(gateway, tx, item)
            objection = objection_to(said, item)
            asked = asks(gateway, ground_of(gateway, tx, tenant_id, sub)) if item.kind == Toward.TRANSFER else ()
            found.append(
                Lying(
                    item,
                    title,
                    paragraphs,
                    item.window(now),
                    item.kind in ANSWERS,
                    objection,
                    asked,
                    agreed=any((one.toward, one.name, one.stance) == (item.kind, item.topic, "yes") for one in said),
                )
            )
        return found


def one(gateway: Gateway, tenant_id: str, item_id: str) -> Lying:
    """One of them. Raises NotFound for what is another tenant's, or not to be seen yet."""
    with gateway.store.read() as tx:
        item = inbox.find_item(tx, gateway.vault, item_id)
        if item is None or item.tenant_id != tenant_id or item.shown_from > tx.now():
            raise NotFound("notice", code="unknown_notice")
    return next(each for each in lying_in(gateway, tenant_id, item.sub) if each.item.id == item_id)


def recipients(gateway: Gateway, tenant_id: str, sub: str) -> list[Recipient]:
    """Everybody outside who is named in the settings, with what the person said to each."""
    with gateway.store.read() as tx:

        def said(toward: Toward, name: str) -> str:
            return inbox.stance_of(tx, gateway.vault, tenant_id, sub, toward, name)

        agents = [
            Recipient("agent", one, one.purposes, said(Toward.AGENT, one.name)) for one in gateway.settings.agents
        ]
        affiliates = [
            Recipient("affiliate", one, one.purposes, said(Toward.AFFILIATE, one.name))
            for one in gateway.settings.affiliates
        ]
    return [*agents, *affiliates]


def _words(gateway: Gateway, tx: Transaction, item: Item) -> tuple[str, tuple[str, ...]]:
    try:
        return inbox.words_of(tx, gateway.vault, item)
    except VaultError as error:
        _log.error("inbox.words_do_not_open", item=item.id, error=type(error).__name__)
        return "A notice", (_UNREADABLE,)


def general_stances(gateway: Gateway, tenant_id: str, sub: str) -> Mapping[str, Stance]:
    """What the person said about mail and about all affiliates, where they said anything: `mail`, `affiliate`."""
    with gateway.store.read() as tx:
        said = inbox.stances_of(tx, gateway.vault, tenant_id, sub)
    return {one.toward: one for one in said if not one.name and one.stance != "none"}
