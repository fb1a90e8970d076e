"""F1 and F2: workers die under load, without a word or asked to."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass, field, replace

from tests.chaos.fleet import Fleet, Member
from tests.chaos.judging import none_lost, quiet
from tests.chaos.outcome import Outcome
from tests.chaos.setting import Setting
from tests.chaos.town import GRACE_30, GRACE_SHORT, NONE, STRICT, Rotation, Takeovers, Town, Verdict

WORKERS = 6
PAUSE_S = (0.02, 0.12)
EXIT_WITHIN_S = 15.0
MARKED_WITHIN_S = 2.0


@dataclass(slots=True)
class Met:
    """What the blows met: connection id → when (ms) a process died that had its refresh under way."""

    blows: int = 0
    met: int = 0
    in_window: dict[str, int] = field(default_factory=dict)
    exits_s: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)


def without_rotation(setting: Setting) -> Outcome:
    """F1, no rotation."""
    return _killed(setting, NONE)


def with_a_long_grace(setting: Setting) -> Outcome:
    """F1, grace 30 s."""
    return _killed(setting, GRACE_30)


def with_a_short_grace(setting: Setting) -> Outcome:
    """F1, grace 0.5 s; on a busy machine as much longer as everything else takes there.

    These blows are not aimed: aimed ones kill whoever takes over as well, several times within the same half second.
    """
    grace = replace(GRACE_SHORT, grace_s=GRACE_SHORT.grace_s * setting.stretch)
    return _killed(setting, grace, connections=80, aimed=False)


def with_strict_rotation(setting: Setting) -> Outcome:
    """F1, strict: what is in the window can be lost, and nothing else."""
    return _killed(setting, STRICT, access_token_s=12, connections=300)


def asked_to_go(setting: Setting) -> Outcome:
    """F2, strict."""
    outcome = Outcome("F2", f"SIGTERM, {STRICT.words}", setting.database, "")
    with setting.town(STRICT, connections=150, access_token_s=6) as town, setting.fleet(town, STRICT, WORKERS) as fleet:
        met = _blows(setting, town, fleet, signal.SIGTERM)
        verdict = town.verdict(60)
    outcome.done = f"{met.blows} asked to go, {met.met} with refreshes under way"
    none_lost(outcome, town, verdict)
    outcome.none("exits other than in order", sum(code != 0 for code in met.codes))
    outcome.at_most("longest exit, s", max(met.exits_s, default=0.0), EXIT_WITHIN_S * setting.stretch)
    return outcome


def twin_without_intent(setting: Setting) -> Outcome:
    """Nobody is killed: without an intent that others see it is enough that there are several."""
    outcome = Outcome("F1", "several workers", setting.database, "nobody was killed")
    with setting.town(STRICT, connections=60, access_token_s=4) as town, setting.fleet(town, STRICT, 4, brake=False):
        time.sleep(6)
        verdict = town.verdict(20)
    none_lost(outcome, town, verdict)
    return outcome


def _killed(
    setting: Setting, rotation: Rotation, *, connections: int = 150, access_token_s: int = 4, aimed: bool = True
) -> Outcome:
    outcome = Outcome("F1", f"kill -9, {rotation.words}", setting.database, "")
    with (
        setting.town(rotation, connections=connections, access_token_s=access_token_s) as town,
        setting.fleet(town, rotation, WORKERS, brake=False) as fleet,
        Takeovers(town) as takeovers,
    ):
        met = _blows(setting, town, fleet, signal.SIGKILL, takeovers, aimed=aimed)
        verdict = town.verdict(60 + 2 * access_token_s)
        rows = town.rows()
    outcome.done = f"{met.blows} kills, {met.met} with refreshes under way ({len(met.in_window)} connections)"
    outcome.also["taken over after at most, s"] = round(takeovers.longest_s, 2)
    outcome.also["refreshes stored"] = sum(row["generation"] - 1 for row in rows.values())
    if rotation is STRICT:
        _only_in_the_window(outcome, town, verdict, met, rows, setting.stretch)
    elif rotation.grace_s and rotation is not GRACE_30:
        outcome.at_most("lost, % of kills", 100 * len(verdict.lost) / max(1, met.blows), 1.0)
        quiet(outcome, town, verdict)
    else:
        none_lost(outcome, town, verdict)
    outcome.at_most("taken over within, s", takeovers.longest_s, MARKED_WITHIN_S * setting.stretch)
    return outcome


def _blows(
    setting: Setting,
    town: Town,
    fleet: Fleet,
    number: signal.Signals,
    takeovers: Takeovers | None = None,
    *,
    aimed: bool = True,
) -> Met:
    rng: random.Random = setting.rng
    met = Met()
    until = time.monotonic() + setting.longest_s
    leaving: list[tuple[Member, float]] = []
    while met.blows < setting.kills and time.monotonic() < until:
        time.sleep(rng.uniform(*PAUSE_S))
        struck = fleet.strike(rng, number, town.held_by, aimed=aimed)
        victim, held = struck.member, struck.held
        if takeovers is not None:
            takeovers.died(victim.worker_id)
        met.blows += 1
        met.met += bool(held)
        met.in_window.update(dict.fromkeys(held, time.time_ns() // 1_000_000))
        leaving.append((victim, time.monotonic()))
        fleet.leave(victim)
        if number is signal.SIGTERM:
            _gone(met, leaving, patient=False)
    _gone(met, leaving, patient=True)
    return met


def _gone(met: Met, leaving: list[tuple[Member, float]], *, patient: bool) -> None:
    for member, since in list(leaving):
        if patient:
            member.child.wait(60)
        if member.child.poll() is not None:
            met.exits_s.append(time.monotonic() - since)
            met.codes.append(member.child.poll() or 0)
            leaving.remove((member, since))


def _only_in_the_window(
    outcome: Outcome, town: Town, verdict: Verdict, met: Met, rows: dict[str, dict[str, int]], stretch: float
) -> None:
    outcome.also["lost"] = len(verdict.lost)
    outcome.none("lost outside the window", len(set(verdict.lost) - set(met.in_window)))
    late = [
        marked - max(met.in_window.get(one, 0), rows[one]["expires_at"] or 0) for one, marked in verdict.lost.items()
    ]
    bar_s = MARKED_WITHIN_S * stretch
    outcome.at_most("marked within, s after the token's end", max(late, default=0) / 1000, bar_s)
    quiet(outcome, town, verdict)
