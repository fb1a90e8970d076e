"""`connector database`: the schema and its migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click
import sqlalchemy as sa

from connector import app
from connector.cli.keys import keys_of
from connector.cli.session import Session, session_options
from connector.flows.copy_database import Copying, CopyReport, Tell, copy_database, reopen, shown_url
from connector.model.errors import BadInput
from connector.settings import Settings, load
from connector.storage import Store, current_revision, head_revision, known_revisions, open_store
from connector.storage import upgrade as migrate
from vault import Vault, harden_process


@click.group()
def database() -> None:
    """The database: its schema, and bringing it up to date."""


@database.command(epilog="Example: connector database status")
@session_options
def status(session: Session) -> None:
    """Say which revision the schema is on, and which this version needs. Fails when it is behind or empty."""
    settings = load(session.config, key_needed=False)
    store = open_store(settings.database.url, session.clock)
    found, head = current_revision(store), head_revision()
    store.dispose()
    state = _state(found, head)
    value = {
        "database": sa.make_url(settings.database.url).render_as_string(hide_password=True),
        "dialect": store.dialect,
        "revision": found,
        "head": head,
        "state": state,
    }
    session.out.document(value, lambda: session.out.facts(value))
    if state in {"empty", "behind"}:
        raise click.exceptions.Exit(1)


@database.command(epilog="Example: connector database upgrade")
@session_options
def upgrade(session: Session) -> None:
    """Bring the schema to this version's revision. Nodes of the version before go on working on it."""
    store = open_store(load(session.config, key_needed=False).database.url, session.clock)
    before = current_revision(store)
    after = migrate(store)
    store.dispose()
    changed = before != after
    sentence = f"The schema is at revision {after} now." if changed else f"The schema is at revision {after} already."
    session.out.document({"before": before, "after": after, "changed": changed}, lambda: session.out.say(sentence))


@database.command(
    epilog="Example: connector database copy --to postgresql+psycopg://gateway@db.internal/connector, with PGPASSWORD "
    "set, so that the password stands in no list of processes"
)
@click.option("--to", metavar="URL", help="An empty database: SQLite or PostgreSQL.")
@click.option("--undo", is_flag=True, help="The copy is not used after all: let this database be served again.")
@session_options
def copy(session: Session, *, to: str | None, undo: bool) -> None:
    """Copy everything into another database, try it there, and set this one aside. End serve and workers first."""
    if (to is None) != undo:
        raise BadInput("what_to_copy", "Name the database to copy into with --to URL, or say --undo.")
    harden_process()
    settings = load(session.config)
    source = open_store(settings.database.url, session.clock)
    if to is None:
        done = reopen(source)
        source.dispose()
        sentence = "This database may be served again." if done else "This database was not set aside."
        session.out.document({"reopened": done}, lambda: session.out.say(sentence))
        return
    target = open_store(to, session.clock)
    try:
        with _steps(session) as tell:
            parts = Copying(source, target, session.clock, _vault_of(session, settings), keys_of, tell)
            report = copy_database(parts)
    finally:
        source.dispose()
        target.dispose()
    session.out.document(_copy_document(report, to), lambda: _show_copy(session, report, to))


def _vault_of(session: Session, settings: Settings) -> Callable[[Store], Vault]:
    def opened(store: Store) -> Vault:
        vault = app.open_vault(settings, session.clock)
        app.check_keys(store, vault)
        return vault

    return opened


@contextmanager
def _steps(session: Session) -> Iterator[Tell]:
    """One bar a step, with rate and remaining time."""
    with ExitStack() as bars:
        known: dict[str, Callable[[int, int], None]] = {}

        def tell(step: str, done: int, every: int) -> None:
            if step not in known:
                bars.close()
                known[step] = bars.enter_context(session.out.progress(step))
            known[step](done, every)

        yield tell


def _copy_document(report: CopyReport, to: str) -> dict[str, Any]:
    return {
        "to": shown_url(to),
        "rows": report.rows,
        "tables": [
            {"table": one.table, "rows": one.target_rows, "checksum": one.target_sum, "same": one.same}
            for one in report.tables
        ],
        "opened": sum(report.vault.checked.values()),
        "broken": report.vault.broken,
        "ledger": {"ok": report.ledger.ok, "size": report.ledger.size, "checkpoints": report.ledger.checkpoints},
    }


def _show_copy(session: Session, report: CopyReport, to: str) -> None:
    rows = [(one.table, one.source_rows, one.target_rows, one.target_sum[:16]) for one in report.tables]
    session.out.table(("table", "here", "there", "checksum"), rows, empty="")
    session.out.say(f"✓ {report.rows} rows, the same on both sides; {sum(report.vault.checked.values())} seals opened.")
    session.out.say(f"✓ The ledger verifies there: {report.ledger.size} entries.")
    session.out.say(f"Set database.url to {shown_url(to)} now. This database is set aside and is not served any more.")


def _state(found: str | None, head: str) -> str:
    if found is None:
        return "empty"
    if found == head:
        return "current"
    return "behind" if found in known_revisions() else "newer"
