"""`connector deliveries`: what went out to people's accounts, and what did not."""

from __future__ import annotations

from typing import Any

import click

from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenant, tenant_option
from connector.model.instants import iso
from connector.model.states import WorkState
from connector.records.deliveries import Delivery
from connector.records.desk import DEAD, deliveries_in, retry_delivery


@click.group()
def deliveries() -> None:
    """Deliveries: changes that people opted in to send to their accounts."""


limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)


@deliveries.command("list", epilog="Example: connector deliveries list --state queued")
@tenant_option
@click.option("--state", type=click.Choice([state.value for state in WorkState]), help="Only in this state.")
@limit_option
@session_options
def list_(session: Session, *, tenant: str | None, state: str | None, limit: int) -> None:
    """List deliveries, the newest first. They name fields, never values."""
    _list(session, tenant, (WorkState(state),) if state else (), limit)


@deliveries.command("dead-letters", epilog="Example: connector deliveries dead-letters --json")
@tenant_option
@limit_option
@session_options
def dead_letters(session: Session, *, tenant: str | None, limit: int) -> None:
    """List deliveries that ended without success: given up, failed, or in conflict with the provider's copy."""
    _list(session, tenant, DEAD, limit)


@deliveries.command(epilog="Example: connector deliveries retry dlv_…")
@click.argument("delivery", metavar="ID")
@session_options
def retry(session: Session, *, delivery: str) -> None:
    """Try one that ended without success again. Policy and consent are asked anew when it is sent."""
    with session.store.transaction() as tx:
        queued = retry_delivery(tx, delivery)
    session.out.document(
        document(queued), lambda: session.out.say(f"The delivery {queued.id} is queued; a worker sends it.")
    )


def document(delivery: Delivery) -> dict[str, Any]:
    """A delivery for machines."""
    return {
        "id": delivery.id,
        "tenant": delivery.tenant_id,
        "user": delivery.sub,
        "connection": delivery.connection_id,
        "field_group": delivery.field_group,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "outcome": None if delivery.outcome is None else dict(delivery.outcome),
        "created_at": iso(delivery.created_at),
        "sent_at": iso(delivery.sent_at),
        "finished_at": iso(delivery.finished_at),
    }


def _list(session: Session, tenant: str | None, states: tuple[WorkState, ...], limit: int) -> None:
    with session.store.read() as tx:
        tenant_id = chosen_tenant(tx, tenant).id if tenant else None
        found = deliveries_in(tx, tenant_id=tenant_id, states=states, limit=limit)
    rows = [
        (one.id, one.field_group, one.state.value, one.attempts, iso(one.created_at), _outcome(one)) for one in found
    ]
    session.out.document(
        [document(one) for one in found],
        lambda: session.out.table(
            ("id", "fields", "state", "tries", "since", "outcome"), rows, empty="There is no such delivery."
        ),
    )


def _outcome(delivery: Delivery) -> str:
    outcome = delivery.outcome or {}
    clause = f"clause {outcome['clause']}" if outcome.get("clause") else ""
    reason = str(outcome.get("reason") or "")
    return ", ".join(word for word in (outcome.get("result"), reason, "" if f"{clause}:" in reason else clause) if word)
