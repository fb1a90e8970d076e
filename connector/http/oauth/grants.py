"""The grant types of the token endpoint, by name: what is not in this list is `unsupported_grant_type`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connector.http.oauth import grant_client_credentials, grant_code, grant_exchange
from connector.http.oauth.token_request import TokenAnswer, TokenRequest

Grant = Callable[[TokenRequest], TokenAnswer]

GRANTS: Mapping[str, Grant] = {
    "authorization_code": grant_code.grant,
    "client_credentials": grant_client_credentials.grant,
    grant_exchange.GRANT_TYPE: lambda request: grant_exchange.exchange(request.client, request.fields),
}
