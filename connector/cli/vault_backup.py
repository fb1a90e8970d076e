"""`connector vault backup` and `restore`: a copy that can be trusted, and back without undoing what happened since."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector import app
from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.flows.backup import Made, back_up, read_manifest
from connector.flows.outside import outside_of
from connector.flows.restore import Settled, have_keys, put_in_place, settle
from connector.model.errors import BadInput
from connector.storage import open_store, upgrade
from vault import KeySource, harden_process


@click.command("backup", epilog="Example: connector vault backup /backups/2026-11-22 --check")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--check", is_flag=True, help="Open every tenant's canary and one record in a hundred in the copy.")
@session_options
def backup_command(session: Session, *, folder: Path, check: bool) -> None:
    """Copy the database while it works, with a manifest. Never the key: that belongs elsewhere."""
    outside = outside_of(session.settings)
    if outside is not None:
        outside.note(session.store)
    with session.out.progress("Checking") as tell:
        made = back_up(session.store, session.vault, folder.resolve(), check=check, tell=tell)
    session.out.document(_document(made, folder), lambda: _show(session, made, folder))
    if made.to_do or not made.sound:
        raise click.exceptions.Exit(1)


@click.command(
    "restore",
    epilog="Examples: connector vault restore /backups/monday; after pg_restore: connector vault restore --in-place",
)
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option("--replace", is_flag=True, help="Move aside a database that holds data; it is not deleted.")
@click.option("--in-place", is_flag=True, help="The database is back already, by tools of its own: do the rest.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def restore_command(session: Session, *, folder: Path | None, replace: bool, in_place: bool, yes: bool) -> None:
    """Put a backup in place, end again what was ended since, show no stale refresh token. Stop the gateway first."""
    if folder is None and not in_place:
        raise BadInput(
            "no_folder", "Name the folder of a backup, or say --in-place for a database that is back already."
        )
    confirmed("Is every process of the gateway stopped?", yes=yes or session.out.as_json)
    harden_process()
    source = app.key_source(session.settings)
    before = _put(session, folder, source, replace=replace, in_place=in_place)
    _upgrade(session)
    settled = settle(session.gateway, outside_of(session.settings))
    value = {"moved_aside": None if before is None else str(before), **asdict(settled)}
    session.out.document(value, lambda: _tell(session, settled, before))


def _put(session: Session, folder: Path | None, source: KeySource, *, replace: bool, in_place: bool) -> Path | None:
    if in_place:
        if folder is not None:
            have_keys(read_manifest(folder), source)
        return None
    if folder is None:
        raise BadInput("no_folder", "Name the folder of a backup.")
    return put_in_place(folder, session.settings.database.url, source, session.clock, replace=replace)


def _upgrade(session: Session) -> None:
    """A backup may be older than this version's schema."""
    store = open_store(session.settings.database.url, session.clock)
    upgrade(store)
    store.dispose()


def _document(made: Made, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "manifest": asdict(made.manifest),
        "to_do": made.to_do,
        "checked": None if made.report is None else made.report.checked.total(),
        "broken": None if made.report is None else made.report.broken,
        "findings": [finding.sentence for finding in made.findings],
        "ok": made.sound and made.to_do is None,
    }


def _show(session: Session, made: Made, folder: Path) -> None:
    manifest = made.manifest
    session.out.facts({"backup": folder, "needs keys": list(manifest.keks), "ledger": manifest.high_water})
    if made.to_do:
        session.out.say(f"… {made.to_do}")
    for finding in made.findings:
        session.out.say(f"✗ {finding.sentence}")
    if made.report is not None:
        session.out.say(
            f"{'✗' if made.report.broken else '✓'} {made.report.checked.total()} records tried, "
            f"{made.report.broken} do not open."
        )
    session.out.say("The key is not part of it. Keep the key file, and the files beside it, somewhere else.")


def _tell(session: Session, settled: Settled, before: Path | None) -> None:
    session.out.facts(
        {
            "moved aside": before,
            "serving until they expire": settled.serving,
            "waiting for their person": settled.needs_reauth,
            "revoked again": settled.revoked,
            "people erased again": settled.erased,
            "keys destroyed again": settled.destroyed,
            "waiting imports void": settled.imports,
            "waiting deliveries void": settled.deliveries,
            "waiting letters void": settled.letters,
            "connections without their seal": settled.unreadable,
        }
    )
    session.out.say(
        "✓ The database is back. Start the gateway, and look: connector connections list --state needs_reauth"
    )
