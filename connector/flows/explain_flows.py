"""What may happen with a person's information now: every possible flow, open or closed, by which clause.

Each answer is a decision of the policy itself on how things stand at this moment; the switch that closes an open flow
is found by asking it again with that switch turned, so that it cannot say what is not so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from connector import inbox
from connector.connections import Connection
from connector.consent import Direction
from connector.flows.choices import categories_of
from connector.flows.gateway import Gateway
from connector.flows.provider_terms import terms_of
from connector.flows.said_outside import counting, said_about
from connector.flows.stances import notice_toward
from connector.flows.standings import IMPORT_WORDS, Ground, careful, ground_of
from connector.model.tags import (
    Account,
    Action,
    Category,
    Choice,
    Form,
    Link,
    Notice,
    Purpose,
    Recipient,
    Source,
    Standing,
    Tags,
    Use,
)
from connector.policy import OWN, Decision, flows
from connector.policy.words import PHRASES
from connector.settings import Outsider
from connector.storage import Transaction
from providers import catalogue
from providers.capabilities import FIELD_GROUPS

_IMPORTED = frozenset(IMPORT_WORDS)
_SEEN = frozenset({Category.DEVICE, Category.USAGE})
_OUTSIDE = frozenset({Recipient.AFFILIATE, Recipient.AGENT, Recipient.ACQUIRER})


@dataclass(frozen=True, slots=True)
class Switch:
    """What a person can turn: in words, and where."""

    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Case:
    """One flow of one kind of information: what is decided now.

    Attributes:
        what: the information, in words. provider: the account it comes from or goes to; "" for none.
        switch: the one that closes it; None where it is closed, or where nothing closes it.
    """

    what: str
    category: str
    source: str
    provider: str
    connection: str
    open: bool
    clause: str
    rule: str
    explanation: str
    terms: str
    switch: Switch | None


@dataclass(frozen=True, slots=True)
class FlowView:
    """A flow for a person: its sentence, whether any of it is open, and each case."""

    flow: str
    meaning: str
    cases: tuple[Case, ...]

    @property
    def open(self) -> bool:
        """Whether anything of it is open now."""
        return any(case.open for case in self.cases)

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses that open it, or, where it is closed, those that close it."""
        return tuple(sorted({case.clause for case in self.cases if case.open == self.open}))


@dataclass(frozen=True, slots=True)
class _Situation:
    """How things stand for one kind of information, and the switches that bear on it, the mildest first."""

    what: str
    tags: Tags
    standing: Standing
    connection: Connection | None
    terms: str
    switches: tuple[tuple[Standing, Switch], ...]


@dataclass(frozen=True, slots=True)
class _Whom:
    """Who would get it (nobody outside: no title), how notice stands toward them, and what the person said."""

    title: str
    notice: Notice
    said: Choice | None

    @property
    def words(self) -> str:
        """For the end of what goes."""
        return f", to {self.title}" if self.title else ""


def flows_of(
    gateway: Gateway,
    tenant_id: str,
    sub: str,
    *,
    action: str | None = None,
    category: str | None = None,
    provider: str | None = None,
) -> list[FlowView]:
    """Every possible flow of the version in effect, for this person, now; narrowed to what is named.

    Raises:
        NotFound: no such user, or a deleted one.
    """
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, tenant_id, sub)
        found = []
        for flow in flows(gateway.policy, ground.at):
            use = Use.of(flow.action, flow.recipient, flow.purpose)
            if action not in {None, flow.action}:
                continue
            kinds = [Category(word) for word in flow.categories if category in {None, word}]
            cases = [_case(gateway, ground, use, each) for each in _situations(gateway, tx, ground, use, kinds)]
            wanted = tuple(case for case in cases if provider in {None, case.provider})
            if wanted:
                found.append(FlowView(str(use), flow.meaning, wanted))
    return found


def _case(gateway: Gateway, ground: Ground, use: Use, at: _Situation) -> Case:
    def decided(standing: Standing) -> Decision:
        return gateway.policy.decide(use, at.tags, standing, ground.at, ground.user.last_visit_at, at.terms)

    decision = decided(at.standing)
    closing = (switch for standing, switch in at.switches if not decided(standing).allowed)
    return Case(
        what=at.what,
        category=at.tags.category.value,
        source=at.tags.source.value,
        provider="" if at.connection is None else at.connection.provider,
        connection="" if at.connection is None else at.connection.id,
        open=decision.allowed,
        clause=decision.clause,
        rule=decision.rule_id,
        explanation=decision.explanation,
        terms=decision.terms,
        switch=next(closing, None) if decision.allowed else None,
    )


def _situations(
    gateway: Gateway, tx: Transaction, ground: Ground, use: Use, kinds: list[Category]
) -> Iterator[_Situation]:
    for category in kinds:
        if use.action is Action.PUSH or use.purpose is Purpose.SYNC:
            yield from _outward(ground, category)
            continue
        if category is Category.CREDENTIAL:
            yield from (_credential(ground, one) for one in ground.connections.values())
            continue
        for whom in _toward(gateway, tx, ground, use):
            yield _own(ground, use, category, whom)
            if category in _IMPORTED:
                held = ground.connections.values()
                yield from (_imported(gateway, ground, use, category, one, whom) for one in held)


def _toward(gateway: Gateway, tx: Transaction, ground: Ground, use: Use) -> Iterator[_Whom]:
    """Everybody who may get something by a flow; for one that goes to nobody outside, nobody in particular."""
    user, names = ground.user, {"": ""}
    if use.recipient in {Recipient.AGENT, Recipient.AFFILIATE}:
        settings = gateway.settings
        listed: Sequence[Outsider] = settings.agents if use.recipient is Recipient.AGENT else settings.affiliates
        purpose, today = use.purpose.value, datetime.fromtimestamp(ground.at / 1000, UTC).date()
        named = [one for one in listed if purpose in getattr(one, "purposes", ()) and one.on(today)]
        names = {one.name: one.title for one in named} or names
    elif use.recipient is Recipient.ACQUIRER:
        told = inbox.notices_of(tx, gateway.vault, user.tenant_id)
        names = {one.topic: one.topic for one in told if one.kind == "transfer" and one.withdrawn_at is None} or names
    for name, title in names.items():
        notice = notice_toward(gateway, tx, user.tenant_id, user.sub, use.recipient.value, name)
        yield _Whom(title, notice, said_about(gateway, tx, user, use, name))


def _own(ground: Ground, use: Use, category: Category, whom: _Whom) -> _Situation:
    """What the person typed in, or the service saw."""
    source = Source.OBSERVED if category in _SEEN else Source.GIVEN
    standing = Standing(ground.user.account, Link.NONE, whom.said or Choice.NONE, whom.notice)
    form = _form(use, category)
    tags = careful(Tags(category, source, form=form), ground.user)
    what = f"{_phrase(category, source, form)}{whom.words}"
    return _Situation(what, tags, standing, None, OWN, (*_nos(use, standing), _deletion(standing)))


def _nos(use: Use, standing: Standing) -> Iterator[tuple[Standing, Switch]]:
    """What a person says in their inbox to end a flow, the mildest first."""
    if use.purpose is Purpose.CONTACT:
        yield replace(standing, choice=Choice.WITHDRAWN), Switch("Say no to mail", "/portal/inbox")
    if use.recipient in _OUTSIDE:
        if standing.choice is Choice.GIVEN:
            yield replace(standing, choice=Choice.NONE), Switch("Take your yes back", "/portal/inbox")
        yield replace(standing, notice=Notice.OBJECTED), Switch("Say no to it", "/portal/inbox")


def _imported(  # noqa: PLR0917  what came from where, and would go to whom
    gateway: Gateway, ground: Ground, use: Use, category: Category, connection: Connection, whom: _Whom
) -> _Situation:
    """What came from one account."""
    choice = counting(whom.said, ground.choice(connection.id, Direction.IMPORT, IMPORT_WORDS[category]))
    standing = Standing(ground.user.account, ground.link(connection.id), choice, whom.notice)
    title, page = catalogue.entry(connection.provider).title, f"/portal/accounts/{connection.id}"
    switches = (
        *_nos(use, standing),
        (replace(standing, choice=Choice.WITHDRAWN), Switch(f"Stop importing from {title}", page)),
        *_disconnection(standing, connection),
        _deletion(standing),
    )
    form = _form(use, category)
    tags = careful(Tags(category, Source.IMPORTED, form=form), ground.user)
    what = _begun(f"{PHRASES['category'][category]}, from {title}{_figures(form)}{whom.words}")
    return _Situation(what, tags, standing, connection, terms_of(gateway.policy, connection, category), switches)


def _credential(ground: Ground, connection: Connection) -> _Situation:
    standing = Standing(ground.user.account, ground.link(connection.id), Choice.NONE, Notice.NONE)
    what = f"The access to your account at {catalogue.entry(connection.provider).title}"
    switches = (*_disconnection(standing, connection), _deletion(standing))
    return _Situation(what, Tags.credential(ground.user.age), standing, connection, OWN, switches)


def _outward(ground: Ground, category: Category) -> Iterator[_Situation]:
    """What the person typed in, on its way to each account, by field group."""
    for connection in ground.connections.values():
        title, page = catalogue.entry(connection.provider).title, f"/portal/accounts/{connection.id}"
        for group in FIELD_GROUPS:
            if category not in categories_of(Direction.PUSH, group):
                continue
            choice = ground.choice(connection.id, Direction.PUSH, group)
            standing = Standing(ground.user.account, ground.link(connection.id), choice, Notice.NONE)
            switches = (
                (replace(standing, choice=Choice.WITHDRAWN), Switch(f"Switch off {group} for {title}", page)),
                *_disconnection(standing, connection),
            )
            tags = careful(Tags(category, Source.GIVEN), ground.user)
            yield _Situation(
                f"{group.capitalize()}, typed in by you, to {title}", tags, standing, connection, OWN, switches
            )


def _disconnection(standing: Standing, connection: Connection) -> tuple[tuple[Standing, Switch], ...]:
    title = catalogue.entry(connection.provider).title
    switch = Switch(f"Disconnect {title}", f"/portal/accounts/{connection.id}/disconnect")
    return ((replace(standing, link=Link.REVOKED), switch),)


def _deletion(standing: Standing) -> tuple[Standing, Switch]:
    return replace(standing, account=Account.DELETED), Switch("Delete your account", "/portal/delete")


def _form(use: Use, category: Category) -> Form:
    """What is kept to improve, and any look at usage for it, is in figures alone."""
    aggregate = use.purpose is Purpose.IMPROVE and (use.action is Action.KEEP or category is Category.USAGE)
    return Form.AGGREGATE if aggregate else Form.IDENTIFIED


def _phrase(category: Category, source: Source, form: Form) -> str:
    return _begun(f"{PHRASES['category'][category]}, {PHRASES['source'][source]}{_figures(form)}")


def _begun(words: str) -> str:
    """With a capital at its beginning, and names left as they are."""
    return words[:1].upper() + words[1:]


def _figures(form: Form) -> str:
    return f", {PHRASES['form'][form]}" if form is Form.AGGREGATE else ""
