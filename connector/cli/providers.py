"""`connector providers`: what each provider can do, and what it cannot, in words."""

from __future__ import annotations

from typing import get_args

import click

from connector.cli.session import Session, session_options
from connector.model.errors import NotFound
from providers import catalogue
from providers.catalogue import CAPABILITIES, Entry
from providers.entries.values import Sector

_SHORT = {  # one word each, so that two hundred providers fit a screen's width
    "refresh": "refresh",
    "revoke": "revoke",
    "import_profile": "profile",
    "import_contacts": "contacts",
    "write_back": "write",
    "signals": "signals",
}


@click.group()
def providers() -> None:
    """Providers: what each can do. Needs no settings."""


@providers.command("list", epilog="Example: connector providers list spot --can refresh")
@click.argument("word", required=False, default="")
@click.option("--can", multiple=True, type=click.Choice(tuple(CAPABILITIES)), help="Only those that can do this too.")
@click.option("--sector", type=click.Choice(get_args(Sector)), help="Only those of one kind.")
@session_options
def list_(session: Session, *, word: str, can: tuple[str, ...], sector: str | None) -> None:
    """List providers and what they can do: all, or those with WORD in their name."""
    entries = [
        one
        for one in map(catalogue.entry, catalogue.names())
        if word.lower() in f"{one.name} {one.title.lower()}"
        and all(map(one.can, can))
        and (sector is None or one.sector == sector)
    ]
    session.out.document([one.as_json() for one in entries], lambda: _list(session, entries))


def _list(session: Session, entries: list[Entry]) -> None:
    rows = [
        (one.name, one.title, one.sector, [short for word, short in _SHORT.items() if one.can(word)], one.verified_on)
        for one in entries
    ]
    session.out.table(("name", "title", "sector", "besides sign-in", "verified on"), rows, empty="None is like that.")
    if len(rows) > 1:
        session.out.say(f"\n{len(rows)} providers. One in full: connector providers show {rows[0][0]}")


@providers.command(epilog="Example: connector providers show facebook")
@click.argument("name")
@session_options
def show(session: Session, *, name: str) -> None:
    """Show one: how to register an app, its endpoints, its scopes, what it can do and what it lacks, in words."""
    if name not in catalogue.names():
        raise NotFound(f"provider as {name!r}; {catalogue.nearest(name)}", code="unknown_provider")
    entry = catalogue.entry(name)
    session.out.document(entry.as_json(), lambda: _show(session, entry))


def _show(session: Session, entry: Entry) -> None:
    by_discovery = "by discovery" if entry.protocol == "openid" else "none"
    session.out.facts(
        {
            "provider": entry.title,
            "protocol": entry.protocol,
            "authorization endpoint": entry.authorization_endpoint or by_discovery,
            "token endpoint": entry.token_endpoint or by_discovery,
            "revocation endpoint": entry.revocation_endpoint or by_discovery,
            "userinfo endpoint": entry.userinfo_endpoint or by_discovery,
            "client authentication": list(entry.token.authentication) or by_discovery,
            "PKCE": entry.pkce,
            "refresh tokens": entry.refresh.model,
            "a revocation ends": entry.revocation_scope,
            "facts verified on": f"{entry.verified_on}, {', '.join(entry.sources)}",
        }
    )
    _register(session, entry)
    session.out.say("")
    rows = [(word.replace("_", " "), "yes" if entry.can(word) else "no", _words(entry, word)) for word in CAPABILITIES]
    session.out.table(("can", "", "in words"), rows, empty="")
    session.out.say("")
    scopes = [(name, scope.words, scope.imports, scope.writes) for name, scope in entry.scopes.items()]
    session.out.table(("scope", "opens", "imports", "writes"), scopes, empty="It has no scopes of its own.")
    if entry.settings:
        session.out.say("")
        session.out.table(("setting", "in words"), list(entry.settings.items()), empty="")
    if entry.quirks:
        session.out.say("")
        session.out.table(("since", "it is odd that"), [(one.on, one.words) for one in entry.quirks], empty="")


def _register(session: Session, entry: Entry) -> None:
    where = entry.registration
    if where.url or where.steps:
        session.out.say(f"\nTo register an app{f': {where.url}' if where.url else ':'}")
    for number, step in enumerate(where.steps, 1):
        session.out.say(f"  {number}. {step}")
    if where.words:
        session.out.say(f"  {where.words}")


def _words(entry: Entry, capability: str) -> str:
    return entry.lacks.get(capability) or entry.conditions.get(capability, "")
