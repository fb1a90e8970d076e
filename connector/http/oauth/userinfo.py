"""`GET|POST /oauth/userinfo` (OpenID Connect Core section 5.3): what a person's token opens about them, now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from connector.flows.userinfo import CLAIMS, userinfo_claims
from connector.http.authentication import InsufficientScope, bearer_caller
from connector.http.context import gateway
from connector.http.operations import TEXT, an_object, operation

blueprint = Blueprint("oauth_userinfo", __name__)

_CLAIMS = an_object({"sub": TEXT}, dict.fromkeys(CLAIMS, TEXT))


@blueprint.route("/oauth/userinfo", methods=["GET", "POST"])
@operation("Claims about the signed-in person", "OAuth", security="person", answers={200: _CLAIMS})
def userinfo() -> dict[str, Any]:
    """`sub`, and the claims that scopes and policy allow at this moment."""
    found = bearer_caller()
    if found.kind != "person" or found.sub is None or "openid" not in found.scopes:
        raise InsufficientScope("openid")
    return userinfo_claims(gateway(), found)
