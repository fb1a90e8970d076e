"""What may be registered as a client: every rule in one place, each refusal with the way to mend it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connector.clients import words
from connector.clients.assertions import client_keys
from connector.clients.uris import redirect_uris
from connector.model.errors import BadInput
from connector.model.tags import Purpose


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client as somebody asks for it.

    Attributes:
        type: web (redirects people) or worker (acts without them).
        scopes, purposes: None for what the type gets by default; the first purpose stands where a request names none.
        integrations: names or ids; empty for every integration of the tenant, later ones included.
        redirect_uris, return_uris: exact; return URIs are where the portal may send people back to.
        authentication: client_secret_basic (the body form is taken as well) or private_key_jwt.
        jwks: the client's public keys (RFC 7517) for private_key_jwt.
        require_par: whether plain authorization requests are refused (RFC 9126 section 6).
    """

    tenant_id: str
    name: str
    type: str
    scopes: tuple[str, ...] | None = None
    purposes: tuple[str, ...] | None = None
    integrations: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    return_uris: tuple[str, ...] = ()
    authentication: str = "client_secret_basic"
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    require_par: bool = False


def checked(new: NewClient, *, development: bool) -> NewClient:
    """The same with defaults filled in and every rule held.

    Raises:
        BadInput: a rule is broken; the hint says how to mend it.
    """
    words.name_of(new.name, "client")
    if new.type not in words.CLIENT_TYPES:
        raise BadInput("unknown_client_type", f"{new.type!r} is no client type; use web or worker.")
    web = new.type == "web"
    by_default = words.WEB_SCOPES if web else words.WORKER_SCOPES
    result = replace(
        new,
        scopes=words.known(by_default if new.scopes is None else new.scopes, words.SCOPES, "scope"),
        purposes=_purposes(new, words.WEB_PURPOSES if web else words.WORKER_PURPOSES),
        redirect_uris=redirect_uris(new.redirect_uris, development=development),
        return_uris=redirect_uris(new.return_uris, development=development, what="return URI"),
        jwks=_keys(new),
    )
    _refuse_mixtures(result)
    return result


def _purposes(new: NewClient, by_default: tuple[str, ...]) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(by_default if new.purposes is None else new.purposes))
    words.known(asked, tuple(purpose.value for purpose in Purpose), "purpose")
    if not asked:
        raise BadInput("unknown_purpose", "A client needs at least one purpose, such as service.")
    return asked  # in the order asked: the first is the default


def _refuse_mixtures(new: NewClient) -> None:
    signs_people_up = set(new.scopes or ()) & set(words.PERSON_SCOPES)
    if new.type == "worker" and (new.redirect_uris or new.require_par or signs_people_up):
        raise BadInput(
            "worker_redirects",
            "A worker signs nobody up: leave out redirect URIs, PAR and the scopes openid, profile, email, contacts; "
            "or register a client of type web.",
        )
    if "openid" in signs_people_up and not new.redirect_uris:
        raise BadInput("missing_redirect_uri", "A web client that signs people up needs at least one redirect URI.")


def _keys(new: NewClient) -> Mapping[str, Any] | None:
    if new.authentication not in words.AUTHENTICATIONS:
        raise BadInput(
            "unknown_authentication",
            f"{new.authentication!r} is no way to authenticate; use {' or '.join(words.AUTHENTICATIONS)}.",
        )
    if new.authentication == "client_secret_basic":
        if new.jwks is not None:
            raise BadInput("bad_jwks", "Keys are for private_key_jwt; leave them out, or choose that method.")
        return None
    if new.jwks is None:
        raise BadInput("bad_jwks", "private_key_jwt needs the client's public keys as a JWK set.")
    client_keys(json.dumps(new.jwks))
    return new.jwks
