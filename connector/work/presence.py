"""A process that says it is there, so that what it holds is taken over within seconds of its death, and not before."""

from __future__ import annotations

import os
import platform
import threading

import structlog

from connector.model.errors import TryLater
from connector.storage import Store
from connector.work.liveness import Liveness, open_liveness
from connector.work.processes import forget, register, seen

HOLD_S = 0.5  # between two looks at one's own sign of life, of which a part may have broken
BEAT_S = 1.0

_log = structlog.get_logger(__name__)


class Presence:
    """This process's entry and its heartbeat, from `start` to `stop`. Listeners have one, and so do workers."""

    def __init__(self, store: Store, process_id: str, kind: str, liveness: Liveness | None = None) -> None:
        self.liveness = liveness or open_liveness(store, process_id)
        self._store = store
        self._id = process_id
        self._kind = kind
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def start(self) -> None:
        """Hold the sign of life, enter the process, and beat."""
        self._enter()
        self._thread.start()

    def stop(self) -> None:
        """Leave: nothing of this process is under way any more.

        Raises:
            DatabaseUnavailable: the entry stays behind; the sign of life is gone all the same.
        """
        self._over.set()
        self._thread.join()
        try:
            with self._store.transaction() as tx:
                forget(tx, [self._id])
        finally:
            self.liveness.release()

    def _beat(self) -> None:
        beats = 0
        while not self._over.wait(HOLD_S):
            beats = (beats + 1) % round(BEAT_S / HOLD_S)
            try:
                if self.liveness.hold() and beats == 0:
                    self._once()
            except TryLater as problem:
                _log.warning("presence.database_away", detail=problem.detail)
            except Exception as error:  # noqa: BLE001  a process that stopped beating would be taken for dead
                _log.error("presence.beat_failed", error=type(error).__name__)

    def _once(self) -> None:
        with self._store.transaction() as tx:
            known = seen(tx, self._id)
        if not known:
            self._enter()

    def _enter(self) -> None:
        self.liveness.hold()
        with self._store.transaction() as tx:
            register(tx, self._id, self._kind, platform.node(), os.getpid())
