"""What the provider sees of refreshes at once: a second request for a grant while somebody still waits for the first.

A process that was killed waits for nothing: its connection is closed, though the provider may not have looked yet. Two
requests of the living for one grant are what must never be.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from providers.rehearsal.server.state import State


class InFlight:
    """WSGI middleware around Rehearsal."""

    def __init__(self, app: Callable[..., Iterable[bytes]], provider: State) -> None:
        self._app, self._provider = app, provider
        self._lock = threading.Lock()
        self._open: dict[str, list[socket.socket]] = defaultdict(list)
        self.doubles: list[str] = []
        self.calls: list[tuple[float, str]] = []  # monotonic seconds, grant

    def calls_since(self, moment: float) -> int:
        """Refreshes that came after it."""
        with self._lock:
            return sum(1 for at, _ in self.calls if at >= moment)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """PEP 3333."""
        grant = self._grant(environ) if environ.get("PATH_INFO") == "/token" else ""
        if not grant:
            return self._app(environ, start_response)
        mine = environ["werkzeug.socket"]
        with self._lock:
            self.calls.append((time.monotonic(), grant))
            if any(_waits(one) for one in self._open[grant]):
                self.doubles.append(grant)
            self._open[grant].append(mine)
        try:
            return self._app(environ, start_response)
        finally:
            with self._lock:
                self._open[grant].remove(mine)

    def _grant(self, environ: dict[str, Any]) -> str:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        held = self._provider.refresh.get(dict(parse_qsl(body.decode())).get("refresh_token", ""))
        return held.grant.id if held else ""


def _waits(connection: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        try:
            return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise
            return False
    return True
