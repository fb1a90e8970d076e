"""A connection made without a browser: a grant at Rehearsal, its tokens in the vault, and who may ask for them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from connector import connections, tokens
from connector.clients import Client
from connector.connections import Connection, NewConnection, landed_from
from connector.flows import refresh
from connector.flows.fresh_token import Handed, Wanted, fresh_token
from connector.flows.gateway import Gateway
from connector.model.ids import new_id
from connector.model.tags import Purpose
from connector.people import NewIdentity, User, create_user, link_identity
from connector.storage import Store
from providers.capabilities import Grant
from providers.rehearsal.server import Config, create_app, start
from providers.rehearsal.server.state import Grant as TheirGrant
from providers.rehearsal.server.state import State
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import House, make_house
from tests.signing_up import InProcess
from tests.standins.rehearsal_key import shared_key

SCOPES = ("openid", "profile", "email", "contacts")
_ISSUERS = count(30_000)


@dataclass
class Linked:
    """A house with Rehearsal beside it, and one person's connection in it."""

    house: House
    rehearsal: Any  # the Flask app
    connection_id: str = ""

    @property
    def gateway(self) -> Gateway:
        return self.house.gateway

    @property
    def store(self) -> Store:
        return self.house.gateway.store

    @property
    def provider(self) -> State:
        """What the provider knows."""
        found: State = self.rehearsal.extensions["rehearsal"]
        return found

    # Making ----------------------------------------------------------------------------------------

    def connect(self, person: str = "ada", **how: Any) -> str:
        """A further connection; its id. `how`: parts of the grant that replace Rehearsal's own."""
        made = connect(self.gateway, self.house, self.provider, person, **how)
        self.connection_id = self.connection_id or made
        return made

    # Asking ----------------------------------------------------------------------------------------

    def fresh(
        self,
        connection_id: str = "",
        *,
        client: Client | None = None,
        purpose: Purpose = Purpose.SERVICE,
        gateway: Gateway | None = None,
        **wanted: Any,
    ) -> Handed:
        """A fresh token, as the worker client asks for it."""
        return fresh_token(
            gateway or self.gateway,
            client or self.house.worker,
            Wanted(connection_id or self.connection_id, purpose, **wanted),
        )

    def connection(self, connection_id: str = "") -> Connection:
        with self.store.read() as tx:
            found = connections.find(tx, self.gateway.vault, self.house.tenant.id, connection_id or self.connection_id)
        assert found is not None
        return found

    def row(self, table: str = "connections", key: str = "id") -> dict[str, Any]:
        with self.store.read() as tx:
            return dict(tx.one(f"SELECT * FROM {table} WHERE {key} = :id", id=self.connection_id) or {})

    def held_grant(self, connection_id: str = "") -> Grant:
        """What lies in the vault."""
        with self.store.read() as tx:
            held = tokens.held(tx, self.house.tenant.id, connection_id or self.connection_id)
            assert held is not None
            return tokens.opened_grant(tokens.token_key(tx, self.gateway.vault, held), held, ())

    def entries(self, kind: str) -> list[dict[str, Any]]:
        import json  # noqa: PLC0415  only here

        with self.store.read() as tx:
            rows = tx.all("SELECT entry FROM ledger_entries WHERE kind = :kind ORDER BY id", kind=kind)
        return [json.loads(row["entry"])["facts"] for row in rows]

    # The provider ----------------------------------------------------------------------------------

    def faults(self, *rules: dict[str, Any]) -> None:
        """Failures of its token endpoint from now on; none: it is well again."""
        given = [{"endpoint": "token", **rule} for rule in rules]
        answer = self.rehearsal.test_client().post("/_control/faults", json=given)
        assert answer.status_code == 200, answer.text

    def refreshes(self, connection_id: str = "") -> int:
        """How many refreshes came to an answer there."""
        return sum(1 for seen in self.provider.oracle.report()["requests"] if seen.get("grant_type") == "refresh_token")

    def uses(self) -> int:
        """How often refresh tokens were presented there, answered or not."""
        return sum(len(one["uses"]) for one in self.provider.oracle.report()["refresh_tokens"])

    def most_at_once(self) -> int:
        """The most refreshes of one grant that were ever under way together: one, or something is wrong."""
        return max(self.provider.oracle.report()["most_at_once"].values(), default=0)

    def works(self, token: Secret) -> bool:
        """Whether the provider takes this access token."""
        return self.provider.live_access(token.reveal()) is not None

    def refresh_works(self) -> bool:
        """Whether the provider would take the refresh token that lies in the vault."""
        held = self.held_grant().refresh_token
        return held is not None and self.provider.live_refresh(held.reveal()) is not None


def connect(
    gateway: Gateway,
    house: House,
    provider: State,
    person: str = "ada",
    user: User | None = None,
    *,
    ago_s: int = 0,
    **how: Any,
) -> str:
    """What a sign-up leaves behind, without the sign-up; with `user`, what linking leaves behind; `ago_s`: how long."""
    client_id = house.integration.client_id
    theirs = TheirGrant("g_" + secrets.token_hex(8), client_id, person, SCOPES, gateway.clock.now() // 1000)
    provider.grants[theirs.id] = theirs
    parts: dict[str, Any] = {
        "access_token": Secret(provider.new_access(theirs)),
        "refresh_token": Secret(provider.new_refresh(theirs)),
        "expires_in_s": provider.config.access_token_s,
        "scopes": SCOPES,
        **how,
    }
    return establish(gateway, house, Grant(**parts), subject=f"{person}-{theirs.id}", user=user, ago_s=ago_s)


def establish(
    gateway: Gateway, house: House, grant: Grant, *, subject: str, user: User | None = None, ago_s: int = 0
) -> str:
    """A user, an identity and an active connection that holds `grant`; its id. `user`: somebody who is there."""
    integration, tenant = house.integration, house.tenant
    with gateway.store.transaction() as tx:
        user = user or create_user(tx, gateway.vault, tenant.id)
        identity = link_identity(
            tx, gateway.vault, user, NewIdentity(integration.id, integration.provider, integration.issuer, subject)
        )
        new = NewConnection(
            id=new_id("con"),
            tenant_id=tenant.id,
            sub=user.sub,
            pseudonym=user.pseudonym or "",
            identity_id=identity.id,
            integration_id=integration.id,
            provider=integration.provider,
            issuer=integration.issuer,
        )
        landed = landed_from(
            grant,
            asked=SCOPES,
            sent_at=tx.now() - 1000 * ago_s,
            refresh_model="rotating",
            access_ttl_s=300,
            draw=0.5,
        )
        made = connections.establish(tx, gateway.vault, new, landed, now=tx.now())
        tokens.store(
            tx,
            gateway.vault.key(tx, made.token_owner),
            tokens.TokenOwner(tenant.id, made.id, made.provider),
            access=landed.access,
            refresh=landed.refresh,
            token_type=landed.token_type,
            generation=1,
        )
    return new.id


def linked(tmp_path: Path, store: Store, clock: ManualClock, *, config: Config | None = None, **more: Any) -> Linked:
    """A house, Rehearsal on the same clock reached without sockets, and one connection."""
    config = config or Config()
    config.now, config.new_key = clock.now, shared_key
    rehearsal = create_app(config)
    house = make_house(tmp_path, store, clock, rehearsal_url=f"http://127.0.0.1:{next(_ISSUERS)}", **more)
    gateway = replace(house.gateway, egress=InProcess(rehearsal))  # type: ignore[arg-type]  # it drives exchanges
    made = Linked(replace(house, gateway=gateway), rehearsal)
    made.connect()
    return made


@contextmanager
def linked_over_sockets(
    tmp_path: Path, store: Store, clock: Any, *, config: Config | None = None, ago_s: int = 0, **more: Any
) -> Iterator[Linked]:
    """The same with Rehearsal on a socket, for what only a socket can do."""
    config = config or Config()
    config.now, config.new_key = clock.now, shared_key
    with start("127.0.0.1:0", config) as server:
        made = Linked(make_house(tmp_path, store, clock, rehearsal_url=server.url, **more), server.app)
        made.connect(ago_s=ago_s)
        yield made


Made = Callable[..., Linked]


def recovered(gateway: Gateway, dead_owners: frozenset[str] = frozenset()) -> int:
    """Recovery, waited for: how many flights it started, all of which have landed."""
    started = refresh.recover(gateway, dead_owners)
    assert gateway.flights.landed(30)
    return started
