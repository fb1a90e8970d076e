"""Who a person is at the gateway: an opaque `sub`, and the third-party accounts by which they are recognised again.

Owns `users`, `identities`, `refused_accounts`, and the links and sessions by which people come to their own pages. An
identity is found by exact bytes of integration, issuer and subject, never by e-mail; it outlives its connections and
ends on unlinking or erasure. Nobody else writes these rows.
"""

from connector.people.identities import (
    Identity,
    NewIdentity,
    account_claims,
    blank,
    find_identity,
    forget_identity,
    identities_of,
    link_identity,
    subject_of,
    unlink,
    unlinked_of,
)
from connector.people.portal import (
    LINK_MS,
    SESSION_MS,
    NewLink,
    PortalSession,
    consume_link,
    end_session,
    forget_portal,
    make_link,
    open_session,
    sweep_portal,
)
from connector.people.refused import is_refused, remember_refused
from connector.people.users import User, create_user, find_user, mark_deleted, set_age, visit

__all__ = [
    "LINK_MS",
    "SESSION_MS",
    "Identity",
    "NewIdentity",
    "NewLink",
    "PortalSession",
    "User",
    "account_claims",
    "blank",
    "consume_link",
    "create_user",
    "end_session",
    "find_identity",
    "find_user",
    "forget_identity",
    "forget_portal",
    "identities_of",
    "is_refused",
    "link_identity",
    "make_link",
    "mark_deleted",
    "open_session",
    "remember_refused",
    "set_age",
    "subject_of",
    "sweep_portal",
    "unlink",
    "unlinked_of",
    "visit",
]
