"""`connector ledger`: recomputed, signed and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli.keys import own_keys, trusted_keys
from connector.cli.session import Session, session_options
from connector.clients import tenants as every_tenant
from connector.flows.evidence import sign_ledger
from connector.flows.export_ledger import export_tiles
from connector.ledger import Recorded, Report, get, open_intents
from connector.ledger import show as entries
from connector.ledger import verify as audit
from connector.model.errors import NotFound
from connector.model.instants import iso
from connector.people import pseudonym_of
from connector.storage import Transaction

_UNANSWERED = ("id", "kind", "work", "attempt")


@click.group()
def ledger() -> None:
    """The ledger: what happened, in a form that shows if it was changed afterwards."""


@ledger.command(epilog="Example: connector ledger verify --keys trusted-jwks.json")
@click.option(
    "--keys",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Public keys you kept elsewhere (a JWK set); else this gateway's own, which the vault guards.",
)
@session_options
def verify(session: Session, *, keys: Path | None) -> None:
    """Recompute every entry, subtree and checkpoint; name the first place that is wrong."""
    trusted = trusted_keys(keys) if keys else own_keys(session)
    with session.out.progress("Verifying") as tell, session.store.transaction() as tx:
        report = audit(tx, trusted, tell)
    value = {
        "ok": report.ok,
        "size": report.size,
        "waiting": report.waiting,
        "checkpoints": report.checkpoints,
        "signed_to": report.signed_to,
        "root": report.root.hex(),
        "problem": None if report.problem is None else {"place": report.problem.place, "what": report.problem.what},
        "unanswered": [dict(zip(_UNANSWERED, one, strict=True)) for one in report.unanswered],
    }
    session.out.document(value, lambda: _tell(session, report))
    if not report.ok:
        raise click.exceptions.Exit(1)


@ledger.command(epilog="Example: connector ledger checkpoint --tiles /srv/ledger > checkpoint.txt")
@click.option(
    "--tiles",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the tree there as files (C2SP tlog-tiles), for mirrors and witnesses; again: only what is new.",
)
@session_options
def checkpoint(session: Session, *, tiles: Path | None) -> None:
    """Give waiting entries their place, sign the tree, and print the checkpoint: keep it on another machine."""
    gateway = session.gateway
    written: int | None = None
    if tiles is None:
        with gateway.store.transaction() as tx:
            note = sign_ledger(gateway, tx)
    else:
        with session.out.progress("Writing") as tell:
            note, written = export_tiles(gateway, tiles, lambda done: tell(done, done))
    origin, size, root, *_ = note.split("\n")
    value = {"origin": origin, "size": int(size), "root": root, "note": note}
    if written is not None:
        value |= {"tiles": str(tiles), "files_written": written}
    session.out.document(value, lambda: click.echo(note, nl=False))


@ledger.command(epilog="Example: connector ledger show --user usr_… --limit 20")
@click.option("--user", help="Only this person's (sub).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--open", "unanswered", is_flag=True, help="Only what was begun outside and has no outcome yet.")
@session_options
def show(session: Session, *, user: str | None, limit: int, unanswered: bool) -> None:
    """Print entries, the newest first. They hold ids and counts, no personal data."""
    with session.store.read() as tx:
        whose = _pseudonym(tx, user) if user else None
        found = _intents(tx, whose, limit) if unanswered else entries(tx, whose, limit)
    rows = [(one.id, iso(one.at), one.kind, one.pseudonym, _facts(one)) for one in found]
    session.out.document(
        [_document(one) for one in found],
        lambda: session.out.table(("id", "at", "kind", "person", "facts"), rows, empty="Nothing has happened yet."),
    )


def _intents(tx: Transaction, pseudonym: str | None, limit: int) -> list[Recorded]:
    """Attempts without an outcome: under way, or cut off. A worker enters `unknown` for those that were cut off."""
    found = [get(tx, intent.entry_id) for intent in open_intents(tx, limit)]
    return [one for one in reversed(found) if one is not None and pseudonym in {None, one.pseudonym}]


def _pseudonym(tx: Transaction, sub: str) -> str:
    """The random word that stands for the person. Raises NotFound where none does, or none does any more."""
    for tenant in every_tenant(tx):
        found = pseudonym_of(tx, tenant.id, sub)
        if found is not None:
            return found
    raise NotFound("user, or an erased one: nothing leads from them to the ledger", code="unknown_user")


def _tell(session: Session, report: Report) -> None:
    session.out.facts(
        {
            "entries": report.size,
            "waiting for a place": report.waiting,
            "checkpoints": report.checkpoints,
            "signed up to": report.signed_to,
            "begun and without an outcome": len(report.unanswered),
            "root": report.root.hex(),
        }
    )
    for entry, kind, work, attempt in report.unanswered:
        session.out.say(f"  entry {entry}: {kind} of {work}, attempt {attempt}: under way, or cut off")
    session.out.say(f"✗ {report.problem}" if report.problem else "✓ Nothing was changed, moved or removed.")


def _document(entry: Recorded) -> dict[str, Any]:
    return {
        "id": entry.id,
        "tree_index": entry.tree_index,
        "at": iso(entry.at),
        "tenant": entry.tenant_id,
        "pseudonym": entry.pseudonym,
        "kind": entry.kind,
        "facts": dict(entry.facts),
    }


def _facts(entry: Recorded) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(entry.facts.items()))
