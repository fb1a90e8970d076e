"""A connection's whole life in any order of events, on the real rooms and flows, beside a model that knows little.

The model knows what the provider knows (whose grant lives there), how high the generation has been, and what was done
that may end a connection. After every step the promises of `docs/states.md` must hold; at the end of every life the
provider is well again and time passes, and nothing may have died in silence.

`LIFE_EXAMPLES=2000 pytest tests/proofs/test_connection_life.py` goes deeper, with orders drawn anew each time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector import connections, tokens
from connector.flows import refresh, restore, revoke, run_out, signals
from connector.flows.revoke_keys import destroy_due_keys
from connector.model.errors import ConnectorError
from connector.model.states import ConnectionState, Ended
from providers.capabilities import Grant, Signal
from providers.exchange import Request
from providers.rehearsal.server.state import Grant as TheirGrant
from providers.secret import Secret
from tests.connected import SCOPES, Linked, recovered
from tests.proofs.provider_answers import ANSWERS, Died
from vault import KeyDestroyed, Owner

DEEP = int(os.environ.get("LIFE_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=DEEP or 12,
    stateful_step_count=40 if DEEP else 15,
    derandomize=not DEEP,
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink) if DEEP else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
S = ConnectionState
HANDING_OUT = {S.ACTIVE, S.REFRESHING, S.EXPIRED}
OVER = {S.REVOKED, S.REVOKED_BY_PROVIDER, S.SHREDDED}
_numbers = count()


class Life(RuleBasedStateMachine):
    """One person's connection; where it ended, the next sign-in makes another."""

    town: ClassVar[Linked]

    def __init__(self) -> None:
        super().__init__()
        self.gateway, self.clock, self.provider = self.town.gateway, self.town.gateway.clock, self.town.provider
        self.script: list[Callable[..., Any]] = []
        self.honest = type(self.gateway.egress)._outcome.__get__(self.gateway.egress)
        self.gateway.egress._outcome = self.answered
        self.offset_ms = 0
        self.begin()

    def begin(self) -> None:
        self.person = f"person-{next(_numbers)}"
        self.id = self.town.connection_id = self.town.connect(self.person)
        self.theirs = list(self.provider.grants.values())[-1]
        self.generation, self.sign_ins = 1, 0
        self.causes: set[str] = set()

    # What happens --------------------------------------------------------------------------------

    def answered(self, request: Request) -> Any:
        if self.script and request.url.endswith("/token"):
            return self.script.pop()(self, request, self.honest)
        return self.honest(request)

    @property
    def now(self) -> connections.Connection:
        return self.town.connection(self.id)

    @rule(answer=st.sampled_from(sorted(ANSWERS)))
    def a_caller_needs_a_fresh_token(self, answer: str) -> None:
        now = self.now
        if now.state not in HANDING_OUT:
            return
        self.script = [ANSWERS[answer]]
        with contextlib.suppress(ConnectorError, Died):
            refresh.refresh_now(self.gateway, now)
        self.script = []

    @rule()
    def a_worker_asks_for_the_token(self) -> None:
        before = self.now.state
        try:
            handed = self.town.fresh(self.id)
        except ConnectorError:
            return
        assert before in HANDING_OUT, "a token left although nothing may leave"
        assert handed.expires_in_s is None or handed.expires_in_s >= 0
        assert handed.access_token == self.town.held_grant(self.id).access_token

    @rule()
    def background(self) -> None:
        refresh.due(self.gateway)

    @rule(dead=st.booleans())
    def recovery(self, dead: bool) -> None:
        recovered(self.gateway, frozenset({self.gateway.worker_id} if dead else ()))

    @rule(seconds=st.sampled_from([1, 16, 31, 200, 301, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(by_s=st.sampled_from([-3600, -10, 10, 3600]))
    def the_clock_is_set(self, by_s: int) -> None:
        self.offset_ms += by_s * 1000
        self.clock.set_wall(self.clock.now() + by_s * 1000)
        self.gateway.watch.look()

    @rule()
    def what_runs_out_is_noticed(self) -> None:
        run_out.step(self.gateway)

    @rule()
    def revoke_by_person(self) -> None:
        revoke.revoke(self.gateway, self.town.house.tenant.id, self.id, by=Ended.PERSON, erase_now=True)

    @rule()
    def the_provider_ends_the_grant_and_says_nothing(self) -> None:
        self.theirs.alive = False

    @rule(means=st.sampled_from(["deauthorized", "sessions_revoked"]))
    def the_provider_sends_a_signal(self, means: Any) -> None:
        subject, number = f"{self.person}-{self.theirs.id}", next(_numbers)
        signal = Signal(f"sig-{number}", means, self.now.issuer, subject, self.clock.now() + 1)
        with self.gateway.store.read() as tx:
            whole = signals._whole(self.gateway, tx, self.now.integration_id)
        signals._once(self.gateway, whole, "test", signal)
        self.causes.add("signal")

    @rule()
    def a_backup_is_put_back(self) -> None:
        now = self.now
        if now.state in HANDING_OUT and now.can_refresh:
            restore._set_aside(self.gateway, now)
            self.causes.add("restore")

    @rule()
    def providers_are_told_and_keys_destroyed(self) -> None:
        revoke.tell_providers(self.gateway)
        destroy_due_keys(self.gateway)

    @precondition(lambda self: self.now.state not in OVER)
    @rule(with_refresh=st.booleans())
    def the_person_signs_in_again(self, with_refresh: bool) -> None:
        """As the flow lands a repeated sign-in: the grant at the provider is a new one where the old one is dead."""
        provider, seconds = self.provider, self.clock.now() // 1000
        if with_refresh or not self.theirs.alive:
            client = self.town.house.integration.client_id
            self.theirs = TheirGrant(f"g_{next(_numbers)}_{self.person}", client, self.person, SCOPES, seconds)
            provider.grants[self.theirs.id] = self.theirs
        grant = Grant(
            access_token=Secret(provider.new_access(self.theirs)),
            refresh_token=Secret(provider.new_refresh(self.theirs)),
            expires_in_s=300,
            scopes=SCOPES,
        )
        with self.gateway.store.transaction() as tx:
            held = connections.find_for_update(tx, self.gateway.vault, self.id)
            landed = connections.landed_from(
                grant, asked=SCOPES, sent_at=tx.now(), refresh_model="rotating", access_ttl_s=300, draw=0.5
            )
            after = connections.reland(tx, self.gateway.vault, held, landed, now=tx.now(), authorized=True)
            key = self.gateway.vault.key(tx, after.token_owner)
            tokens.store(
                tx,
                key,
                tokens.TokenOwner(after.tenant_id, after.id, after.provider),
                access=landed.access,
                refresh=landed.refresh,
                token_type="Bearer",
                generation=after.generation,
            )
        self.sign_ins += 1
        self.causes.clear()

    @precondition(lambda self: self.now.state in OVER)
    @rule()
    def the_person_connects_anew(self) -> None:
        self.the_end()
        self.begin()

    # What must hold ------------------------------------------------------------------------------

    @invariant()
    def one_request_at_a_time(self) -> None:
        assert self.town.most_at_once() <= 1

    @invariant()
    def generations_never_go_down(self) -> None:
        now = self.now
        assert now.generation >= self.generation
        self.generation = now.generation

    @invariant()
    def who_must_come_back_has_a_reason_to(self) -> None:
        now = self.now
        if now.state is S.NEEDS_REAUTH and not self.causes & {"signal", "restore"}:
            assert not self.town.refresh_works(), f"{now.reason}, though the provider would take the refresh token"

    @invariant()
    def what_is_shredded_cannot_be_opened(self) -> None:
        now = self.now
        if now.state is S.SHREDDED:
            for kind in ("connection_tokens", "connection_data"):
                with contextlib.suppress(KeyDestroyed), self.gateway.store.read() as tx:
                    self.gateway.vault.key(tx, Owner(now.tenant_id, kind, now.id))
                    raise AssertionError(f"{kind} can still be opened")

    def teardown(self) -> None:
        self.the_end()
        self.gateway.egress._outcome = self.honest
        if self.now.state not in OVER:
            self.revoke_by_person()

    def the_end(self) -> None:
        """The provider is well, clocks are right, time passes: what could live does, and what is dead is said to be."""
        self.script = []
        self.clock.set_wall(self.clock.now() - self.offset_ms)
        self.offset_ms = 0
        for _ in range(4):
            self.clock.advance(1000)
            recovered(self.gateway, frozenset({self.gateway.worker_id, "wrk_second"}))
            refresh.due(self.gateway)
            run_out.step(self.gateway)
        now = self.now
        landed = sum(
            1 for one in self.town.entries("refresh") if one["connection"] == self.id and one["outcome"] == "landed"
        )
        assert landed == now.generation - 1 - self.sign_ins, "each landing has one entry in the ledger"
        self.who_must_come_back_has_a_reason_to()
        if now.state not in OVER and now.state is not S.NEEDS_REAUTH:
            assert now.state is S.ACTIVE
            assert self.town.refresh_works(), "a grant died and nobody noticed"
        self.no_token_lies_in_the_clear()

    def no_token_lies_in_the_clear(self) -> None:
        plain = [token.encode() for token in (*self.provider.access, *self.provider.refresh)][-20:]
        with self.gateway.store.read() as tx:
            rows = [*tx.all("SELECT * FROM connection_tokens"), *tx.all("SELECT * FROM orphan_tokens")]
            blobs = [bytes(v) for row in rows for v in dict(row).values() if isinstance(v, bytes | memoryview)]
        assert not any(token in blob for token in plain for blob in blobs)
