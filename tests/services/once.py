"""One server for all processes of a run, started by whichever needs it first."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_MINDER = Path(__file__).with_name("minder.py")
LONGEST_FOLDER = 40
_STARTED: list[subprocess.Popen[bytes]] = []  # they outlive this process; a forgotten one would be warned about


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that all processes of the run share."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of the run share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def run_pid() -> int:
    """The process whose end is the end of the run: the controller under xdist."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def once(factory: pytest.TempPathFactory, name: str, start: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `start` answered, the first time in this run that `name` was asked for. A failed start is tried anew."""
    folder = run_folder(factory)
    state = folder / f"{name}.json"
    with locked(folder / f"{name}.lock"):
        if not state.exists():
            state.write_text(json.dumps(start()))
        found: dict[str, Any] = json.loads(state.read_text())
        return found


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as; None is the one that runs the tests."""

    name: str | None

    @property
    def popen(self) -> dict[str, Any]:
        """What subprocess takes to become this user."""
        return (
            {}
            if self.name is None
            else {"user": self.name, "group": pwd.getpwnam(self.name).pw_gid, "extra_groups": []}
        )


def server_account(*names: str) -> Account:
    """Some servers refuse root: then one of `names`, whichever this machine has."""
    if os.geteuid() != 0:
        return Account(None)
    known = {entry.pw_name for entry in pwd.getpwall()}
    return Account(next((name for name in names if name in known), None))


def server_folder(name: str, account: Account) -> Path:
    """A fresh short folder (socket paths have 107 bytes) that `account` owns and no one else enters."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_roomy()))
    if account.name:
        entry = pwd.getpwnam(account.name)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def start_minded(
    folder: Path, command: Sequence[str | Path], account: Account, *, pid: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a server that ends with the run. What it says goes to `folder/log`."""
    log = folder / "log"
    words = [
        sys.executable,
        str(_MINDER),
        str(pid or run_pid()),
        str(folder),
        account.name or "",
        "--",
        *map(str, command),
    ]
    with log.open("wb") as out:
        minder = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd=folder,
        )
    _STARTED.append(minder)
    return minder


def wait_until(ready: Callable[[], bool], what: str, log: Path, *, within_s: float = 30) -> None:
    """Wait for a server, or fail with the end of what it said."""
    deadline = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{what} did not come up within {within_s:.0f} s; it said: {said}")
        time.sleep(0.05)


def _roomy() -> str:
    """The folder for temporary files, where its name leaves room for a socket's (108 bytes, unix(7)); else /tmp."""
    chosen = tempfile.gettempdir()
    return chosen if len(chosen) <= LONGEST_FOLDER else "/tmp"  # noqa: S108  mkdtemp makes a folder of its own there
