"""`connector policy`: the privacy policy as a program, proven and listed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.policy_explain import explain
from connector.cli.policy_folder import directory_option, known_policy, places
from connector.cli.policy_versions import announce, diff, export
from connector.cli.session import Session, session_options
from connector.policy import Report
from connector.policy import check as prove_all
from connector.policy import flows as possible


@click.group()
def policy() -> None:
    """The privacy policy: its rules are proven in every combination."""


for _command in (explain, diff, announce, export):
    policy.add_command(_command)


@policy.command(epilog="Example: connector policy check --directory ./policy")
@directory_option
@session_options
def check(session: Session, *, directory: Path | None) -> None:
    """Prove every version over the whole space of combinations; fails on any broken promise."""
    report = prove_all(*places(session, directory))
    value = {
        "version": report.version,
        "combinations": report.combinations,
        "allowed": report.allowed,
        "flows_possible": report.flows_possible,
        "invariants": report.invariants,
        "terms": dict(report.terms),
        "violations": [asdict(one) for one in report.violations],
        "seconds": report.seconds,
        "sha256": report.sha256,
    }
    session.out.document(value, lambda: _show(session, report))
    if not report.sound:
        raise click.exceptions.Exit(1)


@policy.command(epilog="Example: connector policy flows")
@directory_option
@session_options
def flows(session: Session, *, directory: Path | None) -> None:
    """List everything that can happen at all, with the clauses that allow it."""
    found = possible(known_policy(session, directory))
    rows = [(f"{one.action} {one.recipient} {one.purpose}", one.clauses, one.categories, one.meaning) for one in found]
    session.out.document(
        [asdict(one) for one in found],
        lambda: session.out.table(("flow", "clauses", "information", "in words"), rows, empty="Nothing can happen."),
    )


def _show(session: Session, report: Report) -> None:
    session.out.facts(
        {
            "version": report.version,
            "combinations": f"{report.combinations:,}",
            "allowed": f"{report.allowed:,}",
            "flows possible": report.flows_possible,
            "promises checked": report.invariants,
            "seconds": report.seconds,
            **{f"allowed under {name}": f"{allowed:,}" for name, allowed in report.terms.items()},
        }
    )
    for violation in report.violations:
        session.out.say(f"✗ {violation}")
    if report.sound:
        session.out.say("✓ Every promise holds in every combination.")
