"""The same events as in the model of `order_of_events`, done by the application itself on a database.

Each story is lived by a person of their own in one house. After every event the model says what must have taken
effect; here it is looked up what really left or was released: at the provider, in the answers, in the vault. The order
matters too: what leaves must have been announced in the ledger before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from connector import connections, consent, people, tokens
from connector.connections import NewConnection, landed_from
from connector.consent import Direction
from connector.flows import (
    children,
    erase,
    import_records,
    keep_records,
    portal_choices,
    push_update,
    revoke,
    stances,
)
from connector.flows.edit_profile import edit_profile
from connector.flows.fresh_token import Wanted, fresh_token
from connector.flows.import_records import scheduling
from connector.flows.read_records import read_profile
from connector.flows.withdraw_consent import withdraw_consent
from connector.inbox import Item
from connector.ledger import open_intents
from connector.model.errors import ConnectorError, NotFound
from connector.model.ids import new_id
from connector.model.states import Ended
from connector.model.tags import Purpose, Revision
from connector.people import NewIdentity, PortalSession
from providers.capabilities import Grant
from providers.exchange import NetworkFailure, Request, Response
from providers.rehearsal.server.state import Grant as TheirGrant
from providers.secret import Secret
from tests.agreed import WRITING, agree
from tests.connected import Linked
from tests.proofs import real_notices
from tests.proofs.order_of_events import Model, State

GROUP = "phones"
PROBES = ("use the import", "use the earlier import", "use the older copy", "hand out", "transfer")
LAST = (*PROBES, "send", "edit", "send", "import", *PROBES)  # tried at the end of every story, allowed or not
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where the application differs from the model: the story up to there, what was to take effect, and what did."""

    story: tuple[str, ...]
    expected: frozenset[str]
    found: frozenset[str]


class Life:
    """One person's story."""

    def __init__(self, town: Linked) -> None:
        self.town, self.gateway = town, town.gateway
        self.tenant, self.web, self.worker = town.house.tenant.id, town.house.web, town.house.worker
        self.name = f"p{next(_numbers)}"
        self.connections: list[str] = []
        self.left: list[str] = []  # what reached the provider in this event
        with self.gateway.store.transaction() as tx:
            self.user = people.create_user(tx, self.gateway.vault, self.tenant)
        self.sub = self.user.sub
        edit_profile(self.gateway, self.web, self.sub, real_notices.TYPED)
        self.gateway.egress.before = self._watch  # type: ignore[attr-defined]  # the test's own door

    def _watch(self, request: Request) -> Response | NetworkFailure | None:
        """What leaves, and whether it was announced: an intent is in the database before the request."""
        asked = (request.method, urlsplit(request.url).path)
        effect = {("PATCH", "/me"): "pushed", ("GET", "/me"): "imported", ("GET", "/contacts"): "imported"}.get(asked)
        if effect is None:
            return None
        with self.gateway.store.read() as tx:
            announced = {one.kind for one in open_intents(tx, 1_000)}
        wanted = "push_intent" if effect == "pushed" else "import_started"
        # A write looks before it writes, under the same intent.
        if asked == ("GET", "/me") and "push_intent" in announced:
            return None
        self.left.append(effect if wanted in announced else f"{effect} unannounced")
        return None

    # Events -------------------------------------------------------------------------------------------

    def does(self, event: str) -> frozenset[str]:
        """Let it happen; what took effect."""
        self.left = []
        act: Callable[[], Any] = getattr(self, "_" + event.replace(" ", "_"))
        try:
            said = act()
        except ConnectorError:
            said = None
        return frozenset([*self.left, *(said or ())])

    def _connect(self) -> None:
        town, house = self.town, self.town.house
        theirs = TheirGrant(f"g_{self.name}_{len(self.connections)}", house.integration.client_id, "ada", WRITING, 0)
        town.provider.grants[theirs.id] = theirs
        grant = Grant(
            access_token=Secret(town.provider.new_access(theirs)),
            refresh_token=Secret(town.provider.new_refresh(theirs)),
            expires_in_s=town.provider.config.access_token_s,
            scopes=WRITING,
        )
        self.connections.append(self._established(grant))
        agree(town, "import", "profile", connection_id=self.connections[-1])

    def _established(self, grant: Grant) -> str:
        """A connection of the same identity each time, as a repeated sign-in makes it after a revocation."""
        gateway, integration = self.gateway, self.town.house.integration
        with gateway.store.transaction() as tx:
            user, issuer = self.user, integration.issuer
            account = NewIdentity(integration.id, integration.provider, issuer, self.name)
            identity = people.find_identity(tx, gateway.vault, self.tenant, account)
            identity = identity or people.link_identity(tx, gateway.vault, user, account)
            landed = landed_from(
                grant, asked=WRITING, sent_at=tx.now(), refresh_model="rotating", access_ttl_s=300, draw=0.5
            )
            where = (integration.id, integration.provider, issuer)
            made = connections.establish(
                tx,
                gateway.vault,
                NewConnection(new_id("con"), self.tenant, self.sub, user.pseudonym or "", identity.id, *where),
                landed,
                now=tx.now(),
            )
            tokens.store(
                tx,
                gateway.vault.key(tx, made.token_owner),
                tokens.TokenOwner(self.tenant, made.id, made.provider),
                access=landed.access,
                refresh=landed.refresh,
                token_type=landed.token_type,
                generation=1,
            )
        return made.id

    def _switch_push_on(self) -> None:
        session = PortalSession(self.tenant, self.web.id, self.sub, "", 0, "")
        portal_choices.switch_on(self.gateway, session, self.connections[-1], GROUP)

    def _switch_push_off(self) -> None:
        with self.gateway.store.read() as tx:
            chosen = consent.of_connection(tx, self.gateway.vault, self.connections[-1])
        for given in chosen:  # none, once the account is deleted
            if given.direction is Direction.PUSH:
                withdraw_consent(self.gateway, self.web, self.sub, given.id)

    def _edit(self) -> None:
        number = f"+45 55 {next(_numbers):06d}"
        edit_profile(self.gateway, self.web, self.sub, {"phones": {"p1": {"number": number}}})

    def _revoke(self) -> None:
        revoke.revoke(self.gateway, self.tenant, self.connections[-1], by=Ended.PERSON)

    def _delete_the_account(self) -> None:
        erase.delete_user(self.gateway, self.tenant, self.sub, Ended.PERSON)

    def _learn_of_a_child(self) -> None:
        children.learned_child(self.gateway, self.tenant, self.sub)

    # What happens to everybody -------------------------------------------------------------------------

    def _widen_the_policy(self) -> list[str]:
        with self.gateway.store.read() as tx:
            there = tx.one("SELECT sub FROM users WHERE sub = :sub AND account = 'open'", sub=self.sub) is not None
        reaches = (self.tenant, self.sub) if there else None
        self.gateway, found = real_notices.widen(self.gateway, self.name, reaches=reaches)
        return found

    def _post_the_notice(self) -> None:
        real_notices.post_the_notice(self.gateway, self.tenant, self.name)

    def _the_window_ends(self) -> None:
        found = self._notice()
        closes_at = 0 if found is None else found.closes_at or 0
        wait = max(0, closes_at - self.gateway.clock.now()) / 1000
        self.gateway.clock.advance(wait)  # type: ignore[attr-defined]  # the test's own

    def _object(self) -> None:
        found = self._notice()
        if found is not None:
            stances.object_to(self.gateway, self.tenant, found.id, sub=self.sub, by="subject")

    def _notice(self) -> Item | None:
        return real_notices.item(self.gateway, self.tenant, self.sub, "transfer", self.name)

    def _transfer(self) -> list[str]:
        return real_notices.transfer(self.gateway, self.tenant, self.sub, self.name)

    # What the gateway does ------------------------------------------------------------------------------

    def _send(self) -> None:
        while push_update.step(self.gateway):
            pass

    def _import(self) -> None:
        if self.connections:
            scheduling.queue(self.gateway, self.web, self.connections[-1])
            while import_records.step(self.gateway):
                pass

    def _hand_out(self) -> list[str]:
        handed = []
        for one in self.connections:
            try:
                fresh_token(self.gateway, self.worker, Wanted(one, Purpose.SERVICE))
            except ConnectorError:
                continue
            handed.append("handed out" if one == self.connections[-1] else "handed out of an earlier connection")
        return handed

    def _use_the_import(self) -> list[str]:
        return ["import used"] if self._imported_from(self.connections[-1:]) else []

    def _use_the_earlier_import(self) -> list[str]:
        return ["earlier import used"] if self._imported_from(self.connections[:-1]) else []

    def _use_the_older_copy(self) -> list[str]:
        return ["older copy used"] if any(one.tags.revision is not Revision.CURRENT for one in self._read()) else []

    def _sweep(self) -> list[str]:
        self.gateway.clock.advance(days=8)  # type: ignore[attr-defined]  # past every window but those of retention
        while revoke.tell_providers(self.gateway):
            pass
        while revoke.destroy_due_keys(self.gateway):
            pass
        children.purge(self.gateway)
        keep_records.step(self.gateway)
        return ["swept"]

    # What is there ------------------------------------------------------------------------------------

    def _read(self) -> list[Any]:
        return [one.stored for one in read_profile(self.gateway, self.web, self.sub, Purpose.SERVICE).shown]

    def _imported_from(self, which: Sequence[str]) -> bool:
        return bool(which) and any(stored.imported_from in which for stored in self._read())

    def held(self) -> tuple[bool, bool]:
        """Whether a key to the newest connection's tokens, and to anything imported, is left."""
        with self.gateway.store.read() as tx:
            keys = tx.all(
                "SELECT owner_kind, owner_id FROM data_keys WHERE tenant_id = :tenant AND wrapped IS NOT NULL",
                tenant=self.tenant,
            )
            live = {(row["owner_kind"], row["owner_id"]) for row in keys}
            rows = {
                row["connection_id"] for row in tx.all("SELECT connection_id FROM records WHERE sub = :s", s=self.sub)
            }
        newest = self.connections[-1:]
        return (
            any(("connection_tokens", one) in live for one in newest),
            any(("connection_data", one) in live and one in rows for one in self.connections),
        )

    def ends(self) -> None:
        """Nothing of this story reaches into the next: who is left is told of nothing more."""
        with suppress(NotFound):
            erase.delete_user(self.gateway, self.tenant, self.sub, Ended.OPERATOR)
        with self.gateway.store.transaction() as tx:
            for table in ("deliveries", "imports"):
                tx.run(f"UPDATE {table} SET state = 'void' WHERE state = 'queued'")
            tx.run("DELETE FROM policy_versions WHERE version = :name", name=self.name)


def play(town: Linked, story: Sequence[str], last: Sequence[str] = LAST) -> Mismatch | None:
    """Live a story and then try everything; the first difference from the model, or None."""
    life, model, state = Life(town), Model(), State()
    lived: list[str] = []
    try:
        for event in (*story, *last):
            possible = dict(model.steps(state))
            if event == "edit" and event not in possible:
                continue  # nobody is there to type
            state, effects = possible.get(event, (state, ()))
            found = life.does(event)
            lived.append(event)
            if event == "sweep":
                effects, found = (*effects, *_left(state.token, state.imported)), found | _left(*life.held())
            if found != frozenset(effects):
                return Mismatch(tuple(lived), frozenset(effects), found)
    finally:
        life.ends()
    return None


def _left(token: bool, imported: bool) -> frozenset[str]:
    return frozenset(word for word, held in (("a token", token), ("an import", imported)) if held)


def stories(length: int, *, every_order: bool = True) -> Iterator[tuple[str, ...]]:
    """Every story of this length that the model can live, without those that differ only by looking.

    `every_order` false: of two neighbouring events that come to the same in either order, in one order only.
    """

    def longer(story: tuple[str, ...], state: State, before: State | None) -> Iterator[tuple[str, ...]]:
        if len(story) == length:
            yield story
            return
        for event, (after, _) in Model().steps(state):
            turned = before is not None and not every_order and event < story[-1]
            if event not in PROBES and not (turned and _same_either_way(before, story[-1], event)):
                yield from longer((*story, event), after, state)

    yield from longer((), State(), None)


def _same_either_way(state: State | None, first: str, second: str) -> bool:
    ends = [_after(state, *order) for order in ((first, second), (second, first))]
    return None not in ends and ends[0] == ends[1]


def _after(state: State | None, *events: str) -> tuple[State | None, list[str]] | None:
    effects: list[str] = []
    for event in events:
        possible = {} if state is None else dict(Model().steps(state))
        if event not in possible:
            return None
        state, more = possible[event]
        effects += more
    return state, sorted(effects)


def walks(seed: int, how_many: int, length: int) -> Iterator[tuple[str, ...]]:
    """Longer stories, drawn; the ends of everything are drawn seldom, or no story would get anywhere."""
    draw = random.Random(seed)  # noqa: S311  a story, no secret
    for _ in range(how_many):
        story, state = [], State()
        while len(story) < length:
            possible = dict(Model().steps(state))
            seldom = {"delete the account": 0.05, "learn of a child": 0.05, "revoke": 0.4}
            event = draw.choices(list(possible), [seldom.get(one, 1.0) for one in possible])[0]
            story.append(event)
            state = possible[event][0]
        yield tuple(story)
