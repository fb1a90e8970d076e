"""The gateway as it is served, and the floors beside it, each under granian with two processes of 64 threads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.model.clock import SystemClock
from connector.storage import Store, open_store, upgrade
from providers.capabilities import Grant
from providers.rehearsal.server import Config, start
from providers.secret import Secret
from tests.connected import Linked, connect, establish
from tests.gateways import House, api_token, app_of, make_house

PROCESSES = "2"
THREADS = "64"
CONNECTIONS = 500
SLOW_CALLERS = 32
SLOW_S = 1.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def floor(name: str) -> Iterator[int]:
    """A server that does nothing; yields its port."""
    port = free_port()
    command = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    sizes = ["--workers", PROCESSES, "--blocking-threads", THREADS, "--no-ws", "--http", "1", "--log-level", "error"]
    with _running([sys.executable, *command, *sizes, f"tests.bench.floors:{name}"], port):
        yield port


class Served:
    """A gateway over a database with many connections, served on `port`."""

    def __init__(self, folder: Path, url: str, *, connections: int = CONNECTIONS) -> None:
        self.folder = folder
        self.port = free_port()
        self.store: Store = open_store(url, SystemClock())
        upgrade(self.store)
        self.config = Config(access_token_s=2, faults=[{"endpoint": "token", "kind": "delay", "delay_s": SLOW_S}])
        self.rehearsal = start("127.0.0.1:0", self.config)
        self.house: House = make_house(
            folder,
            self.store,
            SystemClock(),
            rehearsal_url=self.rehearsal.url,
            public_url=f"http://127.0.0.1:{self.port}",
        )
        self.linked = Linked(self.house, self.rehearsal.app)
        self.token = api_token(app_of(self.house), self.house.worker, self.house.worker_secret)
        self.fresh = [self._fresh(number) for number in range(connections)]
        self.pid = 0
        _write_settings(folder, url, self.port)

    def _fresh(self, number: int) -> str:
        grant = Grant(Secret(f"ra_{number:032d}"), Secret(f"rr_{number:032d}"), expires_in_s=86_400)
        return establish(self.house.gateway, self.house, grant, subject=f"person-{number}")

    def slow(self, how_many: int = SLOW_CALLERS) -> list[str]:
        """Connections whose every token is over at once, at a provider that takes its time."""
        provider = self.linked.provider
        return [connect(self.house.gateway, self.house, provider, f"slow-{number}") for number in range(how_many)]

    @contextmanager
    def running(self) -> Iterator[None]:
        module = ["-m", "connector.cli.listener", "public", f"127.0.0.1:{self.port}"]
        sizes = ["--workers", PROCESSES, "--threads", THREADS, "--config", str(self.folder / "connector.toml")]
        with _running([sys.executable, *module, *sizes], self.port) as process:
            self.pid = process.pid
            yield

    def memory_mb(self) -> float:
        """Resident memory of the listener and its processes."""
        return sum(_resident_mb(pid) for pid in _family(self.pid))

    def close(self) -> None:
        self.rehearsal.close()
        self.store.dispose()


@contextmanager
def _running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        _wait(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(60)
        if process.stdin:
            process.stdin.close()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the server ended before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            time.sleep(0.5)
            return
    raise RuntimeError("the server does not listen")


def _write_settings(folder: Path, url: str, port: int) -> None:
    text = f"""[server]
mode = "development"
public_url = "http://127.0.0.1:{port}"
bind = "127.0.0.1:{port}"
[database]
url = "{url}"
[vault]
kek = "file:{folder / "kek.json"}"
[log]
level = "warning"
format = "json"
"""
    (folder / "connector.toml").write_text(text, encoding="utf-8")
    (folder / "connector.toml").chmod(0o600)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return [pid]
    return [pid, *(member for child in children.read_text().split() for member in _family(int(child)))]


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576
