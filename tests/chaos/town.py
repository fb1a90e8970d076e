"""A gateway's database with many connections, the provider they are from, and the judge of what became of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from connector.model.clock import SystemClock
from connector.model.errors import TryLater
from connector.storage import Store, open_store, upgrade
from providers.rehearsal.server import Config, start
from tests.chaos.in_flight import InFlight
from tests.connected import Linked, connect
from tests.gateways import make_house
from tests.standins.rehearsal_key import shared_key

PROVIDER_LATENCY_S = 0.02


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a used refresh token is worth at the provider; the gateway's catalogue says the same."""

    words: str
    rotation: str
    grace_s: float
    model: str

    @property
    def believed(self) -> list[Any]:
        """As `tests.faults.process` takes it."""
        return [self.model, self.grace_s]


NONE = Rotation("no rotation", "none", 0, "reusable")
GRACE_30 = Rotation("grace 30 s", "grace", 30, "rotating")
GRACE_SHORT = Rotation("grace 0.5 s", "grace", 0.5, "rotating")
STRICT = Rotation("strict rotation", "strict", 0, "rotating")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the provider and the database say together, when all is quiet again.

    Attributes:
        lost: connection id → when it was marked (ms), for those that only the person can bring back.
        silent: connections that look well and whose refresh token is worth nothing.
        stuck: connections that neither moved on nor were marked in time.
    """

    lost: dict[str, int]
    silent: list[str]
    stuck: list[str]


class Town:
    """Everything around the processes of a storm."""

    def __init__(self, folder: Path, url: str, linked: Linked, ids: list[str], in_flight: InFlight) -> None:
        self.linked, self.ids, self.in_flight = linked, ids, in_flight
        self.settings: dict[str, Any] = {
            "server": {"public_url": linked.gateway.settings.server.public_url},
            "database": {"url": url},
            "vault": {"kek": f"file:{folder / 'kek.json'}"},
        }

    @property
    def store(self) -> Store:
        return self.linked.store

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every connection as it stands; waited for where the database is just away."""
        while True:
            try:
                with self.store.read() as tx:
                    rows = tx.all(
                        "SELECT id, state, reason, generation, fence, expires_at, state_since FROM connections"
                    )
                break
            except TryLater:
                time.sleep(0.05)
        return {row["id"]: dict(row) for row in rows}

    def held_by(self, worker_id: str) -> set[str]:
        """The connections whose refresh this process has claimed."""
        with self.store.read() as tx:
            rows = tx.all(
                "SELECT id FROM connections WHERE state = 'refreshing' AND lease_owner = :worker", worker=worker_id
            )
        return {row["id"] for row in rows}

    def landings(self) -> int:
        """How many refreshes were stored so far."""
        return sum(row["generation"] - 1 for row in self.rows().values())

    def verdict(self, within_s: float) -> Verdict:
        """Wait until every connection was refreshed anew or is marked; then ask the provider about each."""
        before = self.rows()
        until = time.monotonic() + within_s
        while True:
            now = self.rows()
            stuck = [one for one in now if not _moved_on(before[one], now[one])]
            if not stuck or time.monotonic() > until:
                break
            time.sleep(0.1)
        lost = {one: row["state_since"] for one, row in now.items() if row["state"] == "needs_reauth"}
        return Verdict(lost, [one for one in now if one not in lost and not self._refreshes(one)], stuck)

    def _refreshes(self, connection_id: str) -> bool:
        """Whether the token in the vault is good; a connection that is just being refreshed is looked at again."""
        for _ in range(50):
            held = self.linked.held_grant(connection_id).refresh_token
            if held is not None and self.linked.provider.live_refresh(held.reveal()) is not None:
                return True
            time.sleep(0.02)
        return False


@contextmanager
def town_of(
    folder: Path,
    url: str,
    rotation: Rotation,
    *,
    connections: int,
    access_token_s: int,
    latency_s: float = PROVIDER_LATENCY_S,
    before_provider: Callable[[str], Any] | None = None,
    **sections: Any,
) -> Iterator[Town]:
    """A migrated database, a provider, `connections` connections. `sections` are further settings of the gateway."""
    clock = SystemClock()
    store = open_store(url, clock)
    upgrade(store)
    config = Config(
        rotation=rotation.rotation,  # type: ignore[arg-type]  # one of the three words
        grace_s=rotation.grace_s,
        access_token_s=access_token_s,
        faults=[{"endpoint": "token", "kind": "delay", "delay_s": latency_s}],
        now=clock.now,
        new_key=shared_key,
    )
    with start("127.0.0.1:0", config) as server:
        provider = server.app.extensions["rehearsal"]
        in_flight = InFlight(server.app.wsgi_app, provider)
        server.app.wsgi_app = in_flight  # type: ignore[method-assign]  # Flask's own way
        at = server.url if before_provider is None else before_provider(server.url)
        linked = Linked(make_house(folder, store, clock, rehearsal_url=at), server.app)  # type: ignore[arg-type]  # a clock
        ids = [connect(linked.gateway, linked.house, provider, f"person-{n}") for n in range(connections)]
        linked.connection_id = ids[0]
        town = Town(folder, url, linked, ids, in_flight)
        town.settings |= sections
        try:
            yield town
        finally:
            linked.gateway.wakeup.close()
            store.dispose()


def _moved_on(before: dict[str, Any], now: dict[str, Any]) -> bool:
    return now["state"] == "needs_reauth" or now["generation"] > before["generation"]


class Takeovers:
    """Looks several times a second who holds what, to say for how long the dead were still holding it."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._died: dict[str, float] = {}
        self._longest: Counter[str] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._looking, daemon=True)

    def died(self, worker_id: str) -> None:
        """From now on it should hold nothing."""
        self._died[worker_id] = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def longest_s(self) -> float:
        """The longest that anything was held by a dead process."""
        return max((since / 1000 for since in self._longest.values()), default=0.0)

    def _looking(self) -> None:
        while not self._over.wait(0.05):
            with self._town.store.read() as tx:
                rows = tx.all("SELECT DISTINCT lease_owner FROM connections WHERE state = 'refreshing'")
            for row in rows:
                died = self._died.get(row["lease_owner"])
                if died is not None:
                    held_ms = int((time.monotonic() - died) * 1000)
                    self._longest[row["lease_owner"]] = max(self._longest[row["lease_owner"]], held_ms)
