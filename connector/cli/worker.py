"""`connector worker`: refreshes, imports, deliveries and revocations in the background."""

from __future__ import annotations

import signal
import threading

import click

from connector import logs
from connector.cli.parent import stop_with_parent
from connector.cli.session import Session, session_options
from connector.flows.outside import refuse_rolled_back
from connector.worker import Worker


@click.command(epilog="Example: connector worker --config /etc/connector/connector.toml")
@click.option("--stop-with-parent", "child", is_flag=True, hidden=True, help="End when standard input ends.")
@session_options
def worker(session: Session, *, child: bool) -> None:
    """Do what nobody waits for, until SIGTERM; what is under way is finished first. Any number may run."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if child:
        stop_with_parent()
    gateway = session.gateway
    refuse_rolled_back(session.settings, gateway.store)
    logs.configure(session.settings.log)
    if not child:
        session.out.event({"worker": gateway.worker_id}, f"Worker {gateway.worker_id} runs.")
    if not Worker(gateway).run(stop):
        raise click.exceptions.Exit(1)
