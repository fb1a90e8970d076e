"""What nobody finished leaves nothing: its key is destroyed, one ledger line stays, and later the empty row goes.

A redemption wrote its intent into its row before it asked the provider. Where its process died, the line says
`interrupted`: what was asked may have arrived, and a grant may stand there.
"""

from __future__ import annotations

from connector import authorizations
from connector.authorizations import Authorization
from connector.flows.gateway import Gateway
from connector.flows.signup_link.endings import fail
from connector.model.states import AuthorizationState

BATCH = 200
GIVEN_UP_AFTER_S = 3600  # a redemption that began so long ago has no process that still holds its answer
KEPT_AFTER_END_S = 24 * 3600  # so long a second use of a code is recognised; our tokens from it live shorter


def step(gateway: Gateway) -> bool:
    """One round. True where there was something to do."""
    with gateway.store.read() as tx:
        now = tx.now()
    with gateway.store.transaction() as tx:
        late = authorizations.overdue(
            tx, gateway.vault, before=now, redeeming_before=now - GIVEN_UP_AFTER_S * 1000, limit=BATCH
        )
    ended = [fail(gateway, each, reason=_why(each), step=each.state.value) for each in late]
    with gateway.store.transaction() as tx:
        forgotten = authorizations.forget_ended(tx, before=now - KEPT_AFTER_END_S * 1000, limit=BATCH)
    return any(ended) or forgotten > 0


def _why(late: Authorization) -> str:
    return "interrupted" if late.state is AuthorizationState.REDEEMING else "expired"
