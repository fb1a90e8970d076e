"""What a person's own access token opens about them, at the moment it is shown."""

from __future__ import annotations

from typing import Any

from connector.clients import Caller
from connector.flows.gateway import Gateway
from connector.model.errors import Unauthenticated
from connector.people import find_user


def userinfo_claims(gateway: Gateway, caller: Caller) -> dict[str, Any]:
    """The claims for a person's token: who they are here.

    Raises:
        Unauthenticated: the person's account here was deleted; the token stands for nobody any more.
    """
    with gateway.store.read() as tx:
        user = find_user(tx, caller.tenant_id, caller.sub or "")
    if user is None or user.account != "open":
        raise Unauthenticated("invalid_token", "The access token is unknown, expired or revoked; get a new one.")
    return {"sub": user.sub}
