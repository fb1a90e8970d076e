"""Provider tokens, sealed.

Owns `connection_tokens`, `orphan_tokens`, and the journal of answers that wait to be stored. A token is opened here and
nowhere else, always under the generation that its connection's row names, so that an older blob put back into the row
does not open. What may be done with an opened token is decided elsewhere.
"""

from connector.tokens.flights import Flight, Flights
from connector.tokens.held import Held, held, is_held, opened_access, opened_grant, seal_key, spent_marks, token_key
from connector.tokens.journal import Journal, Kept, opened_from_journal, sealed_for_journal
from connector.tokens.rows import TokenOwner, count_orphans, drop, orphans_of, put_orphan, settle_orphan, store
from connector.tokens.spent import mark

__all__ = [
    "Flight",
    "Flights",
    "Held",
    "Journal",
    "Kept",
    "TokenOwner",
    "count_orphans",
    "drop",
    "held",
    "is_held",
    "mark",
    "opened_access",
    "opened_from_journal",
    "opened_grant",
    "orphans_of",
    "put_orphan",
    "seal_key",
    "sealed_for_journal",
    "settle_orphan",
    "spent_marks",
    "store",
    "token_key",
]
