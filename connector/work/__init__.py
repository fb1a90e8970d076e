"""How outward work is found, held and given up, whoever does it.

Owns the lease columns of `imports`, `deliveries` and `revocations` and the table `processes`; the meaning of those rows
belongs to their own rooms. A claim is a lease with a fencing number: who lost it cannot settle any more. Wake-ups only
shorten the wait; the truth is in the rows.
"""

from connector.work.backoff import backoff_ms
from connector.work.clockwatch import ClockWatch
from connector.work.heart import Heart, Held
from connector.work.leases import (
    TABLES,
    Claimed,
    any_due,
    claim,
    give_back,
    heartbeat,
    is_held,
    release_dead,
    retry,
    settle,
)
from connector.work.liveness import FileLiveness, Liveness, SessionLiveness, open_liveness
from connector.work.loop import Step, run_loop
from connector.work.presence import Presence
from connector.work.processes import Process, dead_owners, forget, known, register, seen
from connector.work.wakeup import NoWakeup, ProcessWakeup, RedisWakeup, Wakeup

__all__ = [
    "TABLES",
    "Claimed",
    "ClockWatch",
    "FileLiveness",
    "Heart",
    "Held",
    "Liveness",
    "NoWakeup",
    "Presence",
    "Process",
    "ProcessWakeup",
    "RedisWakeup",
    "SessionLiveness",
    "Step",
    "Wakeup",
    "any_due",
    "backoff_ms",
    "claim",
    "dead_owners",
    "forget",
    "give_back",
    "heartbeat",
    "is_held",
    "known",
    "open_liveness",
    "register",
    "release_dead",
    "retry",
    "run_loop",
    "seen",
    "settle",
]
