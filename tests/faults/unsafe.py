"""Gateways with a defence switched off, to see that the tests would notice. Nothing outside tests may do this.

intent      the claim is not written down: nobody else can see it
fence       an answer lands whoever holds the connection by then, and whatever became of it
hold        an answer that cannot be stored at once is dropped
liveness    nobody looks who died: a claim is taken over when its lease is over
drain       SIGTERM ends the process at once
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector import connections
from connector.connections import Claim, moves
from connector.flows import refresh, refresh_attempt, refresh_storing
from connector.worker import steps, worker


def unsafe_without_intent() -> None:
    """The claim lives in this process alone."""

    def of_one(gateway: Any, tenant_id: str, connection_id: str, generation: int | None) -> Claim | None:
        with gateway.store.read() as tx:
            found = connections.find(tx, gateway.vault, tenant_id, connection_id)
            if found.next_attempt_at > tx.now() or found.ended or generation not in {None, found.generation}:
                return None
            return Claim(found, found.fence, tx.now() + refresh.LEASE_MS, taken_over=False)

    def of_many(gateway: Any, ids: Sequence[str], _dead_owners: Any) -> dict[str, Claim]:
        with gateway.store.read() as tx:
            tenants = {row["id"]: row["tenant_id"] for row in tx.all("SELECT id, tenant_id FROM connections")}
        claims = {one: of_one(gateway, tenants[one], one, None) for one in ids}
        return {one: claim for one, claim in claims.items() if claim is not None}

    refresh._claim = lambda gateway, found: of_one(gateway, found.tenant_id, found.id, found.generation)
    refresh._claim_all = of_many
    _without_the_table_of_moves()


def unsafe_without_fence() -> None:
    """An answer lands on whatever it finds."""
    _without_the_table_of_moves()
    safe = moves.reland

    def reland(tx: Any, vault: Any, connection: Any, landed: Any, *, now: int, authorized: bool, fence: Any = None):
        found = connections.find_for_update(tx, vault, connection.id)
        then = replace(connection, state=found.state, generation=found.generation, fence=found.fence)
        return safe(tx, vault, then, landed, now=now, authorized=authorized, fence=found.fence)

    connections.reland = reland


def unsafe_without_hold() -> None:
    """What cannot be stored at the first try is lost."""
    refresh_attempt.land = refresh_storing.store_in_time


def unsafe_without_look() -> None:
    """What was claimed is sent, however long ago that was."""
    refresh_attempt._in_time = lambda *_: None


def unsafe_without_liveness() -> None:
    """Only the lease tells that an owner is gone."""
    safe = refresh.recover
    steps.refresh.recover = lambda gateway, _dead: safe(gateway, frozenset())


def unsafe_without_drain() -> None:
    """Nothing here; see `of_the_process`."""


_SWITCHES: Mapping[str, Callable[[], None]] = {
    name.removeprefix("unsafe_without_"): value
    for name, value in globals().items()
    if name.startswith("unsafe_without_")
}
NAMES = tuple(_SWITCHES)


def switch_off(names: Iterable[str]) -> None:
    """Switch these defences off in this process."""
    for name in names:
        _SWITCHES[name]()


def of_the_process(names: Iterable[str]) -> None:
    """What can only be switched off once the signals are set."""
    if "drain" in names:
        worker.DRAIN_S = 0.0
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def _without_the_table_of_moves() -> None:
    moves.may_move = lambda *_: True
