"""Who a person is at the gateway: an opaque `sub`, and the third-party accounts by which they are recognised again.

Owns `users`, `identities`, `refused_accounts`, `child_accounts`, and the links and sessions by which people come to
their own pages. An identity is found by exact bytes of integration, issuer and subject, never by e-mail; it outlives
its connections and ends on unlinking or erasure. Nobody else writes these rows.
"""

from connector.people.children import (
    approval_of,
    approve_accounts,
    approve_user,
    children_with_accounts,
    forget_children,
    remember_child,
    stays_refused,
    trusted,
)
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
    was_unlinked,
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
    portal_of,
    sweep_portal,
)
from connector.people.refused import is_refused, remember_refused
from connector.people.users import User, create_user, everybody, find_user, mark_deleted, newest_visit, set_age, visit

__all__ = [
    "LINK_MS",
    "SESSION_MS",
    "Identity",
    "NewIdentity",
    "NewLink",
    "PortalSession",
    "User",
    "account_claims",
    "approval_of",
    "approve_accounts",
    "approve_user",
    "blank",
    "children_with_accounts",
    "consume_link",
    "create_user",
    "end_session",
    "everybody",
    "find_identity",
    "find_user",
    "forget_children",
    "forget_identity",
    "forget_portal",
    "identities_of",
    "is_refused",
    "link_identity",
    "make_link",
    "mark_deleted",
    "newest_visit",
    "open_session",
    "portal_of",
    "remember_child",
    "remember_refused",
    "set_age",
    "stays_refused",
    "subject_of",
    "sweep_portal",
    "trusted",
    "unlink",
    "unlinked_of",
    "visit",
    "was_unlinked",
]
