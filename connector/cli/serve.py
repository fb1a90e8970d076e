"""`connector serve`: the parent of the listeners and, where asked, of a worker."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from connector import app
from connector.cli.children import Children, Role, python
from connector.cli.session import Session, session_options
from connector.model.errors import BadInput, Conflict
from connector.settings import Settings

UP_WITHIN_S = 60.0


@click.command(epilog="Example: connector serve --with-worker")
@click.option("--bind", metavar="ADDR", help="Listen here instead of server.bind, such as 0.0.0.0:8080.")
@click.option("--with-worker", is_flag=True, help="Run a worker beside the listeners.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Listening processes.")
@click.option("--threads", type=click.IntRange(1, 512), default=64, show_default=True, help="Threads in each of them.")
@session_options
def serve(session: Session, *, bind: str | None, with_worker: bool, workers: int, threads: int) -> None:
    """Serve the gateway until SIGTERM. Requests under way are answered first, and nothing that was taken is lost."""
    settings = _checked(session)
    public = bind or settings.server.bind
    admin = settings.server.admin_bind
    for address in filter(None, (public, admin)):
        _refuse_taken(address)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as closing:
        children = Children(session.clock, session.out.warn, _environment(session, closing))
        config = ["--config", str(session.config.resolve())] if session.config else []
        sizes = ["--workers", str(workers), "--threads", str(threads)]
        children.start(Role("public listener", python("connector.cli.listener", "public", public, *config, *sizes)))
        if admin:
            one = ["--workers", "1", "--threads", "4"]
            children.start(
                Role("operator listener", python("connector.cli.listener", "operator", admin, *config, *one))
            )
        if with_worker:
            words = ["-c", "from connector.cli import main; main()", "worker", "--stop-with-parent", *config]
            children.start(Role("worker", [*python()[:2], *words]))
        where = {"bind": public, "admin_bind": admin, "worker": with_worker}
        threading.Thread(target=_announce, args=(session, where, stop), daemon=True).start()
        if not children.run(stop):
            raise click.exceptions.Exit(1)
    session.out.say("Everything under way was finished. Goodbye.")


def _checked(session: Session) -> Settings:
    """What would stop a child stops the parent first, with one sentence instead of many."""
    settings = session.settings
    _ = session.vault
    app.sound_policy(settings)
    session.store.dispose()
    if settings.is_development:
        session.out.warn(
            "DEVELOPMENT MODE: plain http, loopback providers and Rehearsal are allowed. No real people, please."
        )
    return settings


def _refuse_taken(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BadInput("bad_bind", f"{address!r} is no address; write host:port, such as 127.0.0.1:8080.")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise Conflict(
            "address_taken", f"{address} cannot be listened on ({error.strerror}); name another with --bind."
        ) from error


def _environment(session: Session, closing: ExitStack) -> dict[str, str]:
    """This process's, and a folder in which the listeners add up what they count."""
    counted = closing.enter_context(tempfile.TemporaryDirectory(prefix="connector-metrics-"))
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": counted}
    if session.config is None and "CONNECTOR_CONFIG" not in environment and Path("connector.toml").is_file():
        environment["CONNECTOR_CONFIG"] = str(Path("connector.toml").resolve())
    return environment


def _announce(session: Session, where: dict[str, Any], stop: threading.Event) -> None:
    """Say where it listens, once it does."""
    deadline = session.clock.monotonic() + UP_WITHIN_S
    public, admin = where["bind"], where["admin_bind"]
    while not all(_answers(address) for address in (public, admin) if address):
        if stop.wait(0.1) or session.clock.monotonic() > deadline:
            return
    public_url = session.settings.server.public_url
    words = [f"Serving {public_url} on {public}", f"metrics on {admin}" if admin else "no metrics listener"]
    words.append("with a worker." if where["worker"] else "without a worker: run one with connector worker.")
    session.out.event({"public_url": public_url, **where}, ", ".join(words))


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((_reachable(host.strip("[]")), int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
