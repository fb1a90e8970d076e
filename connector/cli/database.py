"""`connector database`: the schema and its migrations."""

from __future__ import annotations

import click
import sqlalchemy as sa

from connector.cli.session import Session, session_options
from connector.settings import load
from connector.storage import current_revision, head_revision, known_revisions, open_store
from connector.storage import upgrade as migrate


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


def _state(found: str | None, head: str) -> str:
    if found is None:
        return "empty"
    if found == head:
        return "current"
    return "behind" if found in known_revisions() else "newer"
