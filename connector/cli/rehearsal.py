"""`connector rehearsal`: the pretend provider by itself."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import click

from connector.cli.session import Session, session_options
from connector.model.errors import BadInput, Conflict
from providers.rehearsal.server import Config, start
from providers.rehearsal.server.run import read_faults


@click.command(
    epilog="Example: connector rehearsal --bind 127.0.0.1:8090, then "
    "connector integrations add rehearsal --issuer http://127.0.0.1:8090 --client-id gateway --client-secret-file F"
)
@click.option("--bind", default="127.0.0.1:8090", show_default=True, help="Where it listens; port 0 takes a free one.")
@click.option(
    "--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A JSON file with rules for failing."
)
@session_options
def rehearsal(session: Session, *, bind: str, faults: Path | None) -> None:
    """Run the pretend provider: it can do all that a provider can, failing included. For development only."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _started(bind, faults) as server:
        value: dict[str, Any] = {"issuer": server.url, "client_secret": Config().default_secret}
        session.out.event(value, _sentence(server.url))
        stop.wait()


def _started(bind: str, faults: Path | None) -> Any:
    try:
        return start(bind, Config(faults=read_faults(faults) if faults else ()))
    except (ValueError, TypeError, json.JSONDecodeError) as error:
        raise BadInput("bad_rehearsal", str(error)) from error
    except OSError as error:
        raise Conflict(
            "address_taken", f"{bind} cannot be listened on ({error.strerror}); name another --bind."
        ) from error


def _sentence(url: str) -> str:
    return (
        f"Rehearsal listens on {url} and signs in pretend people. Any client id is known, with the secret "
        f'"{Config().default_secret}". Ctrl-C ends it.'
    )
