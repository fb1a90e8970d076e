"""Callers: each waits for its answer before it asks again, on a connection that stays open.

One thread over epoll with requests made beforehand, so that the callers cost far less than what they call.
"""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Measured:
    """What came of a load. Times in seconds."""

    seconds: float
    times: list[float]
    statuses: Counter[int] = field(default_factory=Counter)
    last_body: bytes = b""

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.times)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass(slots=True)
class _Caller:
    sock: socket.socket
    began: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)
    left: int = -1


def post(path: str, token: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


def load(
    port: int, requests: Sequence[bytes], *, callers: int, seconds: float = 3600.0, total: int | None = None
) -> Measured:
    """Ask for `seconds`, or until `total` answers came; each time for a random one of `requests`."""
    chosen = random.Random(7).choices(requests, k=4096)
    waiting = selectors.DefaultSelector()
    held = [_Caller(_connected(port)) for _ in range(callers)]
    for one in held:
        waiting.register(one.sock, selectors.EVENT_READ, one)
    measured = Measured(0.0, [])
    began = time.perf_counter()
    until = began + seconds
    sent = 0
    for one in held:
        one.began = time.perf_counter()
        one.sock.sendall(chosen[sent % 4096])
        sent += 1
    while len(measured.times) < (total or 1 << 60):
        now = time.perf_counter()
        if now >= until:
            break
        for key, _ in waiting.select(until - now):
            caller: _Caller = key.data
            if not _whole(caller, measured):
                continue
            measured.times.append(time.perf_counter() - caller.began)
            if total is None or sent < total:
                caller.began = time.perf_counter()
                caller.sock.sendall(chosen[sent % 4096])
                sent += 1
    measured.seconds = time.perf_counter() - began
    for one in held:
        one.sock.close()
    return measured


def _connected(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _whole(caller: _Caller, measured: Measured) -> bool:
    """Whether the answer is there, all of it."""
    part = caller.sock.recv(65536)
    if not part:
        raise ConnectionError("the server hung up")
    caller.buffer += part
    if caller.left < 0:
        end = caller.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(caller.buffer[:end]).lower()
        measured.statuses[int(head[9:12])] += 1
        at = head.find(b"content-length:")
        caller.left = end + 4 + int(head[at + 15 : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None])
    if len(caller.buffer) < caller.left:
        return False
    measured.last_body = bytes(caller.buffer[-caller.left :])
    caller.buffer.clear()
    caller.left = -1
    return True
