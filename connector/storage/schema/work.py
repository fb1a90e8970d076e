"""The room `work`: who is alive. What it claims are rows of other rooms, by the columns of a lease."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import integer, key, metadata, text

processes = sa.Table(  # who is alive: leases of the dead are taken over at once
    "processes",
    metadata,
    key(),
    text("kind"),
    text("host"),
    integer("pid"),
    integer("started_at"),
    integer("seen_at"),
)
