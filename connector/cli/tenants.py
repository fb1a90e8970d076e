"""`connector tenants`: products that share nothing."""

from __future__ import annotations

import click

from connector.cli.session import Session, session_options
from connector.clients import Tenant, add_tenant
from connector.clients import tenants as every_tenant
from connector.model.errors import BadInput, NotFound
from connector.model.instants import iso
from connector.storage import Transaction


@click.group()
def tenants() -> None:
    """Tenants: one product each, with its own clients, users and integrations."""


@tenants.command(epilog="Example: connector tenants add shop")
@click.argument("name")
@session_options
def add(session: Session, *, name: str) -> None:
    """Add a tenant, with keys of its own."""
    with session.store.transaction() as tx:
        made = add_tenant(tx, session.vault, name)
    session.out.document(document(made), lambda: session.out.say(f"Tenant {made.name} is {made.id}."))


@tenants.command("list", epilog="Example: connector tenants list --json")
@session_options
def list_(session: Session) -> None:
    """List the tenants."""
    with session.store.read() as tx:
        found = every_tenant(tx)
    rows = [(one.name, one.id, iso(one.created_at)) for one in found]
    session.out.document(
        [document(one) for one in found],
        lambda: session.out.table(
            ("name", "id", "since"), rows, empty="There is no tenant yet; add one with: connector tenants add NAME"
        ),
    )


def document(tenant: Tenant) -> dict[str, str | None]:
    """A tenant for machines."""
    return {"id": tenant.id, "name": tenant.name, "created_at": iso(tenant.created_at)}


def chosen_tenant(tx: Transaction, name: str | None) -> Tenant:
    """The tenant of that name or id; with no name, the only one there is.

    Raises:
        BadInput: none was named, and there are several or none.
        NotFound: there is no such tenant.
    """
    found = every_tenant(tx)
    if name is None:
        if len(found) == 1:
            return found[0]
        raise BadInput(
            "which_tenant",
            f"Say which tenant with --tenant: {', '.join(one.name for one in found)}."
            if found
            else "There is no tenant yet; add one with: connector tenants add NAME",
        )
    for one in found:
        if name in {one.name, one.id}:
            return one
    raise NotFound(f"tenant as {name!r}; see: connector tenants list", code="unknown_tenant")


def chosen_tenants(tx: Transaction, name: str | None) -> list[Tenant]:
    """The tenant of that name, or all. Raises NotFound."""
    return every_tenant(tx) if name is None else [chosen_tenant(tx, name)]


tenant_option = click.option(
    "--tenant", metavar="NAME", help="The tenant's name or id; may be left out if it is alone."
)
