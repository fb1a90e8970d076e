"""What the database says about itself: see `connector.storage.marks`."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import key, metadata, text

schema_marks = sa.Table(  # what other versions of the code must know of this database; see `storage.upgrade`
    "schema_marks",
    metadata,
    key("name"),
    text("value"),
)
