"""How a flow ends without success: its key destroyed, one ledger line without personal data."""

from __future__ import annotations

from connector import authorizations
from connector.authorizations import Authorization
from connector.flows.gateway import Gateway
from connector.flows.signup_link.problems import SentBack
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.model.states import AuthorizationState
from connector.storage import Transaction

_GRANT_MAY_REMAIN = frozenset({AuthorizationState.HELD, AuthorizationState.REDEEMING})


def fail(gateway: Gateway, authorization: Authorization, *, reason: str, step: str) -> bool:
    """End the flow. False where somebody else moved it on meanwhile; then nothing was done."""
    try:
        with gateway.store.transaction() as tx:
            fail_in(gateway, tx, authorization, reason=reason, step=step)
    except authorizations.MovedOn:
        return False
    return True


def fail_in(gateway: Gateway, tx: Transaction, authorization: Authorization, *, reason: str, step: str) -> None:
    """The same in the caller's transaction. Raises MovedOn."""
    authorizations.end(tx, gateway.vault, authorization, failure=reason)
    append(
        tx,
        Entry(
            EntryKind.AUTHORIZATION_FAILED,
            authorization.tenant_id,
            facts={
                "authorization": authorization.id,
                "client": authorization.client_id,
                "integration": authorization.integration_id,
                "flow": authorization.kind.value,
                "step": step,
                "reason": reason,
                "grant_may_remain": authorization.state in _GRANT_MAY_REMAIN,
            },
        ),
    )


def refusal(authorization: Authorization, error: str, hint: str, *, code: str = "") -> SentBack:
    """The error as the client gets it, at the redirect URI of its own request."""
    return SentBack(
        error,
        hint,
        redirect_uri=authorization.request.redirect_uri,
        state=authorization.request.state,
        code=code,
    )
