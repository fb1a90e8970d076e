"""`connector providers`: what each provider can do, and what it cannot, in words."""

from __future__ import annotations

import click

from connector.cli.session import Session, session_options
from connector.model.errors import NotFound
from providers import catalogue
from providers.catalogue import CAPABILITIES, Entry


@click.group()
def providers() -> None:
    """Providers: what each can do. Needs no settings."""


@providers.command("list", epilog="Example: connector providers list --json")
@session_options
def list_(session: Session) -> None:
    """List every provider and its capabilities."""
    entries = [catalogue.entry(name) for name in catalogue.names()]
    rows = [
        (one.name, *(("yes" if one.can(word) else "no") for word in CAPABILITIES), one.verified_on) for one in entries
    ]
    columns = ("name", *(word.replace("_", " ") for word in CAPABILITIES), "verified on")
    session.out.document(
        [one.as_json() for one in entries], lambda: session.out.table(columns, rows, empty="None are shipped.")
    )


@providers.command(epilog="Example: connector providers show facebook")
@click.argument("name")
@session_options
def show(session: Session, *, name: str) -> None:
    """Show one: its endpoints, its scopes, what it can do and what it lacks, in words."""
    if name not in catalogue.names():
        raise NotFound(f"provider as {name!r}; there are: {', '.join(catalogue.names())}", code="unknown_provider")
    entry = catalogue.entry(name)
    session.out.document(entry.as_json(), lambda: _show(session, entry))


def _show(session: Session, entry: Entry) -> None:
    session.out.facts(
        {
            "provider": entry.title,
            "protocol": entry.protocol,
            "authorization endpoint": entry.authorization_endpoint or "by discovery",
            "token endpoint": entry.token_endpoint or "by discovery",
            "revocation endpoint": entry.revocation_endpoint or "by discovery, or none",
            "userinfo endpoint": entry.userinfo_endpoint or "by discovery, or none",
            "PKCE": entry.pkce,
            "refresh tokens": entry.refresh.model,
            "facts verified on": f"{entry.verified_on}, {entry.source}",
        }
    )
    session.out.say("")
    rows = [(word.replace("_", " "), "yes" if entry.can(word) else "no", _words(entry, word)) for word in CAPABILITIES]
    session.out.table(("can", "", "in words"), rows, empty="")
    session.out.say("")
    scopes = [(name, scope.words, scope.imports, scope.writes) for name, scope in entry.scopes.items()]
    session.out.table(("scope", "opens", "imports", "writes"), scopes, empty="It has no scopes of its own.")
    if entry.settings:
        session.out.say("")
        session.out.table(("setting", "in words"), list(entry.settings.items()), empty="")


def _words(entry: Entry, capability: str) -> str:
    return entry.lacks.get(capability) or entry.conditions.get(capability, "")
