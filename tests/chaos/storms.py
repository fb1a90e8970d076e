"""Every storm, by the row of the table of faults that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import answers, contention, kills, outages, people
from tests.chaos.outcome import Outcome
from tests.chaos.setting import Setting

BOTH = ("sqlite", "postgresql")
SQLITE = ("sqlite",)
POSTGRESQL = ("postgresql",)


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm.

    Attributes:
        row: as in docs/reliability.md; a twin has the row of the number that it must not hold.
        share: of the kills that were asked for.
        without: defences that are switched off.
    """

    row: str
    name: str
    run: Callable[[Setting], Outcome | None]
    databases: tuple[str, ...] = BOTH
    share: float = 1.0
    without: tuple[str, ...] = ()


def twin(row: str, defence: str, run: Callable[[Setting], Outcome | None], databases: tuple[str, ...]) -> Storm:
    """The same storm upon a gateway without one of its defences: held where something was lost or doubled."""

    def without(setting: Setting) -> Outcome | None:
        honest = run(setting)
        if honest is None:
            return None
        twin = Outcome(row, f"twin: {honest.storm}, without {defence}", honest.database, honest.done)
        broken = [one for one in honest.held if not one.ok]
        twin.some("numbers that no longer hold", len(broken))
        twin.also |= {one.what: one.measured for one in broken}
        return twin

    return Storm(row, f"twin {defence}", without, databases, 0.2, (defence,))


STORMS = (
    Storm("F1", "kill none", kills.without_rotation),
    Storm("F1", "kill grace 30", kills.with_a_long_grace),
    Storm("F1", "kill grace 0.5", kills.with_a_short_grace),
    Storm("F1", "kill strict", kills.with_strict_rotation),
    Storm("F2", "term strict", kills.asked_to_go),
    Storm("F3", "redis", outages.redis_gone),
    Storm("F4", "postgresql crash", outages.postgresql_crashed, POSTGRESQL),
    Storm("F6", "disk full", outages.disk_full),
    Storm("F7", "contention", contention.writers, SQLITE),
    Storm("F8", "frozen", contention.frozen),
    Storm("F9", "scripts", answers.scripts),
    Storm("F12", "stampede", people.stampede),
    Storm("F18", "revoked", people.revoked_in_flight),
)
TWINS = (
    twin("F1", "intent", kills.twin_without_intent, SQLITE),
    twin("F1", "liveness", kills.with_a_short_grace, SQLITE),
    twin("F2", "drain", kills.asked_to_go, SQLITE),
    twin("F6", "hold", outages.disk_full, SQLITE),
    twin("F18", "fence", people.revoked_in_flight, SQLITE),
)
