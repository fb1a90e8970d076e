"""Tenants: one product each, sharing nothing with another."""

from __future__ import annotations

from dataclasses import dataclass

from connector.clients.tenant_key import owner_of
from connector.clients.words import name_of
from connector.model.errors import Conflict, NotFound
from connector.model.ids import new_id
from connector.storage import Row, Transaction
from vault import Vault


@dataclass(frozen=True, slots=True)
class Tenant:
    """One product: its clients, users and integrations. `created_at` in ms."""

    id: str
    name: str
    created_at: int


def add_tenant(tx: Transaction, vault: Vault, name: str) -> Tenant:
    """A new tenant with its keys.

    Raises:
        BadInput: the name cannot be used.
        Conflict: a tenant of this name is there.
    """
    tenant = Tenant(new_id("ten"), name_of(name, "tenant"), tx.now())
    added = tx.run(
        "INSERT INTO tenants (id, name, created_at) VALUES (:id, :name, :now) ON CONFLICT (name) DO NOTHING",
        id=tenant.id,
        name=tenant.name,
        now=tenant.created_at,
    )
    if not added:
        raise Conflict("tenant_exists", f"There is a tenant called {name!r}; choose another name.")
    vault.create_tenant(tx, tenant.id)
    vault.create_key(tx, owner_of(tenant.id))
    return tenant


def tenants(tx: Transaction) -> list[Tenant]:
    """Every tenant, by name."""
    return [_tenant(row) for row in tx.all("SELECT id, name, created_at FROM tenants ORDER BY name")]


def tenant_named(tx: Transaction, name: str) -> Tenant | None:
    """The tenant of that name or id, if there is one."""
    row = tx.one("SELECT id, name, created_at FROM tenants WHERE name = :name OR id = :name", name=name)
    return None if row is None else _tenant(row)


def find_tenant(tx: Transaction, name: str) -> Tenant:
    """The tenant of that name or id.

    Raises:
        NotFound: there is none.
    """
    tenant = tenant_named(tx, name)
    if tenant is None:
        raise NotFound("tenant")
    return tenant


def _tenant(row: Row) -> Tenant:
    return Tenant(row["id"], row["name"], row["created_at"])
