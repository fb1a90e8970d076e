"""Provider tokens, sealed.

Owns `connection_tokens` and `orphan_tokens`. A token is opened here and nowhere else, always under the generation that
its connection's row names, so that an older blob put back into the row does not open. What may be done with an opened
token is decided elsewhere.
"""

from connector.tokens.flights import Flight, Flights
from connector.tokens.held import Held, held, opened_access, opened_grant, seal_key, token_key
from connector.tokens.rows import TokenOwner, drop, orphans_of, put_orphan, settle_orphan, store

__all__ = [
    "Flight",
    "Flights",
    "Held",
    "TokenOwner",
    "drop",
    "held",
    "opened_access",
    "opened_grant",
    "orphans_of",
    "put_orphan",
    "seal_key",
    "settle_orphan",
    "store",
    "token_key",
]
