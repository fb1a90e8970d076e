"""The connect flow in small: two people, two apps of two tenants, an honest provider and one that the attacker owns.

Mallory owns one of the apps and one of the providers. She starts flows, passes every link on, reads every answer of a
provider (so she knows its code and state), makes any browser call any callback with what she knows, and lets her
provider send people on to the honest one in any app's name. The apps are careless: they redeem in whichever session the
browser comes back with. One thing she cannot do: read an answer to a flow of her own browser before the browser that it
was given to delivers it, for that ends the flow. Against that nothing helps but a provider that binds its answers.

Each defence of the gateway is one condition; the walk goes through every reachable state, breadth first, so that the
first story of a fault is a shortest one.

What must hold: who starts is who finishes; the app that the person agreed to is the app that gets access; the connector
that was started is the connector that finishes. And no code leaves for a provider that did not issue it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

ADA, MALLORY = "ada", "mallory"  # each has one browser, and one session at each app
SHOP, RIVAL = "shop", "rival"
HONEST, EVIL = "honest", "evil"
SIGN_IN, LINK = "sign-in", "link"
PEOPLE: Final = (ADA, MALLORY)
STARTS: Final = ((SHOP, HONEST, SIGN_IN), (SHOP, HONEST, LINK), (RIVAL, HONEST, SIGN_IN), (RIVAL, EVIL, SIGN_IN))


class Defence(StrEnum):
    """One condition in the gateway each."""

    BROWSER = "the callback works only in the browser that was at the page"
    USER = "a linking app names the user of its own session when it redeems, and it is compared"
    CONNECTOR = "the callback's own address and the flow's connector are compared"
    REGISTRATION = "each app has a registration of its own at a provider"
    PROOF = "verifier and nonce tie a provider's code to the flow it was asked for in"
    ONCE = "state and code work once"


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A provider's code: who signed in where, which app they were told of, and the flow it was asked for in."""

    person: str
    issuer: str
    app: str
    flow: int


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """One flow. `at`: started, away, held, done, failed."""

    number: int
    starter: str
    app: str
    connector: str
    kind: str
    at: str = "started"
    browser: str = ""
    came_in: str = ""
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Flows and codes. `landed`: flow, code, and in whose session. `stolen`: codes at the evil token endpoint."""

    flows: tuple[Flow, ...] = ()
    codes: frozenset[Code] = frozenset()
    landed: tuple[tuple[Flow, Code, str], ...] = ()
    stolen: frozenset[Code] = frozenset()


@dataclass(frozen=True, slots=True)
class Model:
    """The gateway in small, without the defences that are off. `flows`, `codes`: how many there may be at most."""

    off: frozenset[Defence] = field(default_factory=frozenset)
    flows: int = 2
    codes: int = 2

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that can happen next."""
        if len(state.flows) < self.flows:
            for person in PEOPLE:
                for app, connector, kind in STARTS:
                    flow = Flow(len(state.flows) + 1, person, app, connector, kind)
                    yield f"{person} starts flow {flow.number}: {kind} at {app} with {connector}", _with(state, flow)
        for flow in state.flows:
            yield from _opens(state, flow)
            if len(state.codes) < self.codes:
                yield from self._agrees(state, flow)
            yield from self._returns(state, flow)
            yield from self._redeems(state, flow)

    def _on(self, defence: Defence) -> bool:
        return defence not in self.off

    def _agrees(self, state: State, flow: Flow) -> Iterator[tuple[str, State]]:
        """Whoever has the provider's address agrees there: Mallory passes hers on, her provider sends people on."""
        if flow.at != "away":
            return
        seen = PEOPLE if flow.browser == MALLORY or flow.connector == EVIL else (flow.browser,)
        for person in seen:
            led = self._delivered(state, flow, person)
            yield from _grants(led, Code(person, flow.connector, flow.app, flow.number))
            if flow.connector == EVIL:
                for app in (SHOP, RIVAL):
                    yield from _grants(led, Code(person, HONEST, app, flow.number))
            if not self._on(Defence.REGISTRATION):
                for earlier in sorted(state.codes):
                    if (earlier.person, earlier.issuer) == (person, flow.connector):  # it asks nobody twice
                        yield from _grants(led, replace(earlier, flow=flow.number), how="is not even asked")

    def _delivered(self, state: State, flow: Flow, person: str) -> State:
        """Ada's browser delivers what it is given: to a flow of another browser, so that this one is over."""
        if self._on(Defence.BROWSER) and person == ADA != flow.browser:
            return _with(state, replace(flow, at="failed"))
        return state

    def _returns(self, state: State, flow: Flow) -> Iterator[tuple[str, State]]:
        """A callback, in any browser: the provider's own redirect, or one that Mallory made of what she knows."""
        if flow.at != "away" and not (flow.at == "done" and not self._on(Defence.ONCE)):
            return
        for browser in PEOPLE:
            if self._on(Defence.BROWSER) and browser != flow.browser:
                continue
            for code in sorted(state.codes):
                if _can_be_brought(state, flow, code) and self._is_answer(flow, code):
                    told = (
                        f"{browser}'s browser brings the code of {code.person} at {code.issuer} to flow {flow.number}"
                    )
                    yield told, _with(state, replace(flow, at="held", came_in=browser, code=code))

    def _is_answer(self, flow: Flow, code: Code) -> bool:
        """A code comes to the callback of the registration it was asked with, which the gateway compares."""
        if not self._on(Defence.CONNECTOR):
            return True
        return code.issuer == flow.connector and (code.app == flow.app or not self._on(Defence.REGISTRATION))

    def _redeems(self, state: State, flow: Flow) -> Iterator[tuple[str, State]]:
        """The app redeems in the session of the browser that was sent back to it."""
        if flow.at != "held" or flow.code is None:
            return
        session, code = flow.came_in, flow.code
        if flow.kind == LINK and self._on(Defence.USER) and session != flow.starter:
            return
        if flow.connector == EVIL and code.issuer == HONEST:
            sent = replace(state, stolen=state.stolen | {code})
            yield f"the code of flow {flow.number} is sent to the evil token endpoint", sent
            return
        if self._on(Defence.PROOF) and code.flow != flow.number:
            return
        done = replace(flow, at="done")
        landed = replace(state, landed=(*state.landed, (done, code, session)))
        yield f"the app redeems flow {flow.number} in {session}'s session", _with(landed, done)


def _opens(state: State, flow: Flow) -> Iterator[tuple[str, State]]:
    """A browser opens the start link: the starter's own, or one that Mallory passed it to."""
    if flow.at == "started":
        for person in {flow.starter, ADA} if flow.starter == MALLORY else {flow.starter}:
            yield f"{person}'s browser opens flow {flow.number}", _with(state, replace(flow, at="away", browser=person))


def _grants(state: State, code: Code, how: str = "agrees") -> Iterator[tuple[str, State]]:
    if code not in state.codes:
        told = f"{code.person} {how} at {code.issuer} for {code.app}, led there by flow {code.flow}"
        yield told, replace(state, codes=state.codes | {code})


def _can_be_brought(state: State, flow: Flow, code: Code) -> bool:
    """The state is known with the answer itself, to whose browser was away, and to the provider they were sent to."""
    known = flow.browser == MALLORY or flow.connector == EVIL or any(each.flow == flow.number for each in state.codes)
    return known or code.flow == flow.number


def _with(state: State, flow: Flow) -> State:
    others = [each for each in state.flows if each.number != flow.number]
    return replace(state, flows=tuple(sorted([*others, flow], key=lambda each: each.number)))


def faults(state: State) -> Iterator[str]:
    """What must not have happened, said without the defences. With her own app Mallory may do as she likes."""
    for flow, code, session in state.landed:
        finisher = flow.starter if flow.kind == LINK else session
        if flow.app == SHOP and finisher != code.person:
            yield "another finished than began"
        if flow.app != code.app:
            yield "another app got access than was agreed to"
        if flow.connector != code.issuer:
            yield "another connector finished than was started"
    if len({flow.number for flow, _, _ in state.landed}) < len(state.landed):
        yield "one flow landed twice"
    if state.stolen:
        yield "a code left for a provider that did not issue it"


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk found: how many states, and each fault with its shortest story."""

    states: int
    faults: Mapping[str, tuple[str, ...]]


def walk(model: Model) -> Walk:
    """Breadth first through every reachable state."""
    start = State()
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    ahead, found = deque([start]), dict[str, tuple[str, ...]]()
    while ahead:
        state = ahead.popleft()
        for event, after in model.steps(state):
            if after in came_from:
                continue
            came_from[after] = (state, event)
            harmed = list(faults(after))
            for fault in harmed:
                if fault not in found:
                    found[fault] = _story(came_from, after)
            if not harmed:  # what follows a fault is no shorter way to it
                ahead.append(after)
    return Walk(len(came_from), found)


def _story(came_from: Mapping[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    events: list[str] = []
    step = came_from[state]
    while step is not None:
        events.append(step[1])
        step = came_from[step[0]]
    return tuple(reversed(events))
