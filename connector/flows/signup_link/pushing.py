"""Pushed authorization requests (RFC 9126): the app says by itself what no browser may forge."""

from __future__ import annotations

from dataclasses import dataclass

from connector import authorizations
from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.flows.signup_link import asking
from connector.flows.signup_link.asking import Parameters
from connector.flows.signup_link.problems import ShownOnly
from connector.model.ids import new_secret

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
LIFETIME_S = 90


@dataclass(frozen=True, slots=True)
class Pushed:
    """The answer of the PAR endpoint; `expires_in` in seconds."""

    request_uri: str
    expires_in: int


def push(gateway: Gateway, client: Client, parameters: Parameters) -> Pushed:
    """Keep a request of an authenticated client until its browser comes.

    Raises:
        ShownOnly, SentBack: as for a browser's request; here both go to the client as JSON.
    """
    named = parameters.get("client_id")
    if named is not None and named != client.id:
        raise ShownOnly("client_mismatch", "client_id names another client than the one that authenticated.")
    request_uri = new_secret(REQUEST_URI)
    with gateway.store.transaction() as tx:
        asked = asking.read(tx, gateway.vault, client, parameters, pushed=True)
        authorizations.start(
            tx,
            gateway.vault,
            tenant_id=client.tenant_id,
            client_id=client.id,
            integration_id=None if asked.integration is None else asked.integration.id,
            kind=asked.kind,
            request=asked.request,
            request_uri=request_uri,
            lifetime_s=LIFETIME_S,
        )
    return Pushed(request_uri, LIFETIME_S)
