"""One heart per process: beats for every claim that is being worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from connector.model.errors import ConnectorError
from connector.storage import Store
from connector.work.leases import Claimed, heartbeat

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Held:
    """A claim under the heart. `lost` is set once somebody else has the row: stop, and send nothing more."""

    table: str
    claimed: Claimed
    lost: threading.Event = field(default_factory=threading.Event)


class Heart:
    """Renews leases every third of `lease_ms` while work is under way. Its thread starts with the first claim."""

    def __init__(self, store: Store, owner: str, lease_ms: int) -> None:
        self._store, self._owner, self._lease_ms = store, owner, lease_ms
        self._held: set[Held] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, table: str, claimed: Claimed) -> Iterator[Held]:
        """Keep the lease for as long as the block runs."""
        held = Held(table, claimed)
        with self._lock:
            self._held.add(held)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
                self._thread.start()
        try:
            yield held
        finally:
            with self._lock:
                self._held.discard(held)

    def beat(self) -> None:
        """Renew every lease once; those that are gone are marked lost."""
        with self._lock:
            holding = list(self._held)
        if not holding:
            return
        with self._store.transaction() as tx:
            gone = [h for h in holding if not heartbeat(tx, h.table, h.claimed, self._owner, self._lease_ms)]
        for held in gone:
            held.lost.set()
            with self._lock:
                self._held.discard(held)

    def stop(self) -> None:
        """Stop beating; leases run out by themselves."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._lease_ms / 3000):
            try:
                self.beat()
            except ConnectorError as error:
                # The database cannot be reached: the lease may run out, and the fence guards what is settled then.
                _log.warning("work.heartbeat_failed", code=error.code, detail=error.detail)
