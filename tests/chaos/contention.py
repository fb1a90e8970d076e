"""F7 and F8: many writers on one SQLite file, and workers that stand still for longer than their lease."""

from __future__ import annotations

import json
import signal
import time

from tests.chaos.judging import none_lost
from tests.chaos.outcome import Outcome
from tests.chaos.setting import Setting
from tests.chaos.town import GRACE_30

WRITERS = 8
WRITES = 400
LONGEST_S = 1.0
FROZEN_LEASE_MS = 3_000
FROZEN_DEADLINE_S = 1.0
FROZEN_S = 4.5
FREEZES = 6


def writers(setting: Setting) -> Outcome:
    """F7: every transaction comes through, while somebody reads and somebody copies the database."""
    outcome = Outcome("F7", f"{WRITERS} writers, a reader and a backup", setting.database, "")
    with setting.town(GRACE_30, connections=1, access_token_s=300) as town:
        processes = [setting.nursery.start("write", town.settings, str(WRITES)) for _ in range(WRITERS)]
        processes += [setting.nursery.start("copy", town.settings, str(setting.folder / "copy.db"))]
        told = [json.loads(process.line() or "{}") for process in processes]
        codes = [process.wait(120) for process in processes]
        for process in processes:
            process.stdout.close()
    outcome.done = f"{WRITERS} times {WRITES} transactions that read and write"
    outcome.none("failed", sum(one.get("failed", 1) for one in told) + sum(code != 0 for code in codes))
    outcome.at_most("longest, s", max(one.get("longest_s", 99.0) for one in told), LONGEST_S * setting.stretch)
    outcome.also["99 of 100 within, ms"] = max(one.get("p99_ms", 0) for one in told)
    return outcome


def frozen(setting: Setting) -> Outcome:
    """F8: stopped for longer than the lease, then woken: what they hold has another owner by then."""
    outcome = Outcome("F8", "frozen for longer than the lease", setting.database, "")
    how = {"lease_ms": FROZEN_LEASE_MS, "deadline_s": FROZEN_DEADLINE_S}
    with (
        setting.town(GRACE_30, connections=80, access_token_s=4) as town,
        setting.fleet(town, GRACE_30, 4, **how) as fleet,
    ):
        held = 0
        for _ in range(FREEZES):
            time.sleep(setting.rng.uniform(0.3, 1.0))
            struck = fleet.strike(setting.rng, signal.SIGSTOP, town.held_by)
            held += len(struck.held)
            time.sleep(FROZEN_S)
            struck.member.child.send_signal(signal.SIGCONT)
        verdict = town.verdict(60)
        reuse = town.linked.provider.oracle.report()["reuse"]
    outcome.done = f"{FREEZES} times {FROZEN_S:g} s with a lease of {FROZEN_LEASE_MS / 1000:g} s, {held} claims held"
    none_lost(outcome, town, verdict)
    outcome.none("families ended by a token that came back", len(reuse))
    return outcome
