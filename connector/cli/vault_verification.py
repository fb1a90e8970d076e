"""`connector vault verify`: everything opened, before it is needed."""

from __future__ import annotations

from typing import Any

import click

from connector import app
from connector.cli.session import Session, session_options
from connector.flows.verify_vault import verify_vault
from vault import harden_process
from vault.start_checks import Finding
from vault.verification import Report


@click.command("verify", epilog="Example: connector vault verify --rate 500 --json, every night")
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=2_000,
    show_default=True,
    help="At most so many a second, so that others are not kept waiting.",
)
@session_options
def verify_command(session: Session, *, rate: float) -> None:
    """Open every record and check every row's seal; count what does not open, by its kind."""
    harden_process()
    vault = app.open_vault(session.settings, session.clock)
    with session.store.read() as tx:
        findings = vault.check(tx)
    with session.out.progress("Verifying") as tell:
        report = verify_vault(
            session.store, vault, session.clock, per_second=rate, tell=lambda _place, done, every: tell(done, every)
        )
    session.out.document(_document(report, findings), lambda: _show(session, report, findings))
    if report.broken or findings:
        raise click.exceptions.Exit(1)


def _document(report: Report, findings: list[Finding]) -> dict[str, Any]:
    return {
        "ok": not report.broken and not findings,
        "checked": dict(report.checked),
        "problems": {place: dict(kinds) for place, kinds in report.problems.items()},
        "broken": report.broken,
        "destroyed": report.destroyed,
        "first": [{"place": one.place, "kind": one.kind, "row": one.row} for one in report.shown],
        "findings": [{"code": one.code, "sentence": one.sentence} for one in findings],
    }


def _show(session: Session, report: Report, findings: list[Finding]) -> None:
    rows = [
        (place, many, " ".join(f"{kind}={count}" for kind, count in report.problems.get(place, {}).items()))
        for place, many in report.checked.items()
    ]
    session.out.table(("sealed in", "checked", "does not open"), rows, empty="Nothing is sealed yet.")
    for finding in findings:
        session.out.say(f"✗ {finding.sentence}")
    for one in report.shown:
        session.out.say(f"✗ {one.place} {one.row}: {one.kind}")
    if not report.broken and not findings:
        session.out.say("✓ Everything opens, and every row carries its seal.")
