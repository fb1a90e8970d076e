"""Registers the gateway at a server that gives out credentials by itself, before the integration is stored."""

from __future__ import annotations

from dataclasses import replace

from connector.cli.checks import PROBE_S
from connector.cli.session import Session
from connector.clients import Integration, NewIntegration, checked, registration_of
from connector.egress import Egress
from connector.model.errors import BadInput, TryLater
from connector.model.ids import new_id
from providers import catalogue
from providers.errors import ProviderError
from providers.generic import register_app
from providers.secret import Secret

_TO_COME = "to-come"  # stands where the credentials will be, while every other rule is held


def with_credentials(session: Session, new: NewIntegration) -> NewIntegration:
    """The same integration with an id of its own and the credentials that its server gave.

    Raises:
        BadInput: it could not be added anyway (nothing is sent then), or the server does not register apps so.
        TryLater: the server does not answer now.
    """
    development = session.settings.is_development
    trial = replace(new, client_id=_TO_COME, client_secret=Secret(_TO_COME), id=new_id("int"))
    ready = checked(trial, development=development)
    entry = catalogue.entry(ready.provider)
    parts = {name: getattr(ready, name) for name in ("id", "tenant_id", "name", "provider", "issuer", "client_id")}
    planned = Integration(
        **parts,
        client_secret=ready.client_secret,
        scopes=ready.scopes or (),
        imports=ready.imports,
        sync_every_s=ready.sync_every_s,
        settings=ready.settings,
    )
    egress = Egress(session.clock, deadline_s=PROBE_S, max_bytes=1 << 16, development=development)
    name = session.settings.policy.controller.name
    try:
        made = egress.drive(register_app(entry, registration_of(planned, session.settings), name), provider=planned.id)
    except ProviderError as error:
        if error.kind in {"try_later", "ambiguous"}:
            raise TryLater(f"{entry.title}: {error.hint}", retry_after_s=60, code="registration_unanswered") from None
        raise BadInput("registration_refused", f"{entry.title}: {error.hint}") from None
    finally:
        egress.close()
    return replace(trial, client_id=made.client_id, client_secret=made.client_secret)
