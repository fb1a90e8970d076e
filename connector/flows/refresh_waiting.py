"""A caller waits for a refresh that somebody else does: another process, or the worker that was asked for it.

What the row says is the truth; a nudge only shortens the wait. Nobody waits past the time a refresh may take.
"""

from __future__ import annotations

from connector import connections
from connector.connections import Connection
from connector.flows.gateway import Gateway
from connector.flows.refresh_attempt import provider_down
from connector.model.errors import TryLater
from connector.model.states import ConnectionState

WAIT_S = 12.0
POLL_S = 0.05


def wait_for_other(gateway: Gateway, seen: Connection) -> None:
    """Somebody else holds the claim, or it is not time yet: wait until the row moves on. Raises TryLater."""
    deadline = gateway.clock.monotonic() + WAIT_S
    while gateway.clock.monotonic() < deadline:
        now = _moved_on(gateway, seen)
        if now is None:
            return
        if now.state is not ConnectionState.REFRESHING:
            not_too_early(gateway, now)
            raise still_under_way()  # given back this very moment: the next to ask may claim it
        gateway.clock.sleep(POLL_S)
    raise still_under_way()


def ask_worker(gateway: Gateway, seen: Connection) -> bool:
    """Mark the connection as waited for, nudge the workers, and wait until its row moves on. Refreshes nothing itself.

    Raises:
        TryLater: the worker was given no fresh token, or none is there to take it on in time.
    """
    with gateway.store.transaction() as tx:
        connections.want_refresh(tx, seen)
    gateway.wakeup.notify()
    deadline = gateway.clock.monotonic() + WAIT_S
    while gateway.clock.monotonic() < deadline:
        now = _moved_on(gateway, seen)
        if now is None:
            return False
        if now.state is not ConnectionState.REFRESHING:
            not_too_early(gateway, now)
        gateway.clock.sleep(POLL_S)
    raise still_under_way()


def not_too_early(gateway: Gateway, connection: Connection) -> None:
    """Raise TryLater where the provider is not to be asked yet: it said so, or it failed a moment ago."""
    early_ms = connection.next_attempt_at - gateway.clock.now()
    if early_ms > 0:
        raise provider_down(retry_after_s=-(-early_ms // 1000))


def still_under_way() -> TryLater:
    """The error for who has waited long enough."""
    return TryLater("The token is being refreshed; ask again.", retry_after_s=2, code="refresh_under_way")


def _moved_on(gateway: Gateway, seen: Connection) -> Connection | None:
    """The connection as it is; None once there is nothing more to wait for."""
    with gateway.store.read() as tx:
        now = connections.find(tx, gateway.vault, seen.tenant_id, seen.id)
    over = now is None or now.generation != seen.generation or now.ended
    return None if over or now is None or now.state is ConnectionState.NEEDS_REAUTH else now
