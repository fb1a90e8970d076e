"""`connector doctor`: looks at everything a start needs, and says how to mend what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from connector.cli.checks import (
    Check,
    Patient,
    clocks,
    database,
    files,
    keys,
    policy,
    processes,
    redis_server,
    settings_of,
)
from connector.cli.provider_checks import providers
from connector.cli.session import Session, session_options
from connector.model.errors import ConnectorError
from vault import KeySourceError

MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
LOOKS: tuple[Callable[[Patient], Iterator[Check]], ...] = (
    files,
    keys,
    database,
    clocks,
    policy,
    processes,
    redis_server,
    providers,
)


@click.command(epilog="Example: connector doctor --config /etc/connector/connector.toml")
@session_options
def doctor(session: Session) -> None:
    """Check settings, keys, clocks, database, Redis and providers; say how to mend what is wrong."""
    found: list[Check] = []
    for check in _examined(session):
        found.append(check)
        session.out.say(f"{MARKS[check.status]} {check.name}: {check.words}")
        if check.mend:
            session.out.say(f"  → {check.mend}")
    ok = all(check.status != "fail" for check in found)
    value = {
        "ok": ok,
        "checks": [
            {"name": one.name, "status": one.status, "words": one.words, "mend": one.mend or None} for one in found
        ],
    }
    session.out.document(value, lambda: session.out.say(_verdict(found)))
    if not ok:
        raise click.exceptions.Exit(1)


def _examined(session: Session) -> Iterator[Check]:
    settings, checks = settings_of(session.config)
    yield from checks
    if settings is None:
        return
    patient = Patient(settings, session.clock)
    try:
        for look in LOOKS:
            try:
                yield from look(patient)
            except ConnectorError as error:
                yield Check(look.__name__.replace("_", " "), "fail", "cannot be looked at.", error.hint)
            except KeySourceError as error:
                yield Check(look.__name__.replace("_", " "), "fail", "cannot be looked at without keys.", error.mend)
    finally:
        patient.close()


def _verdict(found: list[Check]) -> str:
    failed = sum(check.status == "fail" for check in found)
    warned = sum(check.status == "warn" for check in found)
    if failed:
        return f"\n{failed} of {len(found)} checks failed: mend them before the start."
    return f"\nAll is well{f', with {warned} warnings' if warned else ''}."
