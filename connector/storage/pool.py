"""Connections kept open: as few as were ever needed at once, the most recently used first.

The fresh path takes and gives one back for every token that is handed out, so both cost about a microsecond.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from connector.storage.errors import DatabaseUnavailable

SIZE = 64
WAIT_S = 10.0


class Pool:
    """Driver connections of one database. Thread safe."""

    def __init__(self, connect: Callable[[], Any], *, size: int = SIZE, wait_s: float = WAIT_S) -> None:
        self._connect = connect
        self._wait_s = wait_s
        self._idle: deque[Any] = deque()
        self._free = threading.BoundedSemaphore(size)

    def take(self) -> Any:
        """A connection for the caller alone. Raises DatabaseUnavailable where all are taken for `wait_s` seconds."""
        if not self._free.acquire(timeout=self._wait_s):
            raise DatabaseUnavailable("every connection of this process is in use")
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: Any) -> None:
        """Return a connection that is in no transaction."""
        self._idle.append(connection)
        self._free.release()

    def discard(self, connection: Any) -> None:
        """Close a connection that failed, and the idle ones with it: they lead to the same server."""
        self._free.release()
        connection.close()
        self.close_idle()

    def close_idle(self) -> None:
        """Close every idle connection."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return
