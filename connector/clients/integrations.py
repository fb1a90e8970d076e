"""Integrations: a tenant's own registrations at providers. The secret is sealed, and so is the whole row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.clients import words
from connector.clients.integration_rules import NewIntegration, checked
from connector.clients.tenant_key import altered, intact, owner_of, tenant_key
from connector.model.errors import BadInput, Conflict, NotFound
from connector.model.ids import new_id
from connector.settings import Settings
from connector.storage import Row, Transaction
from providers.capabilities import Registration
from providers.secret import Secret
from vault import Address, DataKey, Field, Vault

_COLUMNS = (
    "id",
    "tenant_id",
    "name",
    "provider",
    "issuer",
    "client_id",
    "client_secret",
    "key_epoch",
    "generation",
    "scopes",
    "imports",
    "sync_every_s",
    "settings",
    "created_at",
    "removed_at",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)}, seal FROM integrations"


@dataclass(frozen=True, slots=True)
class Integration:
    """A registration at a provider, opened.

    Attributes:
        issuer: base or issuer URL where it is the operator's to say; else "".
        scopes: what to ask for, in the provider's words.
        imports: profile, contacts or both.
        sync_every_s: seconds between scheduled imports; None for none.
        settings: the operator's settings for the adapter.
    """

    id: str
    tenant_id: str
    name: str
    provider: str
    issuer: str
    client_id: str
    client_secret: Secret
    scopes: tuple[str, ...]
    imports: tuple[str, ...]
    sync_every_s: int | None
    settings: Mapping[str, str] = field(default_factory=dict)
    created_at: int = 0


def add_integration(tx: Transaction, vault: Vault, new: NewIntegration, *, development: bool = False) -> Integration:
    """Register an integration.

    Raises:
        BadInput: it cannot be registered so.
        Conflict: the tenant has an integration of this name.
    """
    new = checked(new, development=development)
    key = tenant_key(tx, vault, new.tenant_id)
    values = _values(new, key, new.id or new_id("int"), tx.now())
    bound = ", ".join(f":{column}" for column in _COLUMNS)
    added = tx.run(
        f"INSERT INTO integrations ({', '.join(_COLUMNS)}, seal) VALUES ({bound}, :seal)"
        " ON CONFLICT (tenant_id, name) DO NOTHING",
        **values,
        seal=key.seal_row("integrations", _fields(values)),
    )
    if not added:
        raise Conflict("integration_exists", f"The tenant has an integration called {new.name!r}; choose another name.")
    return _integration(key, values)


def find_integration(tx: Transaction, vault: Vault, tenant_id: str, id_or_name: str) -> Integration:
    """The tenant's integration of that id or name.

    Raises:
        NotFound: there is none.
        Misconfigured: its row was altered.
    """
    row = tx.one(
        f"{_SELECT} WHERE tenant_id = :tenant AND (id = :word OR name = :word) AND removed_at IS NULL"
        " ORDER BY CASE WHEN id = :word THEN 0 ELSE 1 END LIMIT 1",
        tenant=tenant_id,
        word=id_or_name,
    )
    return _opened(tx, vault, row)


def integration_with_id(tx: Transaction, vault: Vault, integration_id: str) -> Integration:
    """The integration of that id, whosever it is: for callbacks and signals, which name nothing else.

    Raises:
        NotFound: there is none.
        Misconfigured: its row was altered.
    """
    return _opened(tx, vault, tx.one(f"{_SELECT} WHERE id = :id AND removed_at IS NULL", id=integration_id))


def integrations_of(tx: Transaction, vault: Vault, tenant_id: str) -> list[Integration]:
    """The tenant's integrations by name. Raises Misconfigured where a row was altered."""
    rows = tx.all(f"{_SELECT} WHERE tenant_id = :tenant AND removed_at IS NULL ORDER BY name", tenant=tenant_id)
    return [_opened(tx, vault, row) for row in rows]


def set_integration_secret(tx: Transaction, vault: Vault, tenant_id: str, id_or_name: str, secret: Secret) -> None:
    """Replace the client secret at the provider.

    Raises:
        BadInput: the secret is empty.
        NotFound, Misconfigured: as `find_integration`.
    """
    integration = find_integration(tx, vault, tenant_id, id_or_name)
    if not secret:
        raise BadInput("missing_client_secret", "The client secret is empty; write it into the file.")
    row = tx.one(f"{_SELECT} WHERE id = :id", id=integration.id)
    if row is None:
        raise NotFound("integration", code="unknown_integration")
    key = tenant_key(tx, vault, tenant_id)
    generation = row["generation"] + 1
    values = {column: row[column] for column in _COLUMNS} | {
        "client_secret": _seal_secret(key, _address(tenant_id, row["id"], row["provider"]), secret, generation),
        "key_epoch": key.epoch,
        "generation": generation,
    }
    _update(tx, key, values)


def remove_integration(tx: Transaction, vault: Vault, tenant_id: str, id_or_name: str) -> None:
    """End an integration: nothing new starts with it, its secret is overwritten; its connections are others' to end.

    Raises:
        NotFound: there is none.
    """
    row = tx.one(
        f"{_SELECT} WHERE tenant_id = :tenant AND (id = :word OR name = :word) AND removed_at IS NULL",
        tenant=tenant_id,
        word=id_or_name,
    )
    if row is None:
        raise NotFound("integration", code="unknown_integration")
    values = {column: row[column] for column in _COLUMNS} | {
        "client_secret": b"",
        "removed_at": tx.now(),
        "name": f"{row['name']} ({row['id']})",
    }
    _update(tx, tenant_key(tx, vault, tenant_id), values)


def registration_of(integration: Integration, settings: Settings) -> Registration:
    """What the provider's adapter may know of it. The redirect URI is unique to the integration."""
    own = getattr(settings.providers, integration.provider, None)
    shipped = {} if own is None else {name: str(value) for name, value in own.model_dump().items()}
    return Registration(
        client_id=integration.client_id,
        client_secret=integration.client_secret,
        redirect_uri=f"{settings.server.public_url}/callback/{integration.id}",
        issuer=integration.issuer,
        scopes=integration.scopes,
        settings=shipped | dict(integration.settings),
        development=settings.is_development,
    )


def _opened(tx: Transaction, vault: Vault, row: Row | None) -> Integration:
    if row is None:
        raise NotFound("integration", code="unknown_integration")
    key = vault.key(tx, owner_of(row["tenant_id"]), row["key_epoch"])
    newest = tenant_key(tx, vault, row["tenant_id"])
    if not intact(newest, "integrations", row["id"], _fields(row), row["seal"]):
        raise altered("integration", row["id"])
    return _integration(key, row)


def _integration(key: DataKey, row: Row) -> Integration:
    address = _address(row["tenant_id"], row["id"], row["provider"])
    secret = key.open(address, bytes(row["client_secret"]), generation=row["generation"])
    return Integration(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        provider=row["provider"],
        issuer=row["issuer"],
        client_id=row["client_id"],
        client_secret=Secret(secret.decode()),
        scopes=words.from_text(row["scopes"]),
        imports=words.from_text(row["imports"]),
        sync_every_s=row["sync_every_s"],
        settings=json.loads(row["settings"]),
        created_at=row["created_at"],
    )


def _update(tx: Transaction, key: DataKey, values: Mapping[str, Any]) -> None:
    tx.run(
        "UPDATE integrations SET client_secret = :client_secret, key_epoch = :key_epoch, generation = :generation,"
        " removed_at = :removed_at, name = :name, seal = :seal WHERE id = :id",
        **{name: values[name] for name in ("id", "client_secret", "key_epoch", "generation", "removed_at", "name")},
        seal=key.seal_row("integrations", _fields(values)),
    )


def _fields(row: Row) -> list[Field]:
    return [bytes(row[column]) if column == "client_secret" else row[column] for column in _COLUMNS]


def _seal_secret(key: DataKey, address: Address, secret: Secret, generation: int) -> bytes:
    return key.seal(address, secret.reveal().encode(), generation=generation)


def _address(tenant_id: str, integration_id: str, provider: str) -> Address:
    return Address(tenant_id, "tenant", tenant_id, provider, f"integrations.client_secret/{integration_id}")


def _values(new: NewIntegration, key: DataKey, integration_id: str, now: int) -> dict[str, Any]:
    address = _address(new.tenant_id, integration_id, new.provider)
    return {
        "id": integration_id,
        "tenant_id": new.tenant_id,
        "name": new.name,
        "provider": new.provider,
        "issuer": new.issuer,
        "client_id": new.client_id,
        "client_secret": _seal_secret(key, address, new.client_secret, 1),
        "key_epoch": key.epoch,
        "generation": 1,
        "scopes": words.to_text(new.scopes or ()),
        "imports": words.to_text(new.imports),
        "sync_every_s": new.sync_every_s,
        "settings": json.dumps(dict(new.settings), separators=(",", ":"), sort_keys=True),
        "created_at": now,
        "removed_at": None,
    }
