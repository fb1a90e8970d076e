"""`connector policy`: the privacy policy as a program, proven and listed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.session import Session, session_options
from connector.policy import Report, load_policy
from connector.policy import check as prove_all
from connector.policy import flows as possible
from connector.settings import load, shipped


@click.group()
def policy() -> None:
    """The privacy policy: its rules are proven in every combination."""


directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of policy versions; else the one in the settings, else those shipped.",
)


@policy.command(epilog="Example: connector policy check --directory ./policy")
@directory_option
@session_options
def check(session: Session, *, directory: Path | None) -> None:
    """Prove every version over the whole space of combinations; fails on any broken promise."""
    report = prove_all(_directory(session, directory))
    value = {
        "version": report.version,
        "combinations": report.combinations,
        "allowed": report.allowed,
        "flows_possible": report.flows_possible,
        "invariants": report.invariants,
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
    found = possible(load_policy(_directory(session, directory)))
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
        }
    )
    for violation in report.violations:
        session.out.say(f"✗ {violation}")
    if report.sound:
        session.out.say("✓ Every promise holds in every combination.")


def _directory(session: Session, given: Path | None) -> Path:
    """The folder named, else the configured one; the shipped one where there are no settings at all."""
    if given is not None:
        return given
    if session.config is None and not Path("connector.toml").is_file():
        return shipped("policy")
    return load(session.config, key_needed=False).policy.directory or shipped("policy")
