"""A relay between two programs that speak over TCP or a Unix socket, and everything that can go wrong on the way.

    with Proxy("127.0.0.1:5432") as proxy:
        proxy.fault = Fault(delay_s=0.2)             # from now on, on every connection
        proxy.next(Fault(reset_after=100))           # the next connection alone
        proxy.cut()                                  # every open connection ends with a reset

It knows nothing of what it carries: the same relay stands before a provider, PostgreSQL and Redis.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal, Self

Direction = Literal["request", "answer"]
_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close throws away what was not sent, and says so with RST


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to what flows in `direction`: bytes toward the server are the request, those back the answer.

    Attributes:
        delay_s: every piece is late by so much.
        reset_after: after so many bytes both sides see a reset.
        truncate_after: after so many bytes both sides see an orderly end.
        half_close_after: after so many bytes only this direction ends; the other goes on.
        black_hole: nothing arrives any more, and nobody is told.
        trickle: (bytes, seconds): so many bytes, a pause of so many seconds, and again.
    """

    direction: Direction = "answer"
    delay_s: float = 0.0
    reset_after: int | None = None
    truncate_after: int | None = None
    half_close_after: int | None = None
    black_hole: bool = False
    trickle: tuple[int, float] | None = None

    @property
    def ends_after(self) -> int | None:
        """How many bytes still pass."""
        given = (self.reset_after, self.truncate_after, self.half_close_after)
        return next((bytes_ for bytes_ in given if bytes_ is not None), None)


class _Pair:
    """One relayed connection."""

    def __init__(self, near: socket.socket, far: socket.socket, fault: Fault | None) -> None:
        self.near, self.far, self.fault = near, far, fault
        self.over = False

    def reset(self) -> None:
        self.over = True
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads, and tells the other side nothing yet
            end.close()

    def close(self) -> None:
        self.over = True
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """The relay, from `with` to its end. `address` is where to connect instead."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._waiting: deque[Fault] = deque()
        self._over = threading.Event()
        self.fault: Fault | None = None
        self.accepted = 0
        self.port = 0
        self._listener = self._listening()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The same for what speaks HTTP."""
        return f"http://{self.address}"

    def next(self, *faults: Fault) -> None:
        """Faults for the connections to come, one each, in this order."""
        self._waiting.extend(faults)

    def cut(self) -> int:
        """Reset every open connection; how many."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def refuse(self) -> None:
        """Nobody listens any more, and what was open is reset."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def accept(self) -> None:
        """Listen again, where it listened before."""
        self._listener = self._listening()
        self._start()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.refuse()

    def _start(self) -> None:
        threading.Thread(target=self._accepting, args=(self._listener,), name="proxy", daemon=True).start()

    def _listening(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        listener.settimeout(0.1)
        self.port = listener.getsockname()[1]
        return listener

    def _accepting(self, listener: socket.socket) -> None:
        while not self._over.is_set():
            try:
                near, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            near.settimeout(None)
            self.accepted += 1
            try:
                far = self._connected()
            except OSError:
                near.close()
                continue
            pair = _Pair(near, far, self._waiting.popleft() if self._waiting else None)
            with self._lock:
                self._pairs.append(pair)
            for source, sink, direction in ((near, far, "request"), (far, near, "answer")):
                threading.Thread(target=self._pumping, args=(pair, source, sink, direction), daemon=True).start()

    def _connected(self) -> socket.socket:
        if self._upstream.startswith("/"):
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._upstream)
            return far
        host, _, port = self._upstream.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=10)

    def _pumping(self, pair: _Pair, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        passed = 0
        try:
            source.settimeout(None)
            while piece := source.recv(_CHUNK):
                fault = pair.fault or self.fault
                if fault is None or fault.direction != direction:
                    sink.sendall(piece)
                elif not self._spoiled(pair, sink, piece, passed, fault):
                    return
                passed += len(piece)
            if not pair.over:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pair.close()

    def _spoiled(self, pair: _Pair, sink: socket.socket, piece: bytes, passed: int, fault: Fault) -> bool:
        """Whether the connection goes on after this piece."""
        if fault.black_hole:
            return True
        if fault.delay_s:
            self._over.wait(fault.delay_s)
        end = fault.ends_after
        left = piece if end is None else piece[: max(0, end - passed)]
        self._sent(sink, left, fault.trickle)
        if end is None or passed + len(piece) < end:
            return True
        if fault.reset_after is not None:
            pair.reset()
        elif fault.truncate_after is not None:
            pair.close()
        else:
            sink.shutdown(socket.SHUT_WR)
        return False

    def _sent(self, sink: socket.socket, piece: bytes, trickle: tuple[int, float] | None) -> None:
        if trickle is None:
            sink.sendall(piece)
            return
        size, pause_s = trickle
        for start in range(0, len(piece), size):
            sink.sendall(piece[start : start + size])
            time.sleep(pause_s)
