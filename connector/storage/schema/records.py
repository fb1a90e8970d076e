"""The room `records`: values of people, how they come in and how they leave."""

from __future__ import annotations

import sqlalchemy as sa

from connector.model.states import WorkState
from connector.storage.schema.columns import blob, counter, integer, key, known, lease, metadata, text

cards = sa.Table(
    "cards",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("kind"),  # self | contact
    text("connection_id", null=True),
    sa.Column("external_index", sa.LargeBinary, nullable=True),  # blind index of the provider's item id
    blob("external_index_next", null=True),
    integer("created_at"),
    integer("updated_at"),
    integer("deleted_at", null=True),  # a tombstone: the next import does not bring it back
    text("deleted_by", null=True),  # person | provider | policy
    integer("seen_in", null=True),  # number of the import that last saw it
    sa.Index("ix_cards_user", "tenant_id", "sub"),
    sa.Index("uq_cards_external", "connection_id", "external_index", unique=True),
    sa.Index(
        "uq_cards_external_next",
        "connection_id",
        "external_index_next",
        unique=True,
        sqlite_where=sa.text("external_index_next IS NOT NULL"),
        postgresql_where=sa.text("external_index_next IS NOT NULL"),
    ),
)

records = sa.Table(
    "records",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("card_id"),
    text("connection_id", null=True),
    text("pointer"),
    text("tags"),  # canonical form; bound to the ciphertext
    text("category"),
    text("source"),
    text("revision"),
    text("origin"),  # JSON: provider, field, collected under which policy version and consent
    text("owner_kind"),  # whose key: user | connection_data
    text("owner_id"),
    integer("key_epoch"),
    integer("generation"),
    blob("sealed"),
    blob("fingerprint"),  # keyed hash of the value, to see change without opening
    integer("collected_at"),
    integer("expires_at", null=True),
    sa.Index("ix_records_card_id", "card_id"),
    sa.Index("ix_records_user", "tenant_id", "sub"),
    sa.Index("ix_records_connection_id", "connection_id"),
    sa.Index("ix_records_expires_at", "expires_at"),
)

changes = sa.Table(
    "changes",
    metadata,
    counter(),
    sa.Column("position", sa.BigInteger, nullable=True, unique=True),  # commit order; given by the sequencer
    text("tenant_id"),
    text("sub"),
    text("card_id"),
    text("pointer"),
    text("connection_id", null=True),
    text("kind"),  # changed | removed | card_removed | closed
    text("category"),
    integer("at"),
    sa.Index("ix_changes_tenant_id_position", "tenant_id", "position"),
)

imports = sa.Table(
    "imports",
    metadata,
    key(),
    text("tenant_id"),
    text("connection_id"),
    integer("number"),  # 1, 2, … per connection
    text("asked_by"),  # schedule | app | sign_in
    *lease(),
    text("counts", default="{}"),
    text("progress", default="{}"),  # what is done; cursors are sealed in import_cursors
    text("error", null=True),
    integer("created_at"),
    integer("started_at", null=True),
    integer("finished_at", null=True),
    known("state", WorkState),
    sa.UniqueConstraint("connection_id", "number"),
    sa.Index("ix_imports_due", "state", "next_at"),
)

import_cursors = sa.Table(
    "import_cursors",
    metadata,
    text("connection_id"),
    text("kind"),  # profile | contacts
    text("role"),  # page | sync
    blob("sealed"),
    integer("generation"),
    integer("updated_at"),
    sa.PrimaryKeyConstraint("connection_id", "kind", "role"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("connection_id"),
    text("field_group"),
    *lease(),
    text("pointers"),  # what changed; the values are read at send time
    text("idempotency_key"),
    integer("sent_at", null=True),  # set before the bytes leave; such a delivery is not sent twice blindly
    text("outcome", null=True),  # JSON: written, refused with words, clause
    integer("created_at"),
    integer("finished_at", null=True),
    known("state", WorkState),
    sa.Index("ix_deliveries_due", "state", "next_at"),
    sa.Index("ix_deliveries_user", "tenant_id", "sub"),
    sa.Index("ix_deliveries_connection_id", "connection_id"),
)
