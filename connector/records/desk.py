"""What operators see and do with deliveries: all of them, the ones that came to nothing, and another try."""

from __future__ import annotations

from connector.model.errors import Conflict, NotFound
from connector.model.states import WorkState
from connector.records.deliveries import Delivery, _delivery, delivery
from connector.storage import Transaction

DEAD = (WorkState.DEAD, WorkState.FAILED, WorkState.CONFLICT)


def deliveries_in(
    tx: Transaction, *, tenant_id: str | None = None, states: tuple[WorkState, ...] = (), limit: int = 50
) -> list[Delivery]:
    """Deliveries, newest first, of one tenant or all, in any of these states or in every one."""
    named = {f"s{number}": state.value for number, state in enumerate(states)}
    among = f"AND state IN ({', '.join(':' + name for name in named)})" if named else ""
    rows = tx.all(
        f"""SELECT * FROM deliveries WHERE (:every = 1 OR tenant_id = :tenant) {among}
            ORDER BY created_at DESC, id DESC LIMIT :limit""",
        every=int(tenant_id is None),
        tenant=tenant_id or "",
        limit=limit,
        **named,
    )
    return [_delivery(row) for row in rows]


def retry_delivery(tx: Transaction, delivery_id: str) -> Delivery:
    """Queue a delivery that came to nothing once more, due now. It is decided anew when it is sent.

    Raises:
        NotFound: there is no such delivery.
        Conflict: it is still under way, or succeeded, was refused by policy, or was voided by a choice.
    """
    states = {f"s{number}": state.value for number, state in enumerate(DEAD)}
    changed = tx.run(
        f"""UPDATE deliveries SET state = 'queued', next_at = :now, attempts = 0, sent_at = NULL, outcome = NULL,
              finished_at = NULL WHERE id = :id AND state IN ({", ".join(":" + name for name in states)})""",
        id=delivery_id,
        now=tx.now(),
        **states,
    )
    found = delivery(tx, delivery_id)
    if found is None:
        raise NotFound("delivery", code="unknown_delivery")
    if not changed:
        raise Conflict(
            "delivery_not_dead",
            f"The delivery is {found.state.value}; only one that is dead, failed or in conflict can be tried again.",
        )
    return found
