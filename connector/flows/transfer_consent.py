"""Before a business transfer, what came from some accounts goes along only with the person's explicit yes (clause 3c).

Which accounts those are follows from the terms of their providers: the policy is asked with and without that yes. The
yes is toward one acquirer, after the words that announced it; it is entered in the ledger, receipted, and taken back in
one click. A no still outweighs it, and so does a notice whose time is not over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector import inbox
from connector.connections import Connection
from connector.flows.evidence import About, keep_sealed
from connector.flows.gateway import Gateway
from connector.flows.provider_terms import terms_of
from connector.flows.stances import take_in
from connector.flows.standings import IMPORT_WORDS, Ground, careful, ground_of
from connector.inbox import Item, Toward
from connector.model.errors import Conflict, NotFound
from connector.model.tags import Account, Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.people import PortalSession
from connector.policy.words import PHRASES
from connector.storage import Transaction
from providers import catalogue

TRANSFER = Use.of("share", "acquirer", "transfer")
_ANNOUNCED = Standing(Account.OPEN, Link.CONNECTED, Choice.NONE, Notice.CLEAR)


@dataclass(frozen=True, slots=True)
class FromAccount:
    """What came from one account and waits for a yes: the kinds of information in words, and the terms that ask."""

    connection: Connection
    provider: str
    kinds: tuple[str, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked about one transfer. `words`: title and paragraphs of its notice; `said`: yes, no, none."""

    item: Item
    words: tuple[str, tuple[str, ...]]
    accounts: tuple[FromAccount, ...]
    said: str


def asks(gateway: Gateway, ground: Ground) -> tuple[FromAccount, ...]:
    """The accounts from which nothing goes with the business but by an explicit yes."""
    live = [one for one in ground.connections.values() if not one.ended]
    found = (_of(gateway, ground, one) for one in live)
    return tuple(one for one in found if one is not None)


def question(gateway: Gateway, session: PortalSession, item_id: str) -> Question:
    """What is asked. Raises NotFound for anybody else's notice, Conflict where nothing waits for a yes."""
    with gateway.store.read() as tx:
        return _question(gateway, tx, session, item_id)[0]


def agree(gateway: Gateway, session: PortalSession, item_id: str) -> None:
    """The person says yes to this very transfer. Raises as `question`."""
    with gateway.store.transaction() as tx:
        asked, ground = _question(gateway, tx, session, item_id)
        whose = (session.tenant_id, session.sub)
        if not take_in(gateway, tx, *whose, Toward.TRANSFER, asked.item.topic, "yes", by="subject"):
            return
        title, paragraphs = asked.words
        body = {
            "what": "You said yes: what came from these accounts may go with the business, once the notice is over.",
            "to": asked.item.topic,
            "accounts": [{"provider": one.provider, "information": list(one.kinds)} for one in asked.accounts],
            "notice": {"id": asked.item.notice_id, "title": title, "text_sha256": _hash(title, paragraphs)},
            "withdraw": f"{gateway.settings.server.public_url}/portal/inbox",
        }
        about = About("transfer", f"{asked.item.id}/{tx.now()}", "final")
        keep_sealed(gateway, tx, ground.user, about=about, entry_kind="receipt", facts={"about": "transfer"}, body=body)


def _question(gateway: Gateway, tx: Transaction, session: PortalSession, item_id: str) -> tuple[Question, Ground]:
    item = inbox.find_item(tx, gateway.vault, item_id)
    whose = (session.tenant_id, session.sub)
    if item is None or (item.tenant_id, item.sub) != whose or item.shown_from > tx.now():
        raise NotFound("notice", code="unknown_notice")
    ground = ground_of(gateway, tx, *whose)
    accounts = asks(gateway, ground)
    if item.kind != Toward.TRANSFER or not accounts:
        raise Conflict("nothing_to_ask", "Nothing of yours waits for a yes to what this notice announces.")
    said = inbox.stance_of(tx, gateway.vault, *whose, Toward.TRANSFER, item.topic)
    return Question(item, inbox.words_of(tx, gateway.vault, item), accounts, said), ground


def _of(gateway: Gateway, ground: Ground, connection: Connection) -> FromAccount | None:
    """What of this account is refused without a yes, and only for want of it."""
    kinds, why = [], ""
    for category in IMPORT_WORDS:
        terms = terms_of(gateway.policy, connection, category)
        tags = careful(Tags(category, Source.IMPORTED), ground.user)
        without, given = (
            gateway.policy.decide(TRANSFER, tags, standing, ground.at, ground.user.last_visit_at, terms)
            for standing in (_ANNOUNCED, replace(_ANNOUNCED, choice=Choice.GIVEN))
        )
        if given.allowed and not without.allowed:
            kinds.append(_named(category))
            why = without.explanation
    title = catalogue.entry(connection.provider).title
    return FromAccount(connection, title, tuple(kinds), why) if kinds else None


def _named(category: Category) -> str:
    return PHRASES["category"][category]


def _hash(title: str, paragraphs: Sequence[str]) -> str:
    return hashlib.sha256("\n".join([title, *paragraphs]).encode()).hexdigest()
