"""What one request may still take: seconds until its deadline, bytes off the wire. Noted where bytes are moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from connector.egress.resolve import Resolve
from connector.egress.rules import Rules, Target

HEADER_BYTES = 64 * 1024


class Exceeded(OSError):
    """A limit was reached while bytes were moved. `code` is a machine word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Allowance:
    """The limits of the request under way in this thread, and how far it came.

    Attributes:
        deadline: on the monotonic clock, for the whole exchange.
        wire_bytes: how many bytes may still be read off the wire; starts with the headers' share.
        sent: whether bytes of the request may have left.
        reused: whether an open connection was used again.
        code: why it failed, where that is known at the place of failure.
    """

    target: Target
    deadline: float
    monotonic: Callable[[], float]
    rules: Rules
    resolve: Resolve
    max_idle_s: float
    wire_bytes: int = HEADER_BYTES
    sent: bool = False
    code: str = ""

    def remaining_s(self) -> float:
        """Seconds left. Raises Exceeded(deadline) where there are none."""
        left = self.deadline - self.monotonic()
        if left <= 0:
            raise self.stop("deadline")
        return left

    def took(self, count: int) -> None:
        """Note bytes read off the wire. Raises Exceeded(too_large)."""
        self.wire_bytes -= count
        if self.wire_bytes < 0:
            raise self.stop("too_large")

    def open_body(self, max_bytes: int) -> None:
        """Let the body in: its size and a fair share for chunk framing."""
        self.wire_bytes = 8 * max_bytes + HEADER_BYTES

    def stop(self, code: str) -> Exceeded:
        """The error to raise for a limit, and the note of it."""
        self.code = self.code or code
        return Exceeded(code)


_current: ContextVar[Allowance] = ContextVar("egress_allowance")


def current() -> Allowance:
    """The allowance of the request under way in this thread. Raises LookupError outside of one."""
    return _current.get()


@contextmanager
def using(allowance: Allowance) -> Iterator[Allowance]:
    """Make this the allowance of whatever this thread sends inside."""
    token = _current.set(allowance)
    try:
        yield allowance
    finally:
        _current.reset(token)
