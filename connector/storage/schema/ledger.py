"""The room `ledger`: evidence."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import blob, counter, integer, key, metadata, text

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    counter(),
    sa.Column("tree_index", sa.BigInteger, nullable=True, unique=True),
    text("tenant_id"),
    text("pseudonym", null=True),
    text("kind"),
    text("entry"),  # canonical JSON, no personal data
    blob("leaf_hash"),
    integer("at"),
    sa.Index("ix_ledger_entries_pseudonym", "pseudonym"),
    sa.Index(
        "ix_ledger_entries_unsequenced",
        "id",
        sqlite_where=sa.text("tree_index IS NULL"),
        postgresql_where=sa.text("tree_index IS NULL"),
    ),
)

ledger_nodes = sa.Table(
    "ledger_nodes",
    metadata,
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    blob("hash"),
    sa.PrimaryKeyConstraint("level", "position"),
)

ledger_checkpoints = sa.Table(
    "ledger_checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    blob("root"),
    text("note"),
    integer("at"),
)

ledger_intents = sa.Table(  # attempts at something outside whose outcome has no entry yet
    "ledger_intents",
    metadata,
    sa.Column("entry_id", sa.BigInteger, primary_key=True, autoincrement=False),
    text("kind"),
    text("work"),  # id of the delivery, import or revocation
    integer("attempt"),
    integer("at"),
    sa.Index("ix_ledger_intents_work", "work", "attempt"),
)

receipts = sa.Table(
    "receipts",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("kind"),  # consent | revocation | erasure
    text("about"),  # id of the consent, revocation, …
    integer("version"),
    text("status"),  # trying | final
    integer("ledger_entry_id"),
    blob("sealed", null=True),  # body under the user's key; none in erasure receipts
    text("body", null=True),  # where it holds no personal data
    integer("key_epoch", null=True),
    integer("created_at"),
    sa.UniqueConstraint("about", "version"),
    sa.Index("ix_receipts_user", "tenant_id", "sub"),
)
