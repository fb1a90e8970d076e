from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector import work
from connector.flows import failpoints, refresh
from connector.model.clock import SystemClock
from connector.worker import steps
from providers.rehearsal.server import Config
from tests.connected import Linked, linked_over_sockets

ROOT = Path(__file__).parents[2]
WITHIN_S = 20.0


class Rig:
    """A house on the real clock, Rehearsal as the oracle, and processes that may be killed."""

    def __init__(self, linked: Linked, folder: Path) -> None:
        self.linked = linked
        self._settings = {
            "server": {"public_url": linked.gateway.settings.server.public_url},
            "database": {"url": linked.store.url},
            "vault": {"kek": f"file:{folder / 'kek.json'}"},
        }
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, role: str, *given: str, failpoint: str = "", **settings: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.faults.process", role, json.dumps(self._settings | settings), *given]
        environment = {**os.environ, **({failpoints.VARIABLE: failpoint} if failpoint else {})}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def ask(self, failpoint: str = "") -> subprocess.Popen[str]:
        """A process with one caller who wants a token."""
        return self.start("ask", self.linked.connection_id, self.linked.house.tenant.id, failpoint=failpoint)

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
            if process.stdout is not None:
                process.stdout.close()
        self.linked.gateway.flights.landed(5)


def eventually(true: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait until it is so."""
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.02)


@pytest.fixture
def rig(tmp_path, open_another) -> Iterator[Callable[..., Rig]]:
    """A function that makes a rig: `rig(rotation="strict")`."""
    opened: list[Callable[[], None]] = []

    @contextmanager
    def made(**config: object) -> Iterator[Rig]:
        store = open_another(SystemClock())
        given = {"access_token_s": 2, **config}
        with linked_over_sockets(tmp_path, store, SystemClock(), config=Config(**given)) as linked:
            one = Rig(linked, tmp_path)
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
