"""Which notices this browser has accepted: a keyed hash each, so that the cookie cannot be made up.

It holds no person: whoever uses the browser skips a page that says what they, or somebody beside them, already read.
"""

from __future__ import annotations

import base64
from hmac import compare_digest

from connector.flows.gateway import Gateway
from connector.flows.signup_link.notice import Notice
from connector.storage import Transaction
from vault import Owner

KEPT = 20
_PURPOSE = "accepted-notice"


def mark_of(gateway: Gateway, tx: Transaction, tenant_id: str, notice: Notice) -> str:
    """The word that a browser keeps for having accepted exactly this notice, for this client and integration."""
    key = gateway.vault.key(tx, Owner(tenant_id, "tenant", tenant_id))
    parts = (notice.client_id, notice.integration_id, notice.hash)
    return base64.urlsafe_b64encode(key.mac(_PURPOSE, *(part.encode() for part in parts))).decode().rstrip("=")


def has_accepted(accepted: tuple[str, ...], mark: str) -> bool:
    """Whether the mark is among those the browser showed."""
    found = False
    for word in accepted[:KEPT]:
        found |= compare_digest(word.encode(), mark.encode())
    return found


def with_mark(accepted: tuple[str, ...], mark: str) -> tuple[str, ...]:
    """The marks to keep, newest first."""
    return (mark, *(word for word in accepted if word != mark))[:KEPT]
