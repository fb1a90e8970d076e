"""`connector policy diff | announce | export`: what a version changes, telling everybody, and other engines."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector.cli.policy_folder import directory_option, known_policy
from connector.cli.session import Session, session_options
from connector.flows.announce_policy import announce_version, compared, version_named
from connector.policy import Change, notice
from connector.policy.cedar import to_cedar
from connector.policy.words import phrase


@click.command(epilog="Example: connector policy diff 2019-03-11 2027-01-01")
@click.argument("old")
@click.argument("new")
@directory_option
@session_options
def diff(session: Session, *, old: str, new: str, directory: Path | None) -> None:
    """Every combination that changes from one version to another, and the notice of it in plain words."""
    found = compared(known_policy(session, directory), old, new)
    words = notice(found, contact=_contact(session))
    value = {
        "older": found.older.name,
        "newer": found.newer.name,
        "widens": found.widens,
        **{kind: found.count(kind) for kind in ("opened", "eased", "closed")},
        "changes": [_plain(change) for change in found.changes],
        "notice": words,
    }

    def show() -> None:
        for change in found.changes:
            session.out.say(str(change))
        session.out.say("")
        session.out.say(words.rstrip())

    session.out.document(value, show)


@click.command(epilog="Example: connector policy announce 2027-01-01")
@click.argument("version")
@directory_option
@session_options
def announce(session: Session, *, version: str, directory: Path | None) -> None:
    """Tell everybody of a version before it takes effect. Without this, one that allows more does not start."""
    posted = announce_version(
        session.store,
        session.vault,
        known_policy(session, directory),
        version,
        window=session.settings.policy.notice_windows.changes,
        contact=session.settings.policy.controller.contact,
    )
    made = posted.announced

    def show() -> None:
        session.out.say("Announced." if posted.new else "Announced already; nothing was changed.")
        session.out.say(made.notice.rstrip())

    session.out.document({**asdict(made), "new": posted.new, "tenants": posted.tenants}, show)


@click.command(epilog="Example: connector policy export --cedar > policy.cedar")
@click.option("--cedar", is_flag=True, required=True, help="As a Cedar policy set, the one form there is.")
@click.option("--version", "name", help="Which version; else the newest.")
@directory_option
@session_options
def export(session: Session, *, cedar: bool, name: str | None, directory: Path | None) -> None:
    """A version in the language of another engine, for a second opinion."""
    del cedar  # says which form, and there is one
    found = known_policy(session, directory)
    version = found.versions[-1] if name is None else version_named(found, name)
    text = to_cedar(version)
    session.out.document({"version": version.name, "cedar": text}, lambda: session.out.say(text.rstrip()))


def _contact(session: Session) -> str:
    if session.config is None and not Path("connector.toml").is_file():
        return "the contact that [policy.controller] names"
    return session.settings.policy.controller.contact


def _plain(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "flow": str(change.use),
        "terms": change.terms,
        "owed": change.owed,
        "cells": change.cells,
        "boxes": [{name: sorted(words) for name, words in box.words.items()} for box in change.boxes],
        "words": [phrase(box) for box in change.boxes],
    }
