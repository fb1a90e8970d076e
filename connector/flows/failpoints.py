"""Places in a refresh where a test can make the process die or stop: nothing else reaches in there from outside.

Armed by the variable CONNECTOR_FAILPOINT = "<step>:<act>", and only in development mode. Steps, in their order:
after_claim, after_send, before_land, after_land. Acts: `kill` (SIGKILL, as a power cut) and `wait` (for good).
"""

from __future__ import annotations

import os
import signal
import threading

from connector.flows.gateway import Gateway

VARIABLE = "CONNECTOR_FAILPOINT"
STEPS = ("after_claim", "after_send", "before_land", "after_land")


def reached(gateway: Gateway, step: str) -> None:
    """The refresh got to `step`."""
    armed = os.environ.get(VARIABLE)
    if armed is None or not gateway.settings.is_development:
        return
    name, _, act = armed.partition(":")
    if name != step:
        return
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()
