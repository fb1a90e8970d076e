"""A parent and its children: started, watched, started again, and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from connector.model.clock import Clock

MOST_DEATHS = 5
WITHIN_S = 60.0
POLL_S = 0.2
AGAIN_S = 2.0
END_WITHIN_S = 75.0  # a listener gives its requests 60


@dataclass(frozen=True, slots=True)
class Role:
    """One child by name, and the command that starts it."""

    name: str
    command: Sequence[str]


@dataclass(slots=True)
class _Child:
    role: Role
    process: subprocess.Popen[bytes]
    deaths: deque[float] = field(default_factory=deque)
    again_at: float | None = None


class Children:
    """Every role's process. A child that dies is started again after a pause; one that dies again and again ends all.

    Each is in a session of its own, so that Ctrl-C reaches the parent alone, and holds the end of a pipe, so that it
    ends with a parent that was killed.
    """

    def __init__(self, clock: Clock, tell: Callable[[str], None], environment: Mapping[str, str]) -> None:
        self._clock = clock
        self._tell = tell
        self._environment = dict(environment)
        self._children: list[_Child] = []

    def start(self, role: Role) -> None:
        """Start a child."""
        self._children.append(_Child(role, self._spawn(role)))

    def run(self, stop: threading.Event) -> bool:
        """Watch until `stop`, then end them all. False where one kept dying, or would not end by itself."""
        healthy = True
        while healthy and not stop.is_set():
            healthy = not [child for child in self._children if not self._watched(child)]
            stop.wait(POLL_S)
        return self.end() and healthy

    def alive(self) -> bool:
        """Whether every child is running."""
        return all(child.process.poll() is None for child in self._children)

    def end(self) -> bool:
        """SIGTERM to all, then wait; whoever does not end in time is killed. Whether nobody had to be."""
        for child in self._children:
            _ask_to_end(child.process)
        deadline = self._clock.monotonic() + END_WITHIN_S
        return not [child for child in self._children if not self._ended(child, deadline)]

    def _ended(self, child: _Child, deadline: float) -> bool:
        while child.process.poll() is None and self._clock.monotonic() < deadline:
            try:
                child.process.wait(AGAIN_S)
            except subprocess.TimeoutExpired:
                _ask_to_end(child.process)  # a listener that was just starting did not hear the first time
        ended = child.process.poll() is not None
        if not ended:
            self._tell(f"{child.role.name} did not end in time and was killed.")
            child.process.kill()
            child.process.wait()
        _let_go(child.process)
        return ended

    def _watched(self, child: _Child) -> bool:
        """Whether things can go on: alive, or not dead too often."""
        now = self._clock.monotonic()
        if child.again_at is not None:
            if now >= child.again_at:
                child.again_at = None
                child.process = self._spawn(child.role)
            return True
        code = child.process.poll()
        if code is None:
            return True
        _let_go(child.process)
        child.deaths.append(now)
        while child.deaths[0] < now - WITHIN_S:
            child.deaths.popleft()
        if len(child.deaths) >= MOST_DEATHS:
            self._tell(f"{child.role.name} ended {MOST_DEATHS} times within {WITHIN_S:.0f} s; giving up.")
            return False
        pause = float(2 ** (len(child.deaths) - 1)) / 2
        self._tell(f"{child.role.name} ended with code {code}; starting it again in {pause:g} s.")
        child.again_at = now + pause
        return True

    def _spawn(self, role: Role) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  our own interpreter and modules
            list(role.command), stdin=subprocess.PIPE, env=self._environment, start_new_session=True
        )


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the child and to what it started: each is the leader of a group. Asking twice changes nothing."""
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended this very moment
            os.killpg(process.pid, signal.SIGTERM)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close our end of the pipe."""
    if process.stdin is not None:
        process.stdin.close()


def python(*words: str) -> list[str]:
    """A command that runs a module of ours in this very interpreter; the working directory is not searched for code."""
    return [sys.executable, "-P", "-m", *words]
