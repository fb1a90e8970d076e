"""An authorization as a value, how it is written into its sealed column, and what its row seal vouches for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from connector.model.states import AuthorizationState
from providers.secret import Secret
from vault import Address, Owner
from vault.rowseal import Field

TABLE = "authorizations"


class Kind(StrEnum):
    """What the flow is for."""

    SIGN_IN = "sign_in"  # sign-up or sign-in: who it ends for is not known before the end
    LINK = "link"  # adds an account to a user that the app named
    REAUTHORIZE = "reauthorize"  # renews or widens one connection


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the client asked for, after it was checked (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2.1).

    Attributes:
        redirect_uri: registered, exact.
        state, nonce: the client's own, handed back untouched.
        max_age: seconds, or None.
        link_user, connection_id: what linking and reauthorising name; pushed only.
        imports: what may be imported, in catalogue words; None where the request did not narrow it.
        offer_push: field groups to offer.
        provider_scopes: scopes to ask for besides the registered ones, in the provider's words.
    """

    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str
    state: str | None = None
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    ui_locales: str = ""
    link_user: str | None = None
    connection_id: str | None = None
    imports: tuple[str, ...] | None = None
    offer_push: tuple[str, ...] = ()
    provider_scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What has happened since. Secrets are made once and compared in constant time.

    Attributes:
        form_token: what our own page's form carries.
        policy_version, notice_hash: which notice was shown, under which version.
        imports, push: the categories the notice named, the groups that the person ticked.
        age_stated: whether the person said that they are old enough; None where it was not asked.
        gpc: whether the browser says Global Privacy Control.
        straight_on: whether this browser had accepted this very notice before, so that no page was shown.
        state, nonce, verifier: ours toward the provider.
        scopes: asked for at the provider.
        handle_hash, posted: a form_post answer that waits for the browser to come by GET.
        code, iss, extra: what the provider's redirect brought.
        returned_at: ms; when it did.
    """

    form_token: Secret | None = None
    policy_version: str = ""
    notice_hash: str = ""
    imports: tuple[str, ...] = ()
    push: tuple[str, ...] = ()
    age_stated: bool | None = None
    straight_on: bool = False
    state: Secret | None = None
    nonce: Secret | None = None
    verifier: Secret | None = None
    scopes: tuple[str, ...] = ()
    handle_hash: str = ""
    posted: Mapping[str, str] = field(default_factory=dict, repr=False)
    code: Secret | None = None
    iss: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    returned_at: int | None = None
    gpc: bool = False


@dataclass(frozen=True, slots=True)
class Authorization:
    """One flow, opened and checked. Times in ms since the epoch; see the schema for each column."""

    id: str
    tenant_id: str
    client_id: str
    integration_id: str | None
    kind: Kind
    state: AuthorizationState
    generation: int
    browser_hash: bytes | None
    redeemer: str | None
    intent_at: int | None
    created_at: int
    expires_at: int
    request: AuthorizationRequest
    progress: Progress

    @property
    def owner(self) -> Owner:
        """Whose key it is sealed under: the flow's own."""
        return Owner(self.tenant_id, "flow", self.id)


@dataclass(frozen=True, slots=True)
class Ended:
    """A flow that is over. Its key is destroyed; only this is left. `failure` is None where it succeeded."""

    id: str
    tenant_id: str
    client_id: str
    state: AuthorizationState
    failure: str | None


def token_hash(secret: str) -> bytes:
    """What is stored of a bearer secret with 256 random bits: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def address(tenant_id: str, authorization_id: str) -> Address:
    """Where a flow's sealed column lives."""
    return Address(tenant_id, "flow", authorization_id, "", "authorizations.sealed")


def encode(request: AuthorizationRequest, progress: Progress) -> dict[str, Any]:
    """Both as JSON values. Secrets are revealed: the result goes nowhere but under the seal."""
    written = _plain(progress)
    if not progress.gpc:
        del written["gpc"]  # code of the release before does not know it
    return {"request": _plain(request), "progress": written}


def decode(document: Mapping[str, Any]) -> tuple[AuthorizationRequest, Progress]:
    """What `encode` wrote."""
    request = {name: _tuple(value) for name, value in document["request"].items()}
    progress = {name: _tuple(value) for name, value in document["progress"].items()}
    for name in ("form_token", "state", "nonce", "verifier", "code"):
        progress[name] = None if progress[name] is None else Secret(progress[name])
    return AuthorizationRequest(**request), Progress(**progress)


def sealed_fields(row: Mapping[str, Any]) -> list[Field]:
    """What the row seal vouches for: all that says who may go on, where to, and until when."""
    names = (
        "id",
        "tenant_id",
        "client_id",
        "integration_id",
        "kind",
        "state",
        "request_uri_hash",
        "browser_hash",
        "state_hash",
        "code_hash",
        "generation",
        "redeemer",
        "intent_at",
        "created_at",
        "expires_at",
    )
    return [row[name] for name in names]


def _plain(value: AuthorizationRequest | Progress) -> dict[str, Any]:
    found = {each.name: getattr(value, each.name) for each in fields(value)}
    return {name: each.reveal() if isinstance(each, Secret) else each for name, each in found.items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
