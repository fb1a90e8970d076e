"""A person's grant at a provider, and the state it is in.

Owns the `connections` rows: who holds what, which state, which generation of tokens, who has claimed the refresh. Every
change of state goes through `move`, which asks the table of legal moves, the fence and the row seal. The tokens
themselves belong to the room `tokens`; nobody else writes these rows.
"""

from connector.connections.adoptions import (
    Adoption,
    adoption_of,
    confirm_adoption,
    forget_adoption,
    is_unconfirmed,
    note_adoption,
)
from connector.connections.ambiguity import after_ambiguous, backoff_ms
from connector.connections.brake import braked, forget_outcomes, note_outcome
from connector.connections.claims import (
    Claim,
    abandoned_claims,
    claim_refresh,
    claim_refreshes,
    due_refreshes,
    is_claimed,
    postpone,
    want_refresh,
    wanted_refreshes,
)
from connector.connections.connection import Connection, NewConnection
from connector.connections.handing_out import still_handing_out
from connector.connections.imports_due import due_imports, schedule_import
from connector.connections.landing import Landed, keep_refresh, keep_what_is_wider, landed_from, tell_odd_lifetime
from connector.connections.moves import IllegalMove, LostClaim, establish, move, reland
from connector.connections.revocations import (
    Outcome,
    Revocation,
    RevocationReason,
    ask_revocation,
    bring_forward,
    due_for_erasure,
    mark_data_key_destroyed,
    mark_token_key_destroyed,
    revocation,
    revocation_of,
    revocation_with_code,
    revocations_of_user,
)
from connector.connections.rows import (
    checked,
    find,
    find_for_update,
    forget,
    forget_person,
    in_tenant,
    lying_in,
    newest_of_identity,
    of_identity,
    of_user,
    read_row,
    run_out,
    sharing_grant,
)
from connector.connections.spreading import failed_lately, spread_ms
from connector.model.errors import SealBroken

__all__ = [
    "Adoption",
    "Claim",
    "Connection",
    "IllegalMove",
    "Landed",
    "LostClaim",
    "NewConnection",
    "Outcome",
    "Revocation",
    "RevocationReason",
    "SealBroken",
    "abandoned_claims",
    "adoption_of",
    "after_ambiguous",
    "ask_revocation",
    "backoff_ms",
    "braked",
    "bring_forward",
    "checked",
    "claim_refresh",
    "claim_refreshes",
    "confirm_adoption",
    "due_for_erasure",
    "due_imports",
    "due_refreshes",
    "establish",
    "failed_lately",
    "find",
    "find_for_update",
    "forget",
    "forget_adoption",
    "forget_outcomes",
    "forget_person",
    "in_tenant",
    "is_claimed",
    "is_unconfirmed",
    "keep_refresh",
    "keep_what_is_wider",
    "landed_from",
    "lying_in",
    "mark_data_key_destroyed",
    "mark_token_key_destroyed",
    "move",
    "newest_of_identity",
    "note_adoption",
    "note_outcome",
    "of_identity",
    "of_user",
    "postpone",
    "read_row",
    "reland",
    "revocation",
    "revocation_of",
    "revocation_with_code",
    "revocations_of_user",
    "run_out",
    "schedule_import",
    "sharing_grant",
    "spread_ms",
    "still_handing_out",
    "tell_odd_lifetime",
    "want_refresh",
    "wanted_refreshes",
]
