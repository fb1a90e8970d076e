"""`connector integrations`: a tenant's own registrations at providers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from connector.cli.output import confirmed
from connector.cli.registering import with_credentials
from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenant, chosen_tenants, tenant_option
from connector.cli.written import Duration, pairs_of, secret_in
from connector.clients import (
    Integration,
    NewIntegration,
    Tenant,
    add_integration,
    integrations_of,
    remove_integration,
    set_integration_secret,
)
from connector.model.errors import BadInput, NotFound
from connector.model.instants import iso
from connector.settings import Settings
from connector.settings.durations import show_duration
from connector.storage import Transaction
from providers import catalogue
from providers.secret import Secret


@click.group()
def integrations() -> None:
    """Integrations: a tenant's own registrations at providers."""


@integrations.command(
    epilog="Example: connector integrations add google --client-id ID --client-secret-file google.secret "
    "--import profile,contacts --sync-every 6h"
)
@click.argument("provider")
@tenant_option
@click.option("--name", default="", help="What to call it; else as the provider.")
@click.option("--issuer", default="", help="The provider's own URL, for oidc and rehearsal.")
@click.option("--client-id", default="", help="The client id that the provider gave.")
@click.option(
    "--client-secret-file",
    type=click.Path(path_type=Path),
    help="A file with the client secret that the provider gave; - for standard input.",
)
@click.option("--register", is_flag=True, help="Instead of both: let the server give them, where it does so by itself.")
@click.option("--scope", "scopes", multiple=True, help="Instead of the provider's default scopes. Repeatable.")
@click.option(
    "--import", "imports", default="profile", show_default=True, help="profile, contacts, both with a comma, or none."
)
@click.option(
    "--setting",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="For this provider alone; connector providers show lists the keys. Repeatable.",
)
@click.option("--sync-every", type=Duration(), help="Import again so often, such as 6h; else only when asked.")
@session_options
def add(
    session: Session,
    *,
    provider: str,
    tenant: str | None,
    name: str,
    issuer: str,
    client_id: str,
    client_secret_file: Path | None,
    register: bool,
    scopes: tuple[str, ...],
    imports: str,
    settings: tuple[str, ...],
    sync_every: timedelta | None,
) -> None:
    """Register the gateway at a provider, and say which addresses to enter there."""
    with session.store.read() as tx:
        tenant_id = chosen_tenant(tx, tenant).id
    new = NewIntegration(
        tenant_id,
        provider,
        client_id=client_id,
        client_secret=_secret(session, client_secret_file, named=bool(client_id), register=register),
        name=name,
        issuer=issuer.rstrip("/") if provider == "rehearsal" else issuer,
        scopes=tuple(word for words in scopes for word in words.replace(",", " ").split()) or None,
        imports=() if imports == "none" else tuple(imports.replace(",", " ").split()),
        sync_every_s=int(sync_every.total_seconds()) if sync_every else None,
        settings=pairs_of(settings, "--setting"),
    )
    if register:
        new = with_credentials(session, new)
    with session.store.transaction() as tx:
        made = add_integration(tx, session.vault, new, development=session.settings.is_development)
    session.out.document(document(made, session.settings), lambda: _show(session, made))


def _secret(session: Session, file: Path | None, *, named: bool, register: bool) -> Secret:
    """The client secret from its file; empty where the server is to give it. Credentials come one way or the other."""
    if register:
        if named or file is not None:
            raise click.UsageError("With --register the server gives the credentials; leave the others out.")
        return Secret("")
    if file is None or not named:
        raise click.UsageError("Give --client-id and --client-secret-file, or --register.")
    secret, warning = secret_in(file)
    if warning:
        session.out.warn(warning)
    return Secret(secret)


@integrations.command("list", epilog="Example: connector integrations list --json")
@tenant_option
@session_options
def list_(session: Session, *, tenant: str | None) -> None:
    """List integrations, of one tenant or of all."""
    with session.store.read() as tx:
        found = _everywhere(tx, session, tenant)
    rows = [(one.name, one.provider, one.id, of.name, one.imports, _every(one)) for of, one in found]
    session.out.document(
        [document(one, session.settings) for _, one in found],
        lambda: session.out.table(
            ("name", "provider", "id", "tenant", "imports", "every"),
            rows,
            empty="There is no integration yet; add one with: connector integrations add PROVIDER",
        ),
    )


@integrations.command(epilog="Example: connector integrations show google")
@click.argument("integration", metavar="ID")
@tenant_option
@session_options
def show(session: Session, *, integration: str, tenant: str | None) -> None:
    """Show one, with the addresses to enter at the provider. Its secret is never shown."""
    with session.store.read() as tx:
        found = _called(tx, session, tenant, integration)[1]
    session.out.document(document(found, session.settings), lambda: _show(session, found))


@integrations.command("set-secret", epilog="Example: connector integrations set-secret google --file google.secret")
@click.argument("integration", metavar="ID")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), required=True, help="Where it is; - for standard input."
)
@tenant_option
@session_options
def set_secret(session: Session, *, integration: str, file: Path, tenant: str | None) -> None:
    """Replace the client secret after the provider gave a new one. Used from the next request on."""
    secret, warning = secret_in(file)
    if warning:
        session.out.warn(warning)
    with session.store.transaction() as tx:
        of, found = _called(tx, session, tenant, integration)
        set_integration_secret(tx, session.vault, of.id, found.id, Secret(secret))
    session.out.document(
        {"id": found.id, "secret": "replaced"}, lambda: session.out.say(f"The secret of {found.name} is replaced.")
    )


@integrations.command(epilog="Example: connector integrations remove google")
@click.argument("integration", metavar="ID")
@tenant_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def remove(session: Session, *, integration: str, tenant: str | None, yes: bool) -> None:
    """End an integration: nobody signs up with it any more, and its secret is overwritten."""
    with session.store.read() as tx:
        of, found = _called(tx, session, tenant, integration)
    confirmed(f"End the integration {found.name} of {of.name}?", yes=yes or session.out.as_json)
    with session.store.transaction() as tx:
        remove_integration(tx, session.vault, of.id, found.id)
    session.out.document(
        {"id": found.id, "removed": True}, lambda: session.out.say(f"The integration {found.name} has ended.")
    )


def document(integration: Integration, settings: Settings) -> dict[str, Any]:
    """An integration for machines, with the addresses to enter at the provider. It has no secret in it."""
    public_url = settings.server.public_url
    return {
        "id": integration.id,
        "tenant": integration.tenant_id,
        "name": integration.name,
        "provider": integration.provider,
        "issuer": integration.issuer,
        "client_id": integration.client_id,
        "scopes": list(integration.scopes),
        "imports": list(integration.imports),
        "sync_every_s": integration.sync_every_s,
        "settings": dict(integration.settings),
        "callback_url": f"{public_url}/callback/{integration.id}",
        "signal_urls": [
            f"{public_url}/signals/{integration.id}/{kind}" for kind in catalogue.entry(integration.provider).signals
        ],
        "created_at": iso(integration.created_at),
    }


def _show(session: Session, integration: Integration) -> None:
    values = document(integration, session.settings)
    facts = {name.replace("_", " "): value for name, value in values.items() if name != "sync_every_s"}
    facts["settings"] = [f"{key}={value}" for key, value in integration.settings.items()]
    session.out.facts(facts | {"imported": _every(integration)})
    session.out.say(f"Enter the callback URL at {catalogue.entry(integration.provider).title}, exactly as it is.")


def _every(integration: Integration) -> str:
    if integration.sync_every_s is None:
        return "when asked"
    return f"every {show_duration(timedelta(seconds=integration.sync_every_s))}"


def _everywhere(tx: Transaction, session: Session, tenant: str | None) -> list[tuple[Tenant, Integration]]:
    return [(of, one) for of in chosen_tenants(tx, tenant) for one in integrations_of(tx, session.vault, of.id)]


def _called(tx: Transaction, session: Session, tenant: str | None, word: str) -> tuple[Tenant, Integration]:
    """The integration of that id or name. Raises NotFound, and BadInput where several tenants have one."""
    found = [(of, one) for of, one in _everywhere(tx, session, tenant) if word in {one.id, one.name}]
    if len(found) > 1:
        raise BadInput("which_integration", f"Several tenants have an integration {word!r}; add --tenant.")
    if not found:
        raise NotFound(f"integration as {word!r}; see: connector integrations list", code="unknown_integration")
    return found[0]
