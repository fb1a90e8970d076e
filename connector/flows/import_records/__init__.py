"""What a connected account holds comes in: only what was granted, noticed, agreed to and allowed.

    due or asked → claim → consent and policy give the categories → fresh grant → page by page →
    each field sorted → each value sealed with tags and origin, cursor in the same transaction → ledger counts

A page is stored whole or not at all, so a failing one never replaces what is there. Items are found again by their own
id, so a retry repeats nothing. Doors and the worker use what is named here.
"""

from connector.flows.import_records.running import step
from connector.flows.import_records.scheduling import queue, queue_due, runs

__all__ = ["queue", "queue_due", "runs", "step"]
