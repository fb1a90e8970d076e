"""A real Redis: one for a run, and one of its own for a test that means to lose it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.services.gaps import gap
from tests.services.once import once, run_pid, server_account, server_folder, start_minded, wait_until

_OPTIONS = ["--port", "0", "--save", "", "--appendonly", "no", "--databases", "64", "--unixsocketperm", "777"]


def _binary() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        gap("redis", "no redis-server on PATH; install the package redis-server")
    return found


def _answers(socket: str) -> bool:
    client = redis.Redis(unix_socket_path=socket)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


class RedisServer:
    """A Redis that a test may stop and start again. What it held is gone then."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._account = server_account()
        self.folder = server_folder("connector-redis", self._account)
        self.socket = str(self.folder / "redis.sock")
        self.url = f"unix://{self.socket}?db=0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        command: list[str | Path] = [self._binary, *_OPTIONS, "--unixsocket", self.socket, "--dir", self.folder]
        self._process = start_minded(self.folder, command, self._account, pid=run_pid())
        wait_until(lambda: _answers(self.socket), "Redis", self.folder / "log")

    def stop(self) -> None:
        """End it; connections break."""
        if self._process:
            self._process.terminate()
            self._process.wait(15)
            self._process = None


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run's Redis: `{"socket": path}`."""
    binary = _binary()

    def start() -> dict[str, Any]:
        server = RedisServer(binary)
        server.start()
        return {"socket": server.socket}

    return once(tmp_path_factory, "redis", start)


@pytest.fixture
def redis_url(redis_server: dict[str, Any]) -> str:
    """The URL of a Redis database that belongs to this test process, empty."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 64
    client = redis.Redis(unix_socket_path=redis_server["socket"], db=number)
    client.flushdb()
    client.close()
    return f"unix://{redis_server['socket']}?db={number}"


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis of the test's own, running; `stop` and `start` are the test's to call."""
    server = RedisServer(_binary())
    server.start()
    yield server
    server.stop()
