"""Keys. The SQL of these tables belongs to the package `vault`, but for `key_rewrites`."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import blob, integer, key, metadata, text

tenant_keys = sa.Table(
    "tenant_keys",
    metadata,
    key(),
    text("tenant_id"),
    text("purpose"),  # wrap | index
    text("kek_id"),
    blob("wrapped"),
    integer("created_at"),
    integer("retired_at", null=True),
    sa.Index("ix_tenant_keys_tenant_id", "tenant_id", "purpose"),
    sa.Index("ix_tenant_keys_kek_id", "kek_id"),
)

data_keys = sa.Table(
    "data_keys",
    metadata,
    text("tenant_id"),
    text("owner_kind"),
    text("owner_id"),
    integer("epoch"),
    text("tenant_key_id"),
    blob("wrapped", null=True),
    integer("created_at"),
    integer("destroyed_at", null=True),
    sa.PrimaryKeyConstraint("owner_kind", "owner_id", "epoch"),
    sa.Index("ix_data_keys_tenant_key_id", "tenant_key_id"),
)

vault_canaries = sa.Table(
    "vault_canaries",
    metadata,
    key("tenant_id"),
    blob("sealed"),
    sa.Column("epoch", sa.Integer, nullable=False),
)

shred_ledger = sa.Table(
    "shred_ledger",
    metadata,
    key(),
    text("tenant_id"),
    text("owner_kind"),
    text("owner_id"),
    integer("epoch"),
    integer("destroyed_at"),
    sa.Index("ix_shred_ledger_destroyed_at", "destroyed_at"),
)

key_rewrites = (
    sa.Table(  # PostgreSQL: when the tables of keys were written anew, so that nothing old lies in their files
        "key_rewrites",
        metadata,
        sa.Column("began_at", sa.BigInteger, primary_key=True, autoincrement=False),
        integer("took_ms"),
    )
)

rekey_jobs = sa.Table(  # rotations: where each stands, so that another process can go on after a crash
    "rekey_jobs",
    metadata,
    key(),
    text("kind"),  # kek | tenant_keys
    text("to_kek"),
    text("from_keks"),
    text("phase"),  # distribute | promote | rewrap | verify | retire | done
    integer("total", default=0),
    integer("done", default=0),
    integer("failed", default=0),
    text("started_by"),
    integer("created_at"),
    integer("heartbeat_at"),
    integer("finished_at", null=True),
    sa.Index(
        "uq_rekey_jobs_open",
        "kind",
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    ),
)
