"""A real PostgreSQL: one server for a run, one database for each process of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.services.gaps import gap
from tests.services.once import once, server_account, server_folder, start_minded, wait_until

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "300",
    "max_wal_size": "256MB",
    "log_min_messages": "fatal",
    # No test ends the server itself, so nothing hangs on what it would find on a disk afterwards.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: on PATH, else the newest where Debian keeps them."""
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).parent / "postgres").exists():
        return Path(on_path).parent
    kept = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(kept, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), default=None)


def start(tools: Path) -> dict[str, Any]:
    """Start a server on a Unix socket; the answer has the `socket` folder and the `user`."""
    account = server_account("postgres", "nobody")
    folder = server_folder("connector-pg", account)
    data = folder / "data"
    initdb: list[str | Path] = [
        tools / "initdb",
        "-D",
        data,
        "-U",
        "tests",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]
    made = subprocess.run(initdb, capture_output=True, text=True, check=False, cwd=folder, **account.popen)
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr[-1000:]}")
    options = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
    start_minded(folder, [tools / "postgres", "-D", data, "-k", folder, *options], account)
    wait_until(lambda: _answers(folder), "PostgreSQL", folder / "log")
    return {"socket": str(folder), "user": "tests"}


def _answers(folder: Path) -> bool:
    try:
        _connect(str(folder)).close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(socket: str) -> psycopg.Connection[Any]:
    return psycopg.connect(host=socket, user="tests", dbname="postgres", autocommit=True, connect_timeout=10)


def database(server: dict[str, Any], name: str) -> str:
    """A fresh, empty database on the server; answers its URL."""
    with _connect(server["socket"]) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"postgresql+psycopg://tests@/{name}?host={server['socket']}"


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run's PostgreSQL: `{"socket": folder, "user": name}`."""
    tools = binaries()
    if tools is None:
        gap("postgresql", "no initdb on PATH or under /usr/lib/postgresql; install the package postgresql")
    return once(tmp_path_factory, "postgresql", lambda: start(tools))


@pytest.fixture(scope="session")
def postgresql(postgresql_server: dict[str, Any]) -> str:
    """The URL of a database that belongs to this test process alone, empty of tables at first."""
    return database(postgresql_server, f"tests_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")


@pytest.fixture
def empty_postgresql(postgresql_server: dict[str, Any], request: pytest.FixtureRequest) -> str:
    """The URL of a database without any table, for tests about migrations."""
    return database(postgresql_server, f"empty_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
