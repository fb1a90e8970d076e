"""A small model of what can happen to one person, one account and one value, walked in every order.

The table of the policy says what each combination allows. This says that no order of events reaches something it should
not: the model asks the shipped policy at each use, and `faults` are stated without it. Each flaw is a way to build the
gateway wrong that looks harmless in any single step; the walk finds the shortest story in which it does harm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from connector.model.tags import (
    Account,
    Age,
    Category,
    Choice,
    Link,
    Notice,
    Revision,
    Source,
    Standing,
    Tags,
    Use,
)
from tests.policy.shipped import NOW, policy


class Flaw(StrEnum):
    """A way to build it wrong."""

    DECIDES_WHEN_QUEUED = "a push is decided when it is queued, not when it is sent"
    KEEPS_AFTER_REVOKING = "imported data stays after the export window of a revoked connection"
    KEEPS_A_CHILD = "a child's information is not purged"
    KEEPS_AFTER_DELETION = "a deleted account's information is not purged"
    REOPENS_ON_RECONNECT = "a new connection reopens what an earlier one brought in"
    CACHES_THE_TOKEN = "a token is handed out from a cache without asking"
    TRANSFERS_ONCE_POSTED = "a transfer is decided once, when its notice is posted"
    FORGETS_STALE = "a widened policy leaves earlier opt-ins as they are"


@dataclass(frozen=True, slots=True)
class State:
    """Where one person stands.

    `earlier` is what a connection since replaced brought in, `reopened` that it passes for the new one's,
    `agreed_before` that the opt-in dates from before the policy widened.
    """

    account: Account = Account.OPEN
    link: Link = Link.NONE
    push: Choice = Choice.NONE
    age: Age = Age.OK
    notice: Notice = Notice.NONE
    widened: bool = False
    agreed_before: bool = False
    token: bool = False
    imported: bool = False
    earlier: bool = False
    reopened: bool = False
    older_copy: bool = False
    job: bool = False


Step = tuple[State, tuple[str, ...]]
_GIVEN: Final = (Category.CONTACT, Source.GIVEN)
_IMPORTED: Final = (Category.CONTACT, Source.IMPORTED)
_USES: Final[Mapping[str, tuple[Use, tuple[Category, Source], Revision]]] = {
    "pushed": (Use.of("push", "provider", "sync"), _GIVEN, Revision.CURRENT),
    "imported": (Use.of("collect", "us", "service"), _IMPORTED, Revision.CURRENT),
    "import used": (Use.of("use", "us", "service"), _IMPORTED, Revision.CURRENT),
    "import kept": (Use.of("keep", "us", "service"), _IMPORTED, Revision.CURRENT),
    "handed out": (Use.of("use", "us", "service"), (Category.CREDENTIAL, Source.GIVEN), Revision.CURRENT),
    "handed back": (Use.of("use", "us", "protect"), (Category.CREDENTIAL, Source.GIVEN), Revision.CURRENT),
    "transferred": (Use.of("share", "acquirer", "transfer"), _GIVEN, Revision.CURRENT),
    "import transferred": (Use.of("share", "acquirer", "transfer"), _IMPORTED, Revision.CURRENT),
    "older copy used": (Use.of("use", "us", "service"), _GIVEN, Revision.UNREVISED),
}


def allows(what: str, state: State, **now: object) -> bool:
    """Whether the shipped policy allows an effect as things stand."""
    use, (category, source), revision = _USES[what]
    choice = state.push if what == "pushed" else Choice.GIVEN
    tags = Tags(category, source, age=state.age, revision=revision)
    words = {"account": state.account, "link": state.link, "choice": choice, "notice": state.notice} | now
    return policy().decide(use, tags, Standing(**words), NOW).allowed  # type: ignore[arg-type]  # words by name


@dataclass(frozen=True, slots=True)
class Model:
    """The gateway in small, with the flaws it is built with."""

    flaws: frozenset[Flaw] = field(default_factory=frozenset)

    def steps(self, state: State) -> Iterator[tuple[str, Step]]:
        """Everything that can happen next: the event, the state after it, and what took effect."""
        for happens in (_person, _policy_and_notice, _gateway):
            yield from happens(state, self.flaws)


def _person(state: State, flaws: frozenset[Flaw]) -> Iterator[tuple[str, Step]]:
    welcome = state.account is Account.OPEN and state.age is Age.OK
    if welcome and state.link is not Link.CONNECTED:
        connected = replace(state, link=Link.CONNECTED, token=True, push=Choice.NONE, agreed_before=False)
        if Flaw.REOPENS_ON_RECONNECT in flaws:
            yield "connect", (replace(connected, reopened=state.imported), ())
        else:
            yield "connect", (replace(connected, earlier=state.imported or state.earlier, imported=False), ())
    if welcome and state.link is Link.CONNECTED and state.push is not Choice.GIVEN:
        yield "switch push on", (replace(state, push=Choice.GIVEN, agreed_before=False), ())
    if state.push in {Choice.GIVEN, Choice.STALE}:
        voided = state.job and Flaw.DECIDES_WHEN_QUEUED in flaws
        yield "switch push off", (replace(state, push=Choice.WITHDRAWN, agreed_before=False, job=voided), ())
    if welcome:
        queued = state.job or allows("pushed", state)
        yield "edit", (replace(state, older_copy=True, job=queued), ())
    if state.link is Link.CONNECTED:
        voided = state.job and Flaw.DECIDES_WHEN_QUEUED in flaws
        yield "revoke", (replace(state, link=Link.REVOKED, job=voided), ())
    if state.account is Account.OPEN:
        link = Link.REVOKED if state.link is Link.CONNECTED else state.link
        yield "delete the account", (replace(state, account=Account.DELETED, link=link), ())


def _policy_and_notice(state: State, flaws: frozenset[Flaw]) -> Iterator[tuple[str, Step]]:
    if not state.widened:
        stale = state.push is Choice.GIVEN and Flaw.FORGETS_STALE not in flaws
        push = Choice.STALE if stale else state.push
        yield (
            "widen the policy",
            (replace(state, widened=True, push=push, agreed_before=state.push is Choice.GIVEN), ()),
        )
    if state.notice is Notice.NONE:
        yield "post the notice", (replace(state, notice=Notice.WAITING), ())
    if state.notice is Notice.WAITING:
        yield "the window ends", (replace(state, notice=Notice.CLEAR), ())
    if state.notice in {Notice.WAITING, Notice.CLEAR}:
        yield "object", (replace(state, notice=Notice.OBJECTED), ())
    if state.age is Age.OK:
        yield "learn of a child", (replace(state, age=Age.CHILD), ())


def _gateway(state: State, flaws: frozenset[Flaw]) -> Iterator[tuple[str, Step]]:
    if state.job:
        sent = Flaw.DECIDES_WHEN_QUEUED in flaws or allows("pushed", state)
        yield "send", (replace(state, job=False), ("pushed",) if sent else ())
    if state.token and allows("imported", state):
        yield "import", (replace(state, imported=True), ("imported",))
    if state.imported and allows("import used", state):
        yield "use the import", (state, ("import used",))
    if state.earlier and allows("import used", state, link=Link.REVOKED):
        yield "use the earlier import", (state, ("earlier import used",))
    if state.token and (Flaw.CACHES_THE_TOKEN in flaws or allows("handed out", state)):
        yield "hand out", (state, ("handed out",))
    if gone := tuple(_transferred(state, flaws)):
        yield "transfer", (state, gone)
    if state.older_copy and allows("older copy used", state):
        yield "use the older copy", (state, ("older copy used",))
    yield "sweep", (_swept(state, flaws), ("swept",))


def _transferred(state: State, flaws: frozenset[Flaw]) -> Iterator[str]:
    """What goes to who takes over the business. Everybody has typed something in; not everybody has an import."""
    posted = Notice.CLEAR if Flaw.TRANSFERS_ONCE_POSTED in flaws and state.notice is not Notice.NONE else state.notice
    if allows("transferred", state, notice=posted):
        yield "transferred"
    if state.imported and allows("import transferred", state, notice=posted):
        yield "import transferred"


def _swept(state: State, flaws: frozenset[Flaw]) -> State:
    """What every deadline together leaves: grants handed back, windows over, purges done."""
    ended = state.link is Link.REVOKED
    child = state.age is Age.CHILD and Flaw.KEEPS_A_CHILD not in flaws
    deleted = state.account is Account.DELETED and Flaw.KEEPS_AFTER_DELETION not in flaws
    over = state.imported and not allows("import kept", state)
    kept = state.imported and (not over or (ended and Flaw.KEEPS_AFTER_REVOKING in flaws))
    if child or deleted:
        link = Link.NONE if state.link is Link.NONE else Link.REVOKED
        gone = replace(state, link=link, imported=False, earlier=False, older_copy=False, job=False)
        return replace(gone, token=state.token and not allows("handed back", state))
    keeps_person = state.age is Age.CHILD or state.account is Account.DELETED
    token = state.token and not (ended and allows("handed back", state))
    return replace(state, token=token, imported=state.imported if keeps_person else kept, earlier=False)


def faults(before: State, after: State, effects: tuple[str, ...]) -> Iterator[str]:
    """What must not have happened, said without the policy."""
    live = before.account is Account.OPEN and before.age is Age.OK
    connected = live and before.link is Link.CONNECTED
    may = {
        "pushed": connected and before.push is Choice.GIVEN and not (before.widened and before.agreed_before),
        "imported": connected,
        "import used": connected and not before.reopened,
        "earlier import used": False,
        "handed out": connected,
        "transferred": live and before.notice is Notice.CLEAR,
        "import transferred": connected and before.notice is Notice.CLEAR and not before.reopened,
        "older copy used": False,
    }
    for effect in effects:
        if not may.get(effect, True):
            yield effect
    if "swept" in effects:
        gone = before.account is Account.DELETED or before.age is Age.CHILD
        if gone and (after.imported or after.earlier or after.older_copy or after.token or after.job):
            yield "still held of a child or a deleted account"
        if before.link is Link.REVOKED and (after.imported or after.token):
            yield "still held of a revoked connection"


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk of every order found: each fault with its shortest story."""

    states: int
    transitions: int
    faults: Mapping[str, tuple[str, ...]]


def walk(model: Model, judge: Callable[[State, State, tuple[str, ...]], Iterator[str]] = faults) -> Walk:
    """Breadth first through every reachable state, so that the first story of a fault is a shortest one."""
    start = State()
    stories: dict[State, tuple[str, ...]] = {start: ()}
    ahead, transitions, found = deque([start]), 0, dict[str, tuple[str, ...]]()
    while ahead:
        state = ahead.popleft()
        for event, (after, effects) in model.steps(state):
            transitions += 1
            story = (*stories[state], event)
            for fault in judge(state, after, effects):
                found.setdefault(fault, story)
            if after not in stories:
                stories[after] = story
                ahead.append(after)
    return Walk(len(stories), transitions, found)
