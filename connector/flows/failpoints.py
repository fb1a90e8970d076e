"""Places where a test can make the process die or stop: nothing else reaches in there from outside.

Armed by the variable CONNECTOR_FAILPOINT = "<step>:<act>", and only in development mode. Steps of a refresh, in their
order: after_claim, after_send, before_land, after_land. Of other work toward a provider: its intent is committed
(`*_intended`), and the provider has answered while nothing is written yet (`*_sent`). Acts: `kill` (SIGKILL, as a power
cut), `stop` (SIGSTOP, the whole process, until somebody sends SIGCONT) and `wait` (for good).
"""

from __future__ import annotations

import os
import signal
import threading

from connector.flows.gateway import Gateway

VARIABLE = "CONNECTOR_FAILPOINT"
STEPS = ("after_claim", "after_send", "before_land", "after_land")
HOLDING_STEPS = ("after_journal",)  # only where the database is away for longer than a second
OUTWARD_STEPS = tuple(f"{work}_{step}" for work in ("push", "import", "revoke") for step in ("intended", "sent"))


def reached(gateway: Gateway, step: str) -> None:
    """The work got to `step`."""
    armed = os.environ.get(VARIABLE)
    if armed is None or not gateway.settings.is_development:
        return
    name, _, act = armed.partition(":")
    if name != step:
        return
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "stop":
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to this thread: it makes no step more
        return
    threading.Event().wait()
