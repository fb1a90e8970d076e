"""The room `authorizations`: sign-ups and links under way."""

from __future__ import annotations

import sqlalchemy as sa

from connector.model.states import AuthorizationState
from connector.storage.schema.columns import blob, integer, key, known, metadata, text

authorizations = sa.Table(
    "authorizations",
    metadata,
    key(),
    text("tenant_id"),
    text("client_id"),
    text("integration_id", null=True),  # null until the person chose one
    text("kind"),  # sign_in | link | reauthorize
    text("state"),
    sa.Column("request_uri_hash", sa.LargeBinary, nullable=True, unique=True),
    sa.Column("browser_hash", sa.LargeBinary, nullable=True),
    sa.Column("state_hash", sa.LargeBinary, nullable=True, unique=True),
    sa.Column("code_hash", sa.LargeBinary, nullable=True, unique=True),
    blob("sealed"),  # request, choices, our secrets and the provider's code, under the flow's own key
    integer("generation"),
    text("sub", null=True),  # who it ended for
    text("connection_id", null=True),
    text("failure", null=True),  # code of the failed step, no personal data
    text("redeemer", null=True),  # worker id holding the exchange
    integer("intent_at", null=True),
    integer("created_at"),
    integer("expires_at"),
    integer("ended_at", null=True),
    blob("seal"),
    known("state", AuthorizationState),
    sa.Index("ix_authorizations_expires_at", "state", "expires_at"),
)
