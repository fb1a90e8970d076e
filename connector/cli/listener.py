"""One listener: granian over the public door or the operator's. Started by `connector serve`, and by nobody else.

    python -m connector.cli.listener public 127.0.0.1:8080 --workers 2 --threads 64

Each of granian's processes builds its own gateway after the fork: connections and threads do not survive one.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from connector import app, logs
from connector.cli.parent import stop_with_parent
from connector.flows.gateway import Gateway
from connector.flows.outside import refuse_rolled_back
from connector.flows.refresh_journal import replay
from connector.http import create_app
from connector.http.operator import create_operator_app
from connector.model.errors import ConnectorError, TryLater
from connector.settings import load
from connector.work import Presence
from vault import harden_process

DOORS: dict[str, Callable[[Gateway], Any]] = {"public": create_app, "operator": create_operator_app}
KILL_AFTER_S = 60  # longer than a provider may take to answer: an answer that is under way is stored
LAND_WITHIN_S = 15
BACKLOG = 1024
CONNECTIONS = 4096  # open ones per process, idle ones too: with fewer, callers' idle connections shut new callers out
FILES = 1024  # for everything else: databases, providers, keys


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM; requests under way are answered first."""
    given = _parsed(arguments)
    stop_with_parent()
    room = _room_for(CONNECTIONS)
    host, _, port = given.bind.rpartition(":")
    server = Server(
        given.door,
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=given.workers,
        blocking_threads=given.threads,
        backlog=BACKLOG,
        backpressure=room,
        workers_kill_timeout=KILL_AFTER_S,
        log_level=LogLevels.error,
    )
    server.serve(target_loader=partial(_door, given.config), wrap_loader=True)
    return 0


def _room_for(connections: int) -> int:
    """Ask the system for as many open files as that takes; how many connections it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft // 2))


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="connector.cli.listener")
    parser.add_argument("door", choices=sorted(DOORS))
    parser.add_argument("bind")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=64)
    return parser.parse_args(arguments)


def _door(config: Path | None, door: str) -> Any:
    """The WSGI application of this process."""
    harden_process()
    try:
        settings = load(config)
        logs.configure(settings.log)
        gateway = app.build(settings)
        refuse_rolled_back(settings, gateway.store)
    except ConnectorError as error:
        sys.stderr.write(f"{error.hint}\n")
        raise SystemExit(1) from error
    presence = Presence(gateway.store, gateway.worker_id, "listener")  # a listener refreshes too, and may die
    presence.start()
    with suppress(TryLater):  # the database went away: a later start, or a worker of this machine, finds them again
        replay(gateway)
    Finalize(None, _closed, args=(gateway, presence), exitpriority=10)
    served = DOORS[door](gateway)
    gc.collect()
    gc.freeze()  # what was built once is not looked through again and again
    return served


def _closed(gateway: Gateway, presence: Presence) -> None:
    """At the end of the process: no new refresh, every answer that is held stored, every handout committed."""
    gateway.flights.drain()
    gateway.flights.landed(LAND_WITHIN_S)
    while gateway.flights.held:
        gateway.clock.sleep(0.1)
    with suppress(TryLater):  # the database is away: the others see that nobody holds the sign of life
        presence.stop()
    app.close(gateway)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
