"""What every flow is handed: the parts that `app` built, once."""

from __future__ import annotations

from dataclasses import dataclass

from connector.egress import Egress
from connector.ledger import GroupCommit
from connector.model.clock import Clock
from connector.model.ids import GATEWAY_TENANT
from connector.policy import Policy
from connector.settings import Settings
from connector.storage import Store
from connector.tokens import Flights, Journal
from connector.work import ClockWatch, Wakeup
from vault import Vault

__all__ = ["GATEWAY_TENANT", "Gateway"]


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's parts. Built by `app.build`; handed down; never global."""

    settings: Settings
    clock: Clock
    store: Store
    vault: Vault
    policy: Policy
    egress: Egress
    handouts: GroupCommit
    flights: Flights
    wakeup: Wakeup
    worker_id: str  # this process, in leases
    journal: Journal  # of answers that could not be stored in time
    watch: ClockWatch  # sees the machine's clock being set
    refreshes: bool  # whether this process asks providers for fresh tokens, or a worker does
