"""`connector receipts`: checked offline, without trusting our database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli.keys import trusted_keys
from connector.cli.session import Session, session_options
from connector.ledger import Verdict, verify_file
from connector.model.errors import BadInput


@click.group()
def receipts() -> None:
    """Receipts: files that prove what was recorded, and when."""


@receipts.command(epilog="Example: connector receipts verify receipt.json --keys jwks.json")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keys",
    type=click.Path(path_type=Path),
    help="The gateway's public keys (its /oauth/jwks), which you trust; else only those inside the file.",
)
@session_options
def verify(session: Session, *, file: Path, keys: Path | None) -> None:
    """Check a receipt offline: signature, commitment, checkpoint, proof. Needs no settings and no network."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput("file_unreadable", f"{file} cannot be read; name the receipt's file.") from error
    verdict = verify_file(data, trusted_keys(keys) if keys else None)
    session.out.document(_document(verdict), lambda: _show(session, verdict))
    if not verdict.valid:
        raise click.exceptions.Exit(1)


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "valid": verdict.valid,
        "trusted": verdict.trusted,
        "checks": [{"name": one.name, "passed": one.passed, "words": one.words} for one in verdict.checks],
        "origin": verdict.origin,
        "kids": list(verdict.kids),
        "body": None if verdict.body is None else dict(verdict.body),
    }


def _show(session: Session, verdict: Verdict) -> None:
    for check in verdict.checks:
        session.out.say(f"{'✓' if check.passed else '✗'} {check.name}: {check.words}")
    if verdict.body is None:
        session.out.say("This is no valid receipt.")
        return
    session.out.say("")
    flat = {name.replace("_", " "): value for name, value in verdict.body.items() if not isinstance(value, dict)}
    session.out.facts(flat)
    if not verdict.trusted:
        session.out.say("The file is whole. Who made it shows only with --keys and a key set you trust.")
