from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector import work
from connector.flows import failpoints, refresh
from connector.flows.fresh_token import MAX_SHARE_OF_LIFETIME
from connector.model.clock import SystemClock
from connector.worker import steps
from providers.rehearsal.server import Config
from tests.connected import Linked, linked_over_sockets
from tests.faults.nursery import Child, Nursery

WITHIN_S = 20.0


class Rig:
    """A house on the real clock, Rehearsal as the oracle, and processes that may be killed."""

    def __init__(self, linked: Linked, folder: Path, nursery: Nursery) -> None:
        self.linked = linked
        self._settings = {
            "server": {"public_url": linked.gateway.settings.server.public_url},
            "database": {"url": linked.store.url},
            "vault": {"kek": f"file:{folder / 'kek.json'}"},
        }
        self._nursery = nursery
        self.processes: list[Child] = []

    def start(self, role: str, *given: str, failpoint: str = "", settings: Any = (), **how: Any) -> Child:
        """A process of this gateway; `how` says what is different about it (see `process`)."""
        environment = {failpoints.VARIABLE: failpoint} if failpoint else {}
        child = self._nursery.start(role, self._settings | dict(settings), *given, how=how, environment=environment)
        self.processes.append(child)
        return child

    def worker(self, failpoint: str = "", **how: Any) -> Child:
        """A worker, once it runs."""
        child = self.start("worker", failpoint=failpoint, **how)
        assert child.line().startswith("wrk_")
        assert child.line() == "runs"
        return child

    def ask(self, failpoint: str = "", **how: Any) -> Child:
        """A process with one caller who wants a token that lives longer than the one there is."""
        eventually(self.token_is_worn)
        return self.start("ask", self.linked.connection_id, self.linked.house.tenant.id, failpoint=failpoint, **how)

    def token_is_worn(self) -> bool:
        """Whether somebody who asks for as long a life as there is will have it refreshed."""
        now, held = self.linked.store.now(), self.linked.connection()
        return held.expires_at - now <= int(MAX_SHARE_OF_LIFETIME * (held.lifetime_s or 0)) * 1000

    def recover(self) -> None:
        """What any worker does several times a second, here until the dead are forgotten."""
        gateway = self.linked.gateway
        liveness = work.open_liveness(gateway.store, gateway.worker_id)
        (step,) = steps.recovering(gateway, liveness)

        def nobody_dead_holds_anything() -> bool:
            step.run()
            with gateway.store.read() as tx:
                return tx.one("SELECT id FROM connections WHERE state = 'refreshing'") is None

        eventually(nobody_dead_holds_anything)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
        self.linked.gateway.flights.landed(5)


def eventually(true: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait until it is so."""
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.02)


def stopped(child: Child) -> bool:
    """Whether a process stands still (SIGSTOP)."""
    return Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].startswith("T")


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where this test process's victims come from."""
    one = Nursery()
    yield one
    one.close()


@pytest.fixture
def rig(tmp_path, open_another, nursery) -> Iterator[Callable[..., Rig]]:
    """A function that makes a rig: `rig(rotation="strict")`. With `worn`, the token that is held has run out."""
    opened: list[Callable[[], None]] = []

    @contextmanager
    def made(*, worn: bool = False, **parts: object) -> Iterator[Rig]:
        store = open_another(SystemClock())
        given = {"access_token_s": 2, **parts}
        config = Config(**given)
        ago_s = config.access_token_s if worn else 0
        with linked_over_sockets(tmp_path, store, SystemClock(), config=config, ago_s=ago_s) as linked:
            one = Rig(linked, tmp_path, nursery)
            try:
                yield one
            finally:
                one.end()

    def open_rig(**config: object) -> Rig:
        context = made(**config)
        found = context.__enter__()
        opened.append(lambda: context.__exit__(None, None, None))
        return found

    yield open_rig
    for close in opened:
        close()


assert (
    refresh.LEASE_MS > WITHIN_S / 2 * 1000
)  # a takeover within the time of a test is by the sign of life, not the lease
