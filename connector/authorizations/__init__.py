"""Sign-up, sign-in and linking while they are under way.

Owns the `authorizations` rows: what was asked, which browser, our secrets toward the provider, the provider's code. All
of it is sealed under the flow's own key, which is destroyed when the flow ends. Each move happens once: a write names
the state and generation it believes in. Nobody else writes these rows.
"""

from connector.authorizations.authorization import (
    Authorization,
    AuthorizationRequest,
    Ended,
    Kind,
    Progress,
    token_hash,
)
from connector.authorizations.moves import MovedOn, arrive, end, mark_reused, move, start, was_reused
from connector.authorizations.rows import (
    by_code,
    by_id,
    by_request_uri,
    by_state,
    forget_ended,
    forget_person,
    of_person,
    overdue,
)

__all__ = [
    "Authorization",
    "AuthorizationRequest",
    "Ended",
    "Kind",
    "MovedOn",
    "Progress",
    "arrive",
    "by_code",
    "by_id",
    "by_request_uri",
    "by_state",
    "end",
    "forget_ended",
    "forget_person",
    "mark_reused",
    "move",
    "of_person",
    "overdue",
    "start",
    "token_hash",
    "was_reused",
]
