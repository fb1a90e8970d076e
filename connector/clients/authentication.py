"""Which client asks, by its secret or its signed assertion. Which way is good is the registration's to say."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass

from connector.clients.assertions import MAX_LENGTH, check_assertion, refused
from connector.clients.clients import Client, find_client
from connector.clients.json_text import strict_object
from connector.clients.rotation import hash_of, is_secret_of
from connector.clients.tenant_key import tenant_key
from connector.model.errors import NotFound
from connector.storage import Transaction
from providers.secret import Secret
from vault import Vault

MAX_ID = 64
MAX_SECRET = 256


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client showed: an id with a secret, or an assertion (whose `sub` names the client where no id came)."""

    client_id: str = ""
    secret: Secret | None = None
    assertion: Secret | None = None


def authenticate(tx: Transaction, vault: Vault, presented: Presented, *, audiences: Collection[str]) -> Client:
    """The client, proven. Needs a write transaction for an assertion (it is used once), none for a secret.

    Args:
        tx: the transaction.
        vault: opens the tenant's key for the row seals.
        presented: what came with the request.
        audiences: what an assertion may be meant for: our issuer, token endpoint and PAR endpoint (RFC 9126 section 2).

    Raises:
        Unauthenticated: in every case but one, always in the same words.
    """
    client = _claimed(tx, vault, _named(presented))
    if client is None:
        hash_of(presented.secret or Secret(""))  # an unknown client costs what a known one does
        raise refused("no such client")
    if presented.assertion is not None:
        if client.authentication != "private_key_jwt" or client.jwks is None:
            raise refused("registered for another method")
        check_assertion(tx, presented.assertion.reveal(), client_id=client.id, jwks=client.jwks, audiences=audiences)
        return client
    if client.authentication != "client_secret_basic" or presented.secret is None:
        raise refused("registered for another method, or no credential")
    too_long = len(presented.secret.reveal()) > MAX_SECRET
    if too_long or not is_secret_of(tx, tenant_key(tx, vault, client.tenant_id), client.id, presented.secret):
        raise refused("no live secret of the client")
    return client


def _claimed(tx: Transaction, vault: Vault, client_id: str) -> Client | None:
    if not client_id or len(client_id) > MAX_ID or not client_id.isascii() or not client_id.isprintable():
        return None
    try:
        return find_client(tx, vault, client_id)
    except NotFound:
        return None


def _named(presented: Presented) -> str:
    """The client that is named; an assertion's own `sub` is only a name until its signature was checked."""
    if presented.client_id or presented.assertion is None:
        return presented.client_id
    return _subject(presented.assertion.reveal())


def _subject(assertion: str) -> str:
    if len(assertion) > MAX_LENGTH:
        return ""
    payload = assertion.partition(".")[2].partition(".")[0]
    try:
        claims = strict_object(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:  # bytes that are no base64, text that is no JSON: nobody is named
        return ""
    sub = claims.get("sub")
    return sub if isinstance(sub, str) else ""
