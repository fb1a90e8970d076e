"""A person's grant at a provider, and the state it is in.

Owns the `connections` rows: who holds what, which state, which generation of tokens, who has claimed the refresh. Every
change of state goes through `move`, which asks the table of legal moves, the fence and the row seal. The tokens
themselves belong to the room `tokens`; nobody else writes these rows.
"""

from connector.connections.ambiguity import after_ambiguous, backoff_ms
from connector.connections.brake import braked, forget_outcomes, note_outcome
from connector.connections.claims import (
    Claim,
    abandoned_claims,
    claim_refresh,
    due_refreshes,
    extend_claim,
)
from connector.connections.connection import Connection, NewConnection, SealBroken
from connector.connections.landing import Landed, keep_refresh, keep_what_is_wider, landed_from
from connector.connections.moves import LostClaim, establish, move, reland
from connector.connections.rows import checked, find, in_tenant, of_identity, of_user, read_row, sharing_grant

__all__ = [
    "Claim",
    "Connection",
    "Landed",
    "LostClaim",
    "NewConnection",
    "SealBroken",
    "abandoned_claims",
    "after_ambiguous",
    "backoff_ms",
    "braked",
    "checked",
    "claim_refresh",
    "due_refreshes",
    "establish",
    "extend_claim",
    "find",
    "forget_outcomes",
    "in_tenant",
    "keep_refresh",
    "keep_what_is_wider",
    "landed_from",
    "move",
    "note_outcome",
    "of_identity",
    "of_user",
    "read_row",
    "reland",
    "sharing_grant",
]
