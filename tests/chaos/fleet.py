"""Worker processes that come and go: as many as there should be, whatever happens to single ones."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tests.faults.nursery import Child, Nursery

READY_WITHIN_S = 30.0
BUSY_WITHIN_S = 2.0
LOOK_S = 0.003


@dataclass(eq=False, slots=True)
class Member:
    """One process. `runs` is set once it works."""

    child: Child
    runs: threading.Event = field(default_factory=threading.Event)
    worker_id: str = ""

    def hear(self) -> None:
        """What it says: who it is, and that it works."""
        self.worker_id = self.child.line()
        if self.child.line() == "runs":
            self.runs.set()


@dataclass(frozen=True, slots=True)
class Struck:
    """Whom a blow met, and the connections whose refresh it had claimed at that moment."""

    member: Member
    held: set[str]


class Fleet:
    """`size` workers, from `with` to its end."""

    def __init__(self, nursery: Nursery, settings: Mapping[str, Any], how: Mapping[str, Any], size: int) -> None:
        self._nursery, self._settings, self._how = nursery, settings, how
        self.members: list[Member] = []
        self._size = size
        self._gone: list[Member] = []

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self.join()
        for member in self.members:
            if not member.runs.wait(READY_WITHIN_S):
                raise RuntimeError("a worker did not come up")
        return self

    def __exit__(self, *_: object) -> None:
        for member in (*self.members, *self._gone):
            member.child.kill()
        for member in (*self.members, *self._gone):
            member.child.wait()
            member.child.stdout.close()

    def join(self) -> Member:
        """One more."""
        member = Member(self._nursery.start("worker", self._settings, how=self._how))
        threading.Thread(target=member.hear, daemon=True).start()
        self.members.append(member)
        return member

    def pick(self, rng: random.Random) -> Member:
        """One of them; which, is drawn. Waits until all of them work, the successor of the last victim too.

        Otherwise the storm would be one of starting processes, and measure the machine.
        """
        share = rng.random()
        until = time.monotonic() + READY_WITHIN_S
        for member in self.members:
            if not member.runs.wait(max(0.0, until - time.monotonic())):
                raise RuntimeError("the workers do not come up")
        return self.members[int(share * len(self.members))]

    def strike(
        self, rng: random.Random, number: signal.Signals, held_by: Callable[[str], set[str]], *, aimed: bool = True
    ) -> Struck:
        """Stop one, see what it holds, and send it the signal. Whom is drawn.

        An aimed blow waits until its victim is in the middle of a refresh; if that does nothing for a while, it is
        struck all the same.
        """
        member = self.pick(rng)
        until = time.monotonic() + (BUSY_WITHIN_S if aimed else 0)
        while not held_by(member.worker_id) and time.monotonic() < until:
            time.sleep(LOOK_S)
        member.child.send_signal(signal.SIGSTOP)
        held = held_by(member.worker_id)
        if number is not signal.SIGSTOP:
            member.child.send_signal(number)
        if number is signal.SIGTERM:
            member.child.send_signal(signal.SIGCONT)
        return Struck(member, held)

    def leave(self, member: Member) -> None:
        """It is out; another takes its place."""
        self.members.remove(member)
        self._gone.append(member)
        self.join()

    def stop(self, within_s: float = 60) -> list[int]:
        """Ask all of them to go; their exit codes."""
        for member in self.members:
            member.child.send_signal(signal.SIGTERM)
        codes = [member.child.wait(within_s) for member in self.members]
        self._gone += self.members
        self.members = []
        return codes
