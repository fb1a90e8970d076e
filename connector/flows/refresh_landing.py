"""A provider's answer to a refresh, held until it is stored.

Nothing but a commit ends the holding: a new refresh token exists nowhere else in the world. What could not be stored
within a second is also written to the journal beside the database, so that not even the death of this process loses it.
"""

from __future__ import annotations

from contextlib import suppress

import structlog

from connector.connections import LostClaim
from connector.flows import refresh_journal
from connector.flows.gateway import Gateway
from connector.flows.refresh_storing import Answer, NotYet, store_in_time, store_late
from connector.model.errors import TryLater
from connector.tokens import Kept

HOLD_FIRST_S = 0.05
HOLD_MOST_S = 1.0
JOURNAL_AFTER_S = 1.0

_log = structlog.get_logger("refresh")


def land(gateway: Gateway, answer: Answer) -> None:
    """Store the answer, for as long as it takes."""
    pause_s = HOLD_FIRST_S
    store = store_in_time
    kept: Kept | None = None
    began = gateway.clock.monotonic()
    with gateway.flights.holding():
        while True:
            try:
                store(gateway, answer)
            except LostClaim:
                store = store_late
            except Exception as problem:  # noqa: BLE001  whatever is wrong, dropping the answer would lose the grant
                with suppress(OSError):  # a log that nobody reads any more is no reason to let go either
                    _tell(answer, problem)
                if kept is None and gateway.clock.monotonic() + pause_s > began + JOURNAL_AFTER_S:
                    with suppress(OSError):
                        kept = refresh_journal.keep(gateway, answer)
                gateway.clock.sleep(pause_s)
                pause_s = min(HOLD_MOST_S, pause_s * 2)
            else:
                break
    if kept is not None:
        kept.drop()


def _tell(answer: Answer, problem: Exception) -> None:
    if isinstance(problem, NotYet):
        _log.info("refresh.waiting_for_another", connection=answer.claim.connection.id)
        return
    detail = problem.detail if isinstance(problem, TryLater) else type(problem).__name__
    _log.warning("refresh.holding", connection=answer.claim.connection.id, detail=detail)
