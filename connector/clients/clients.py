"""Clients: the web apps and workers of a tenant, each row sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from connector.clients import words
from connector.clients.registration import NewClient, checked
from connector.clients.rotation import add_secret
from connector.clients.tenant_key import intact, tenant_key
from connector.model.errors import BadInput, Conflict, NotFound
from connector.model.ids import new_id
from connector.storage import Row, Transaction
from providers.secret import Secret
from vault import DataKey, Field, Vault

COLUMNS = (
    "id",
    "tenant_id",
    "name",
    "type",
    "scopes",
    "purposes",
    "integrations",
    "redirect_uris",
    "return_uris",
    "authentication",
    "jwks",
    "require_par",
    "created_at",
    "removed_at",
)
_SELECT = f"SELECT {', '.join(COLUMNS)}, seal FROM clients"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. `integrations` are ids, empty for all of the tenant; `jwks` is JSON text or None."""

    id: str
    tenant_id: str
    name: str
    type: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    integrations: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    return_uris: tuple[str, ...]
    authentication: str
    jwks: str | None
    require_par: bool
    created_at: int

    @property
    def default_purpose(self) -> str:
        """What stands where a request names no purpose."""
        return self.purposes[0]

    def may_use(self, integration_id: str) -> bool:
        """Whether connections of this integration exist for the client."""
        return not self.integrations or integration_id in self.integrations


def add_client(
    tx: Transaction, vault: Vault, new: NewClient, *, development: bool = False
) -> tuple[Client, Secret | None]:
    """Register a client; its secret is shown this once (None with private_key_jwt).

    Raises:
        BadInput: it cannot be registered so.
        Conflict: the tenant has a client of this name.
    """
    new = checked(new, development=development)
    key = tenant_key(tx, vault, new.tenant_id)
    values = _values(new, _integration_ids(tx, new), new_id("cli"), tx.now())
    listed = ", ".join(COLUMNS)
    bound = ", ".join(f":{column}" for column in COLUMNS)
    added = tx.run(
        f"INSERT INTO clients ({listed}, seal) VALUES ({bound}, :seal) ON CONFLICT (tenant_id, name) DO NOTHING",
        **values,
        seal=key.seal_row("clients", sealed_fields(values)),
    )
    if not added:
        raise Conflict("client_exists", f"The tenant has a client called {new.name!r}; choose another name.")
    secret = add_secret(tx, key, values["id"]) if new.authentication == "client_secret_basic" else None
    return client_from(values), secret


def find_client(tx: Transaction, vault: Vault, client_id: str) -> Client:
    """The client of that id, if it is registered and its row unaltered.

    Raises:
        NotFound: it never was, was removed, or its row was changed by someone else (logged).
    """
    row = tx.one(f"{_SELECT} WHERE id = :id AND removed_at IS NULL", id=client_id)
    if row is None or not _is_intact(tenant_key(tx, vault, row["tenant_id"]), row):
        raise NotFound("client", code="unknown_client")
    return client_from(row)


def client_called(tx: Transaction, vault: Vault, tenant_id: str, name_or_id: str) -> Client:
    """The tenant's client of that name or id. Raises NotFound."""
    row = tx.one(
        "SELECT id FROM clients WHERE tenant_id = :tenant AND (id = :name OR name = :name) AND removed_at IS NULL",
        tenant=tenant_id,
        name=name_or_id,
    )
    if row is None:
        raise NotFound("client", code="unknown_client")
    return find_client(tx, vault, row["id"])


def clients_of(tx: Transaction, vault: Vault, tenant_id: str) -> list[Client]:
    """The tenant's clients by name; a row that was altered is left out, and logged."""
    rows = tx.all(f"{_SELECT} WHERE tenant_id = :tenant AND removed_at IS NULL ORDER BY name", tenant=tenant_id)
    key = tenant_key(tx, vault, tenant_id) if rows else None
    return [client_from(row) for row in rows if key is not None and _is_intact(key, row)]


def remove_client(tx: Transaction, vault: Vault, client_id: str) -> None:
    """End a client: its secrets are deleted, its access tokens revoked, its name is free again.

    Raises:
        NotFound: there is no such client.
    """
    row = tx.one(f"{_SELECT} WHERE id = :id AND removed_at IS NULL", id=client_id)
    if row is None:
        raise NotFound("client", code="unknown_client")
    now = tx.now()
    tx.run("DELETE FROM client_secrets WHERE client_id = :id", id=client_id)
    tx.run("DELETE FROM access_tokens WHERE client_id = :id", id=client_id)
    values = {column: row[column] for column in COLUMNS} | {"removed_at": now, "name": f"{row['name']} ({client_id})"}
    tx.run(
        "UPDATE clients SET removed_at = :now, name = :name, seal = :seal WHERE id = :id",
        id=client_id,
        now=now,
        name=values["name"],
        seal=tenant_key(tx, vault, row["tenant_id"]).seal_row("clients", sealed_fields(values)),
    )


def client_from(row: Row, prefix: str = "") -> Client:
    """A client from its columns, each behind `prefix`."""
    return Client(
        row[prefix + "id"],
        row[prefix + "tenant_id"],
        row[prefix + "name"],
        row[prefix + "type"],
        words.from_text(row[prefix + "scopes"]),
        words.from_text(row[prefix + "purposes"]),
        words.from_text(row[prefix + "integrations"]),
        words.from_text(row[prefix + "redirect_uris"]),
        words.from_text(row[prefix + "return_uris"]),
        row[prefix + "authentication"],
        row[prefix + "jwks"],
        bool(row[prefix + "require_par"]),
        row[prefix + "created_at"],
    )


def sealed_fields(row: Row, prefix: str = "") -> list[Field]:
    """The columns that the row's seal covers: all of them."""
    return [row[prefix + column] for column in COLUMNS]


def _is_intact(key: DataKey, row: Row) -> bool:
    return intact(key, "clients", row["id"], sealed_fields(row), row["seal"])


def _integration_ids(tx: Transaction, new: NewClient) -> list[str]:
    rows = tx.all(
        "SELECT id, name FROM integrations WHERE tenant_id = :tenant AND removed_at IS NULL", tenant=new.tenant_id
    )
    by_word = {row["name"]: row["id"] for row in rows} | {row["id"]: row["id"] for row in rows}
    for word in new.integrations:
        if word not in by_word:
            raise BadInput(
                "unknown_integration",
                f"The tenant has no integration {word!r}; add it first, or see: connector integrations list.",
            )
    return [by_word[word] for word in dict.fromkeys(new.integrations)]


def _values(new: NewClient, integration_ids: list[str], client_id: str, now: int) -> dict[str, Any]:
    return {
        "id": client_id,
        "tenant_id": new.tenant_id,
        "name": new.name,
        "type": new.type,
        "scopes": words.to_text(new.scopes or ()),
        "purposes": words.to_text(new.purposes or ()),
        "integrations": words.to_text(integration_ids),
        "redirect_uris": words.to_text(new.redirect_uris),
        "return_uris": words.to_text(new.return_uris),
        "authentication": new.authentication,
        "jwks": None if new.jwks is None else json.dumps(new.jwks, separators=(",", ":")),
        "require_par": int(new.require_par),
        "created_at": now,
        "removed_at": None,
    }
