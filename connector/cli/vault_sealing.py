"""`connector vault seal`: the last step of an upgrade."""

from __future__ import annotations

from dataclasses import asdict

import click

from connector import app
from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.flows.seal_rows import seal_rows
from vault import harden_process


@click.command("seal", epilog="Example: connector vault seal, once every node runs the new version")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def seal_command(session: Session, *, yes: bool) -> None:
    """Seal the rows that an older version left without a seal, and take none without it from then on."""
    confirmed("Does every process of the gateway run this version?", yes=yes or session.out.as_json)
    harden_process()
    vault = app.open_vault(session.settings, session.clock)
    app.check_keys(session.store, vault)
    done = seal_rows(session.store, vault)
    sentence = (
        "✓ Every row carries its seal already." if done.before else f"✓ {done.rows} rows sealed; none counts without."
    )
    session.out.document(asdict(done), lambda: session.out.say(sentence))
