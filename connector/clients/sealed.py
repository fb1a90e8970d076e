"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from connector.clients import access_tokens, clients, idempotency, integrations, rotation, signing_keys
from connector.clients.tenant_key import owner_of
from connector.model.ids import GATEWAY_TENANT
from connector.storage import Row
from vault.verification import Keys, Place

_SECRETS = (
    "(SELECT s.*, c.tenant_id FROM client_secrets s JOIN clients c ON c.id = s.client_id) client_secrets_of_tenants"
)

_ANSWERS = "(SELECT k.*, c.tenant_id FROM idempotency_keys k JOIN clients c ON c.id = k.client_id) answers_of_tenants"


def _client(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row("clients", clients.sealed_fields(row), bytes(row["seal"]))


def _secret(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row("client_secrets", rotation._fields(row), bytes(row["seal"]))


def _access_token(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row("access_tokens", access_tokens._fields(row), bytes(row["seal"]))


def _integration(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row("integrations", integrations._fields(row), bytes(row["seal"]))


def _integration_secret(keys: Keys, row: Row) -> None:
    address = integrations._address(row["tenant_id"], row["id"], row["provider"])  # noqa: SLF001  one room
    key = keys.of(owner_of(row["tenant_id"]), row["key_epoch"])
    key.open(address, bytes(row["client_secret"]), generation=row["generation"])


def _signing_key(keys: Keys, row: Row) -> None:
    address = signing_keys._address(row["purpose"], row["kid"])  # noqa: SLF001  one room
    keys.of(owner_of(GATEWAY_TENANT), row["key_epoch"]).open(address, bytes(row["private_key"]), generation=1)


def _answer(keys: Keys, row: Row) -> None:
    address = idempotency._address(row["tenant_id"], row["client_id"], row["key"])  # noqa: SLF001  one room
    keys.of(owner_of(row["tenant_id"]), row["key_epoch"]).open(address, bytes(row["answer"]), generation=row["status"])


SEALED = (
    Place("clients", "clients", ("id",), _client),
    Place("client_secrets", _SECRETS, ("id",), _secret),
    Place("access_tokens", "access_tokens", ("hash",), _access_token),
    Place("integrations", "integrations", ("id",), _integration),
    Place("integrations.client_secret", "integrations", ("id",), _integration_secret, "removed_at IS NULL"),
    Place("signing_keys.private_key", "signing_keys", ("kid",), _signing_key),
    Place("idempotency_keys.answer", _ANSWERS, ("client_id", "key"), _answer, "answer IS NOT NULL"),
)
