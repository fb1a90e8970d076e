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
from connector.tokens import Flights
from connector.work import Wakeup
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
