"""The stage: a folder, free ports, and the real processes: Rehearsal, the gateway's listeners, a worker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from connector import app
from connector.clients import NewClient, NewIntegration, add_client, add_integration
from connector.clients import tenants as every_tenant
from connector.model.clock import SystemClock
from connector.settings import load
from connector.storage import open_store
from providers.secret import Secret

UP_WITHIN_S = 60.0
END_WITHIN_S = 20.0
SCOPES = ("openid", "profile", "email", "phone", "contacts", "profile:write")
PURPOSES = ("service", "account", "personalise", "sell")  # the last to show that the policy has the last word
REHEARSAL_ID = "demo-gateway"
REHEARSAL_SECRET = "rehearsal-secret"  # noqa: S105  the pretend provider's own default, no secret of anybody's


class StageFailed(Exception):
    """A part of the stage did not come up. The message says which, and what it said."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is, and who is registered.

    Attributes:
        gateway, rehearsal, app: base URLs.
        integration: the id of the registration at Rehearsal.
        web, worker: (client id, secret).
    """

    folder: Path
    gateway: str
    rehearsal: str
    app: str
    integration: str
    web: tuple[str, str]
    worker: tuple[str, str]

    @property
    def callback(self) -> str:
        """Where the example app's sign-ups return to."""
        return f"{self.app}/callback"

    @property
    def config(self) -> Path:
        """The gateway's settings file."""
        return self.folder / "connector.toml"


@contextmanager
def set_up(tell: Callable[[str], None]) -> Iterator[Stage]:
    """Everything started and registered; ended and removed when the block ends.

    Raises:
        StageFailed: a part did not come up.
    """
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="connector-demo-")))
        gateway, rehearsal, web = (f"127.0.0.1:{port}" for port in free_ports(3))
        tell("Writing settings, a key, a database")
        _run("init", str(folder), "--tenant", "demo", "--bind", gateway)
        tell("Starting Rehearsal, the pretend provider")
        closing.enter_context(_process(folder, "rehearsal", "--bind", rehearsal))
        stage = _registered(folder, f"http://{gateway}", f"http://{rehearsal}", f"http://{web}")
        tell("Starting the gateway and a worker")
        served = ["serve", "--with-worker", "--threads", "16", "--config", str(stage.config)]
        server = closing.enter_context(_process(folder, *served))
        _wait(f"{stage.rehearsal}/.well-known/openid-configuration", "Rehearsal", folder / "rehearsal.log")
        _wait(f"{stage.gateway}/readyz", "The gateway", folder / "serve.log", server)
        yield stage


def free_ports(many: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(many)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def connector(*words: str) -> list[str]:
    """The command `connector`, by this very interpreter."""
    return [sys.executable, "-P", "-c", "from connector.cli import main; main()", *words]


def environment() -> dict[str, str]:
    """This process's, without settings of some other gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}


def _run(*words: str) -> None:
    done = subprocess.run(  # noqa: S603  our own command
        connector(*words), capture_output=True, text=True, check=False, env=environment()
    )
    if done.returncode:
        raise StageFailed(f"connector {words[0]}: {done.stderr.strip()}")


@contextmanager
def _process(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours that runs until the block ends. What it says is kept in the folder."""
    with (folder / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own command
            connector(*words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment(),
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, what: str, log: Path, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass  # not yet
        time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace")[-1500:]
    raise StageFailed(f"{what} did not come up. It said: {said}")


def _registered(folder: Path, gateway: str, rehearsal: str, web: str) -> Stage:
    """The example app and its worker as clients, and the gateway at Rehearsal."""
    settings = load(folder / "connector.toml")
    store = open_store(settings.database.url, SystemClock())
    vault = app.open_vault(settings, store.clock)
    with store.transaction() as tx:
        tenant = every_tenant(tx)[0].id
        integration = add_integration(
            tx,
            vault,
            NewIntegration(
                tenant,
                "rehearsal",
                client_id=REHEARSAL_ID,
                client_secret=Secret(REHEARSAL_SECRET),
                issuer=rehearsal,
                scopes=SCOPES,
                imports=("profile", "contacts"),
            ),
            development=True,
        )
        new = NewClient(
            tenant,
            "Example app",
            "web",
            redirect_uris=(f"{web}/callback",),
            return_uris=(f"{web}/",),
            purposes=PURPOSES,
        )
        app_client, app_secret = add_client(tx, vault, new, development=True)
        worker_client, worker_secret = add_client(
            tx, vault, NewClient(tenant, "Example worker", "worker", purposes=("service", "sync", "sell"))
        )
    store.dispose()
    return Stage(
        folder,
        gateway,
        rehearsal,
        web,
        integration.id,
        (app_client.id, _revealed(app_secret)),
        (worker_client.id, _revealed(worker_secret)),
    )


def _revealed(secret: Secret | None) -> str:
    return "" if secret is None else secret.reveal()


def command_json(folder: Path, *words: str) -> tuple[int, Any]:
    """A command's exit code and its JSON document (None where it printed none)."""
    done = subprocess.run(  # noqa: S603  our own command
        connector(*words, "--json"), cwd=folder, capture_output=True, text=True, check=False, env=environment()
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None
