"""`connector reports`: how the service is used, in figures that name nobody."""

from __future__ import annotations

import click

from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenant, tenant_option
from connector.flows.reports import ACTIVITIES
from connector.flows.reports import usage as usage_of


@click.group()
def reports() -> None:
    """Reports: figures above the threshold, and nothing about anybody."""


@reports.command(epilog="Example: connector reports usage")
@tenant_option
@session_options
def usage(session: Session, *, tenant: str | None) -> None:
    """People per month and activity. Small groups are not said, figures are rounded down to the threshold."""
    with session.store.read() as tx:
        chosen = chosen_tenant(tx, tenant)
    report = usage_of(session.gateway, chosen.id)
    rows = [(month, *(figures[one] for one in ACTIVITIES)) for month, figures in report.rows.items()]

    def show() -> None:
        session.out.table(("month", *ACTIVITIES), rows, empty="Nothing yet.")
        session.out.say(f"Rounded down to {report.threshold}; - is a group smaller than that (clause {report.clause}).")

    session.out.document(
        {
            "threshold": report.threshold,
            "clause": report.clause,
            "months": {m: dict(f) for m, f in report.rows.items()},
        },
        show,
    )
