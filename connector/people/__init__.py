"""Who a person is at the gateway: an opaque `sub`, and the third-party accounts by which they are recognised again.

Owns `users`, `identities` and `refused_accounts`. An identity is found by exact bytes of integration, issuer and
subject, never by e-mail; it outlives its connections and ends on unlinking or erasure. Nobody else writes these rows.
"""

from connector.people.identities import (
    Identity,
    NewIdentity,
    account_claims,
    find_identity,
    identities_of,
    link_identity,
    subject_of,
    unlink,
)
from connector.people.refused import is_refused, remember_refused
from connector.people.users import User, create_user, find_user, set_age, visit

__all__ = [
    "Identity",
    "NewIdentity",
    "User",
    "account_claims",
    "create_user",
    "find_identity",
    "find_user",
    "identities_of",
    "is_refused",
    "link_identity",
    "remember_refused",
    "set_age",
    "subject_of",
    "unlink",
    "visit",
]
