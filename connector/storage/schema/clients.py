"""The room `clients`: products, their apps and workers, registrations at providers, our own tokens and keys."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import blob, integer, key, metadata, text

tenants = sa.Table("tenants", metadata, key(), text("name"), integer("created_at"), sa.UniqueConstraint("name"))

clients = sa.Table(
    "clients",
    metadata,
    key(),
    text("tenant_id"),
    text("name"),
    text("type"),  # web | worker
    text("scopes"),
    text("purposes"),
    text("integrations"),  # [] = every integration of the tenant
    text("redirect_uris"),
    text("return_uris"),
    text("authentication"),  # client_secret_basic (basic and post) | private_key_jwt
    text("jwks", null=True),
    integer("require_par", default=0),
    integer("created_at"),
    integer("removed_at", null=True),
    blob("seal"),
    sa.UniqueConstraint("tenant_id", "name"),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    key(),
    text("client_id"),
    blob("hash"),
    integer("created_at"),
    integer("expires_at", null=True),
    blob("seal"),
    sa.Index("ix_client_secrets_client_id", "client_id"),
)

access_tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    text("tenant_id"),
    text("client_id"),
    text("kind"),  # client | person
    text("sub", null=True),
    text("authorization_id", null=True),
    text("scopes"),
    integer("created_at"),
    integer("expires_at"),
    integer("revoked_at", null=True),
    blob("seal"),
    sa.Index("ix_access_tokens_authorization_id", "authorization_id"),
    sa.Index("ix_access_tokens_expires_at", "expires_at"),
)

client_assertions = sa.Table(  # jti of private_key_jwt, used once
    "client_assertions", metadata, sa.Column("hash", sa.LargeBinary, primary_key=True), integer("expires_at")
)

integrations = sa.Table(
    "integrations",
    metadata,
    key(),
    text("tenant_id"),
    text("name"),
    text("provider"),
    text("issuer"),
    text("client_id"),
    blob("client_secret"),  # sealed under the tenant's key
    integer("key_epoch"),
    integer("generation"),
    text("scopes"),
    text("imports"),  # ["profile", "contacts"]
    integer("sync_every_s", null=True),
    text("settings"),
    integer("created_at"),
    integer("removed_at", null=True),
    blob("seal"),
    sa.UniqueConstraint("tenant_id", "name"),
)

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    key("kid"),
    text("purpose"),  # id_token | ledger | receipt
    text("algorithm"),
    text("public_jwk"),
    blob("private_key"),  # sealed under the gateway's own key
    integer("key_epoch"),
    integer("created_at"),
    integer("retired_at", null=True),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    text("client_id"),
    text("key"),
    text("about", null=True),  # whose: the user or the connection that the request's address names
    blob("request_hash"),
    sa.Column("status", sa.Integer, nullable=True),
    blob("answer", null=True),  # sealed under the tenant's key
    integer("key_epoch", null=True),
    integer("created_at"),
    integer("expires_at"),
    sa.PrimaryKeyConstraint("client_id", "key"),
)
