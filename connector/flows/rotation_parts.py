"""What every rotation has in common: what it works with, how it tells how far it is, and how it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.model.errors import Misconfigured
from connector.storage import Store
from vault import KeySource, Vault
from vault.jobs import Job, Phase, find_job, note_failed
from vault.rotation import Rotation

Tell = Callable[[Phase, int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a rotation came. `to_do`: what only the operator can do, where there is something; then run it again."""

    job: Job
    to_do: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left under the old keys."""
        return self.job.phase == "done"


@dataclass(frozen=True, slots=True)
class Parts:
    """What rotating works with. `tell` hears phase, done and total; `by` names who began it."""

    store: Store
    vault: Vault
    source: KeySource
    by: str
    tell: Tell

    @property
    def rotation(self) -> Rotation:
        """The vault's steps."""
        return self.vault.rotation()


Act = Callable[[Parts, Job, frozenset[str]], Phase]


class ToDo(Exception):  # not an error: the way out of whatever phase it is
    """Something that the operator must do first."""


def now_at(parts: Parts, job: Job) -> Job:
    """The rotation as it stands now, whoever moved it."""
    with parts.store.read() as tx:
        return find_job(tx, job.id) or job


def tell(parts: Parts, job: Job) -> None:
    """Say how far it is."""
    now = now_at(parts, job)
    parts.tell(now.phase, now.done, max(now.total, now.done))


def refuse_broken(parts: Parts, job: Job, broken: int, keks: list[str], *, what: str = "keys do not open") -> None:
    """Write down how many cannot be moved; with any, stop before something is retired that they need.

    Raises:
        Misconfigured: there are some.
    """
    with parts.store.transaction() as tx:
        note_failed(tx, job, broken)
    if broken:
        under = f" (under {', '.join(keks)})" if keks else ""
        raise Misconfigured(
            "keys_do_not_open",
            f"{broken} {what}{under} and stay as they are; nothing is retired before that is mended. "
            "See which: connector vault verify",
        )
