"""A business transfer: everybody's records, person by person, each decided and written down by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.flows.gateway import Gateway
from connector.flows.hand_outside import Handed, hand_outside
from connector.flows.outside_requests import Request
from connector.model.errors import NotFound, RefusedByPolicy


def hand_everybody(gateway: Gateway, tenant_id: str, subs: Sequence[str], request: Request) -> Iterator[Handed | None]:
    """What goes of each, in the same order; None where nothing does: no notice yet, an objection, a deleted account."""
    for sub in subs:
        try:
            handed = hand_outside(gateway, tenant_id, sub, request)
        except (RefusedByPolicy, NotFound):
            yield None
        else:
            yield handed if handed.count else None
