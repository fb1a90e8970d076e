"""`connector vault rotate`: other keys, while the gateway works."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connector import app, work
from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.flows.rotate_keys import Outcome, Parts, Tell, rotate
from connector.model.errors import BadInput, Misconfigured
from vault import GrowingKeySource, KeySource, KeySourceError, Vault, harden_process, open_source
from vault.jobs import Job, Kind, Phase

SEEN_WITHIN_MS = 60_000


@click.command(
    "rotate",
    epilog="Examples: connector vault rotate; connector vault rotate --what both; connector vault rotate --forget 1",
)
@click.option("--to", metavar="KEK", help="The name of the key that is to wrap; absent: the next number.")
@click.option(
    "--what",
    type=click.Choice(["kek", "tenant-keys", "both"]),
    default="kek",
    show_default=True,
    help="The key in the key file, every tenant's own key, or one after the other (what lets old backups expire).",
)
@click.option("--distributed", is_flag=True, help="Every host has the new key file.")
@click.option("--forget", metavar="KEK", help="Destroy a retired key for good: backups from its time open never more.")
@click.option("--yes", is_flag=True, help="Do not ask before forgetting.")
@session_options
def rotate_command(
    session: Session, *, to: str | None, what: str, distributed: bool, forget: str | None, yes: bool
) -> None:
    """Bring every key under a newer one. Handouts go on; cut it off at any time, and run it again to go on."""
    harden_process()
    source = _source(session)
    vault = app.open_vault(session.settings, session.clock, source)
    if forget is not None:
        _forget(session, source, forget, yes=yes)
        return
    if to is not None and what == "tenant-keys":
        raise BadInput("to_without_kek", "--to names a key for --what kek or both; tenants' keys have no names.")
    kinds: dict[str, tuple[Kind, ...]] = {
        "kek": ("kek",),
        "tenant-keys": ("tenant_keys",),
        "both": ("kek", "tenant_keys"),
    }
    outcomes: list[Outcome] = []
    for kind in kinds[what]:
        outcomes.append(_run(session, vault, source, kind, to, distributed=distributed))
        if not outcomes[-1].finished:
            break
    session.out.document([_document(one) for one in outcomes], lambda: _show(session, outcomes))
    if not outcomes[-1].finished:
        raise click.exceptions.Exit(1)


def _run(
    session: Session, vault: Vault, source: KeySource, kind: Kind, to: str | None, *, distributed: bool
) -> Outcome:
    others = frozenset() if distributed else _other_hosts(session)
    with _progress(session) as tell:
        parts = Parts(session.store, vault, source, platform.node(), tell)
        return rotate(parts, kind, to=to, other_hosts=others)


def _source(session: Session) -> KeySource:
    try:
        return open_source(session.settings.vault.kek)
    except KeySourceError as error:
        raise Misconfigured("key_source", f"{error.what} {error.mend}") from error


def _other_hosts(session: Session) -> frozenset[str]:
    """Where gateways run that may have a key file of their own."""
    with session.store.read() as tx:
        since = tx.now() - SEEN_WITHIN_MS
        hosts = {process.host for process in work.known(tx) if process.seen_at >= since}
    return frozenset(hosts - {platform.node()})


def _forget(session: Session, source: KeySource, name: str, *, yes: bool) -> None:
    if not isinstance(source, GrowingKeySource):
        raise BadInput("not_here", "This key source is changed where it is kept; remove the key there.")
    confirmed(f"Destroy the key {name}? Backups from its time can then be opened by nobody.", yes=yes)
    try:
        source.forget(name)
    except KeySourceError as error:
        raise BadInput("unknown_key", f"{error.what} {error.mend}") from error
    session.out.document({"forgotten": name}, lambda: session.out.say(f"✓ The key {name} is gone from the key file."))


@contextmanager
def _progress(session: Session) -> Iterator[Tell]:
    """A bar for each phase, with rate and remaining time; lines now and then where nobody sees a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=session.out.as_json or not console.is_terminal) as bar:
        tasks: dict[str, tuple[Any, float, int]] = {}

        def tell(phase: Phase, done: int, total: int) -> None:
            now = time.monotonic()
            if phase not in tasks:
                tasks[phase] = (bar.add_task(phase, total=None, rate=""), now, done)
            task, began, first = tasks[phase]
            rate = f"{(done - first) / (now - began):,.0f}/s" if now > began and done > first else ""
            bar.update(task, completed=done, total=total or None, rate=rate)

        yield tell


def _document(outcome: Outcome) -> dict[str, Any]:
    return job_document(outcome.job) | {"finished": outcome.finished, "to_do": outcome.to_do}


def job_document(job: Job) -> dict[str, Any]:
    """A rotation for machines."""
    return {
        "id": job.id,
        "kind": job.kind,
        "to": job.to_kek or None,
        "from": list(job.from_keks),
        "phase": job.phase,
        "total": job.total,
        "done": job.done,
        "failed": job.failed,
    }


def _show(session: Session, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        job = outcome.job
        what = f"the KEK, to {job.to_kek}" if job.kind == "kek" else "the tenants' keys"
        if outcome.finished:
            session.out.say(f"✓ Rotated {what}: {job.done} keys rewrapped, each of them tried.")
            if job.from_keks:
                session.out.say(f"  {', '.join(job.from_keks)}: retired, kept for backups made before.")
        else:
            session.out.say(f"… Rotating {what} stands at “{job.phase}”. {outcome.to_do}")
