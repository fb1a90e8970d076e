"""The room `tokens`: what a provider gave, sealed."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import blob, integer, key, metadata, text

connection_tokens = sa.Table(
    "connection_tokens",
    metadata,
    key("connection_id"),
    integer("generation"),
    blob("access"),  # sealed under the connection's token key
    blob("refresh", null=True),
    text("token_type"),
    integer("landed_at"),
)

orphan_tokens = (
    sa.Table(  # answers that came after somebody else took over or the person revoked; sealed, revoked, then dropped
        "orphan_tokens",
        metadata,
        key(),
        text("connection_id"),
        integer("generation"),
        blob("sealed"),
        text("reason"),
        integer("created_at"),
        integer("revoked_at", null=True),
    )
)
