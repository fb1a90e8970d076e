"""What this provider saw, for tests: it knows the truth about every request, refresh token and write."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any


class Oracle:
    """A log in memory. Safe for threads."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._clear()

    def _clear(self) -> None:
        self._requests: list[dict[str, Any]] = []
        self._refresh: dict[str, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._writes: list[dict[str, Any]] = []
        self._most_at_once: Counter[str] = Counter()

    def clear(self) -> None:
        """Forget what was seen; tokens and people stay."""
        with self._lock:
            self._clear()

    def request(self, endpoint: str, method: str, status: int, **about: str) -> None:
        """One answered request; `about`: client, person, grant, grant_type."""
        with self._lock:
            self._requests.append(
                {"at": self._now(), "endpoint": endpoint, "method": method, "status": status, **about}
            )

    def note(self, event: str, **about: str) -> None:
        """Something that a test wants to know of: code_reuse, refresh_reuse, signal_sent …."""
        with self._lock:
            self._events.append({"at": self._now(), "event": event, **about})

    def write(self, person: str, fields: list[str], key: str, *, effect: bool) -> None:
        """One profile write, and whether it changed anything."""
        with self._lock:
            self._writes.append(
                {"at": self._now(), "person": person, "fields": fields, "idempotency_key": key, "effect": effect}
            )

    def refresh_issued(self, label: str, grant: str) -> None:
        """A refresh token came to be."""
        with self._lock:
            self._refresh[label] = {"label": label, "grant": grant, "issued_at": self._now(), "uses": []}

    def refresh_used(self, label: str, client_id: str, *, again: bool) -> None:
        """A refresh token was presented."""
        with self._lock:
            known = self._refresh.setdefault(label, {"label": label, "uses": []})
            known["uses"].append({"at": self._now(), "client": client_id, "again": again})

    def enter(self, grant: str) -> None:
        """A refresh of this grant is under way."""
        with self._lock:
            self._under_way[grant] += 1
            self._most_at_once[grant] = max(self._most_at_once[grant], self._under_way[grant])

    def leave(self, grant: str) -> None:
        """That refresh ended."""
        with self._lock:
            self._under_way[grant] -= 1

    def report(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        with self._lock:
            return {
                "requests": [dict(entry) for entry in self._requests],
                "refresh_tokens": [{**entry, "uses": list(entry["uses"])} for entry in self._refresh.values()],
                "events": [dict(entry) for entry in self._events],
                "reuse": [dict(entry) for entry in self._events if entry["event"].endswith("_reuse")],
                "writes": [dict(entry) for entry in self._writes],
                "most_at_once": dict(self._most_at_once),
            }
