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
from connector.cli.key_moving import goal_of, unneeded
from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.flows.key_epochs import BOTH, due_kinds, forget_due
from connector.flows.rotate_keys import key_named, rotate
from connector.flows.rotation_parts import Outcome, Parts, Tell
from connector.model.errors import BadInput
from vault import GrowingKeySource, KeySource, KeySourceError, Vault, harden_process
from vault.jobs import Job, Kind, Phase

SEEN_WITHIN_MS = 60_000
_KINDS: dict[str, tuple[Kind, ...]] = {
    "kek": ("kek",),
    "tenant-keys": ("tenant_keys",),
    "both": BOTH,
    "indexes": ("indexes",),
}
_WHAT: dict[Kind, str] = {"tenant_keys": "the tenants' keys", "indexes": "the index keys"}


@click.command(
    "rotate",
    epilog="Examples: connector vault rotate; connector vault rotate --what both; connector vault rotate --forget 1",
)
@click.option("--to", metavar="KEK", help="The key that is to wrap: its name, or a key source; absent: the next.")
@click.option(
    "--what",
    type=click.Choice(["kek", "tenant-keys", "both", "indexes"]),
    default="kek",
    show_default=True,
    help="The key in the key file, every tenant's own key, one after the other (what lets old backups expire), or the"
    " keys of the blind indexes by which accounts are found.",
)
@click.option("--distributed", is_flag=True, help="Every host has the new key file.")
@click.option("--forget", metavar="KEK", help="Destroy a retired key for good: backups from its time open never more.")
@click.option(
    "--due",
    is_flag=True,
    help="For a timer: both, but only when this epoch is over; then forget the keys that no kept backup needs.",
)
@click.option("--yes", is_flag=True, help="Do not ask before forgetting.")
@session_options
def rotate_command(
    session: Session, *, to: str | None, what: str, distributed: bool, forget: str | None, due: bool, yes: bool
) -> None:
    """Bring every key under a newer one. Handouts go on; cut it off at any time, and run it again to go on."""
    harden_process()
    source = app.key_source(session.settings)
    vault = app.open_vault(session.settings, session.clock, source)
    if forget is not None:
        _forget(session, source, forget, yes=yes)
        return
    if to is not None and what in {"tenant-keys", "indexes"}:
        raise BadInput("to_without_kek", "--to names a key for --what kek or both; tenants' keys have no names.")
    outcomes: list[Outcome] = []
    for kind in due_kinds(session.settings, session.store) if due else _KINDS[what]:
        goal = goal_of(session, source, to) if kind == "kek" else None
        outcomes.append(_run(session, vault, source, kind, goal, distributed=distributed))
        if not outcomes[-1].finished:
            break
    session.out.document([_document(one) for one in outcomes], lambda: _show(session, outcomes))
    if outcomes and not outcomes[-1].finished:
        raise click.exceptions.Exit(1)
    if due:
        for kek_id in forget_due(session.settings, session.store, source):
            session.out.say(f"✓ {kek_id} is forgotten: no backup that is kept needs it.")


def _run(
    session: Session, vault: Vault, source: KeySource, kind: Kind, to: str | None, *, distributed: bool
) -> Outcome:
    others = frozenset() if distributed else _other_hosts(session)
    with _progress(session) as tell:
        parts = Parts(session.store, vault, source, platform.node(), tell)
        return rotate(parts, kind, to=to, other_hosts=others)


def _other_hosts(session: Session) -> frozenset[str]:
    """Where gateways run that may have a key file of their own; a key service is the same for all."""
    if not session.settings.vault.kek.startswith("file:"):
        return frozenset()
    with session.store.read() as tx:
        since = tx.now() - SEEN_WITHIN_MS
        hosts = {process.host for process in work.known(tx) if process.seen_at >= since}
    return frozenset(hosts - {platform.node()})


def _forget(session: Session, source: KeySource, name: str, *, yes: bool) -> None:
    if not isinstance(source, GrowingKeySource):
        raise BadInput("not_here", "This key source is changed where it is kept; remove the key there.")
    confirmed(f"Destroy the key {name}? Backups from its time can then be opened by nobody.", yes=yes)
    try:
        source.forget(key_named(source, name))
    except KeySourceError as error:
        raise BadInput("unknown_key", f"{error.what} {error.mend}") from error
    session.out.document({"forgotten": name}, lambda: session.out.say(f"✓ The key {name} is gone."))


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
    if not outcomes:
        session.out.say("✓ Nothing is due.")
    for outcome in outcomes:
        job = outcome.job
        what = f"the KEK, to {job.to_kek}" if job.kind == "kek" else _WHAT[job.kind]
        if outcome.finished:
            moved = "indexes replaced" if job.kind == "indexes" else "keys rewrapped"
            session.out.say(f"✓ Rotated {what}: {job.done} {moved}, each of them tried.")
            if job.from_keks:
                session.out.say(f"  {', '.join(job.from_keks)}: retired, kept for backups made before.")
        else:
            session.out.say(f"… Rotating {what} stands at “{job.phase}”. {outcome.to_do}")
    for spec in unneeded(session.settings, session.store):
        session.out.say(f"  Nothing needs {spec} any more: take it out of vault.also_opens, keep it for old backups.")
