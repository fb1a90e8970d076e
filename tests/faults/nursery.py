"""Where the processes come from that tests kill: one process that has imported everything, and forks.

Starting Python and importing the gateway takes two seconds; a fork of a process that has done so takes a few
milliseconds, and is a process like any other: its own connections, locks, threads and id, with a signal to die by. It
dies with the nursery, and the nursery with whoever started it, so no test leaves anybody behind.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).parents[2]
_LOOK_EVERY_S = 0.01
_LARGEST = 200_000
_DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG


class Child:
    """A process out of the nursery, with the few things that tests ask of one."""

    def __init__(self, pid: int, stdout: IO[str], ended: Future[int]) -> None:
        self.pid = pid
        self.stdout = stdout
        self._ended = ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self.stdout.close()

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if not self._ended.done():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Its exit code, or the negative signal that ended it; None while it lives."""
        return self._ended.result() if self._ended.done() else None

    def wait(self, within_s: float = 30) -> int:
        """The same, waited for."""
        return self._ended.result(within_s)

    def line(self) -> str:
        """The next line it says; "" at its end."""
        return self.stdout.readline().rstrip("\n")


class Nursery:
    """Starts children: `start("worker", settings, how, failpoint=...)`. Ends with `close`, and all of them with it."""

    def __init__(self) -> None:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LARGEST)
        command = [sys.executable, "-m", "tests.faults.nursery", str(far.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[far.fileno()])
        far.close()
        self._control = near
        self._sending = threading.Lock()
        self._started: Future[int] | None = None
        self._ended: dict[int, Future[int]] = {}
        threading.Thread(target=self._hearing, name="nursery", daemon=True).start()

    def start(
        self,
        role: str,
        settings: Mapping[str, Any],
        *given: str,
        how: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """A child that runs `tests.faults.process.main(role, settings, how, *given)`."""
        told, out = os.pipe()
        words = json.dumps([role, settings, how or {}, list(given), environment or {}]).encode()
        try:
            with self._sending:
                self._started = Future()
                socket.send_fds(self._control, [words], [out])
                pid = self._started.result(60)
        finally:
            os.close(out)
        return Child(pid, os.fdopen(told, encoding="utf-8"), self._ended[pid])

    def close(self) -> None:
        """End the nursery; what is left of its children dies with it."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _hearing(self) -> None:
        while True:
            try:
                message = self._control.recv(4096)
            except OSError:
                return
            if not message:
                return
            kind, pid, *code = json.loads(message)
            if kind == "started" and self._started is not None:
                self._ended[pid] = Future()
                self._started.set_result(pid)
            elif kind == "ended":
                self._ended[pid].set_result(code[0])


def _serve(control: socket.socket) -> None:
    from tests.faults import process  # noqa: PLC0415  the side that asks needs none of it

    process.prepare()
    gc.collect()
    gc.freeze()  # what was imported is never garbage; looking for it would copy its pages into every child
    me = os.getpid()
    while True:
        ready, _, _ = select.select([control], [], [], _LOOK_EVERY_S)
        if ready:
            words, descriptors, _, _ = socket.recv_fds(control, _LARGEST, 1)
            if not words:
                return
            pid = os.fork()
            if pid == 0:
                _become(control, me, descriptors[0], json.loads(words))
            os.close(descriptors[0])
            control.send(json.dumps(["started", pid]).encode())
        _reap(control)


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        control.send(json.dumps(["ended", pid, os.waitstatus_to_exitcode(status)]).encode())


def _become(control: socket.socket, nursery: int, out: int, words: list[Any]) -> None:
    """The child: runs its role and ends; never returns."""
    from tests.faults import process  # noqa: PLC0415  as above

    code = 70
    try:
        _die_with(nursery)
        control.close()
        os.dup2(out, 1)
        os.close(out)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        role, settings, how, given, environment = words
        os.environ.update(environment)
        code = process.main(role, settings, how, *given)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001  a child must not return into the nursery's loop, whatever happened
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(os.getppid())
    began = time.monotonic()
    _serve(socket.socket(fileno=int(sys.argv[1])))
