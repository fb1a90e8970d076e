"""A server that answers as badly as it is told to: raw bytes on a real socket."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Behaviour = Callable[[socket.socket], None]


class Hostile:
    """Serves every connection with one behaviour and remembers what it was sent."""

    def __init__(self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Hang up on everyone."""
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for conn in self._open:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(conn)
            thread = threading.Thread(target=self._serve, args=(conn,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), conn:
            stream = self._tls.wrap_socket(conn, server_side=True) if self._tls else conn
            with stream:
                while request := read_request(stream):
                    self.requests.append(request)
                    self.behaviour(stream)


@contextmanager
def hostile(behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """A hostile server until the end of the block."""
    server = Hostile(behaviour, tls=tls)
    try:
        yield server
    finally:
        server.close()


def read_request(conn: socket.socket) -> bytes:
    """One request, head and body; empty where the client hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += conn.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> Behaviour:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def raw(data: bytes) -> Behaviour:
    """These bytes."""
    return lambda conn: conn.sendall(data)


def then_close(data: bytes) -> Behaviour:
    """These bytes, then the connection ends."""

    def behave(conn: socket.socket) -> None:
        conn.sendall(data)
        conn.shutdown(socket.SHUT_RDWR)

    return behave


def reset_after(data: bytes) -> Behaviour:
    """These bytes, then a reset."""

    def behave(conn: socket.socket) -> None:
        conn.sendall(data)
        time.sleep(0.02)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        conn.close()

    return behave


def drip(head: bytes, piece: bytes = b"x", *, every_s: float = 0.05) -> Behaviour:
    """A head, then a byte now and then, for ever."""

    def behave(conn: socket.socket) -> None:
        conn.sendall(head)
        while True:
            time.sleep(every_s)
            conn.sendall(piece)

    return behave


def flood(head: bytes, piece: bytes, times: int) -> Behaviour:
    """A head, then the same piece many times."""

    def behave(conn: socket.socket) -> None:
        conn.sendall(head)
        for _ in range(times):
            conn.sendall(piece)

    return behave


def silent(conn: socket.socket) -> None:
    """Takes the request and says nothing."""
    conn.settimeout(30)
    conn.recv(1)


def gzip_bomb(unpacked: int) -> bytes:
    """Zeros, well packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = bytes(1024 * 1024)
    return b"".join([*(packer.compress(block) for _ in range(unpacked // len(block))), packer.flush()])


def gzipped(body: bytes) -> bytes:
    """The body as gzip, without a time: it names its test, and every process of a run must name it alike."""
    return gzip.compress(body, mtime=0)


def peak_growth_mb(work: Callable[[], object]) -> float:
    """How far the memory of this process rose at its peak while `work` ran, in MB (Linux: peak of the resident set)."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    clear.write_text("5")
    before = _status_mb(status, "VmRSS")
    work()
    return _status_mb(status, "VmHWM") - before


def _status_mb(status: Path, name: str) -> float:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
