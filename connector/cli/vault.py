"""`connector vault`: keys, counted and tried."""

from __future__ import annotations

from typing import Any

import click

from connector import app
from connector.cli.session import Session, session_options
from connector.cli.vault_backup import backup_command, restore_command
from connector.cli.vault_rotation import job_document, rotate_command
from connector.cli.vault_sealing import seal_command
from connector.cli.vault_verification import verify_command
from connector.flows.key_epochs import Calendar, Waiting, calendar
from connector.flows.seal_rows import seals_demanded
from connector.model.instants import iso
from vault import harden_process
from vault.inventory import Inventory, inventory
from vault.jobs import newest_jobs
from vault.start_checks import Finding


@click.group()
def vault() -> None:
    """The vault: which keys there are, and whether they open."""


@vault.command(epilog="Example: connector vault status --json")
@session_options
def status(session: Session) -> None:
    """Count the keys, open each tenant's, and name everything that does not open."""
    harden_process()
    opened = app.open_vault(session.settings, session.clock)
    with session.store.read() as tx:
        found, findings, jobs = inventory(tx), opened.check(tx), newest_jobs(tx)
        dates = calendar(session.settings, tx, app.key_source(session.settings))
        sealed = seals_demanded(tx, opened)
    value = {
        "source": session.settings.vault.kek.partition(":")[0],
        "tenant_keys": dict(found.tenant_keys),
        "data_keys": dict(found.data_keys),
        "destroyed": dict(found.destroyed),
        "rotations": [job_document(job) for job in jobs],
        "epoch": dates.document(),
        "seals_demanded": sealed,
        "ok": not findings,
        "findings": [{"code": one.code, "sentence": one.sentence} for one in findings],
    }
    session.out.document(value, lambda: _show(session, found, findings, dates, sealed=sealed))
    if findings:
        raise click.exceptions.Exit(1)


vault.add_command(rotate_command)
vault.add_command(verify_command)
vault.add_command(backup_command)
vault.add_command(restore_command)
vault.add_command(seal_command)


def _show(session: Session, found: Inventory, findings: list[Finding], dates: Calendar, *, sealed: bool) -> None:
    facts: dict[str, Any] = {f"tenant keys under {kek}": many for kek, many in found.tenant_keys.items()}
    facts |= {f"data keys of {kind}": many for kind, many in found.data_keys.items()}
    facts |= {f"destroyed keys of {kind}": many for kind, many in found.destroyed.items()}
    facts |= {"keys in use since": iso(dates.began_at), "rotation due": iso(dates.due_at)}
    facts |= {f"{one.kek_id}, retired, to be forgotten from": _from(one) for one in dates.retired}
    session.out.facts({"key source": session.settings.vault.kek, **facts})
    if dates.overdue:
        session.out.say("… The keys are to be replaced: connector vault rotate --due, by a timer.")
    if not sealed:
        session.out.say("… Rows of an older version count without their seal. Once every node runs this one, run:")
        session.out.say("  connector vault seal")
    for finding in findings:
        session.out.say(f"✗ {finding.sentence}")
    if not findings:
        session.out.say("✓ Every key in use opens.")


def _from(one: Waiting) -> str:
    return iso(one.forget_from) or "a date that vault.backup_retention would give"
