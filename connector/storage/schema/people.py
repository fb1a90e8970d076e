"""The room `people`: who somebody is here, by which accounts, and how they come to their own pages."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import blob, integer, key, metadata, text

users = sa.Table(
    "users",
    metadata,
    key("sub"),
    text("tenant_id"),
    text("pseudonym", null=True),  # random; stands for the person in the ledger; forgotten at erasure
    text("account", default="open"),  # open | deleted
    text("age", default="ok"),  # ok | child | child_parent_ok
    integer("created_at"),
    integer("last_visit_at"),
    integer("deleted_at", null=True),
    integer("stances", default=0),  # how many rows of theirs there must be, so that none is deleted unseen
    blob("seal", null=True),  # none in rows of the first release, until the vault demands it
    sa.Index("ix_users_tenant_id", "tenant_id"),
    sa.Index("ix_users_pseudonym", "pseudonym"),
)

identities = sa.Table(
    "identities",
    metadata,
    key(),
    text("tenant_id"),
    text("integration_id"),
    text("issuer"),
    text("sub"),
    blob("subject_index"),  # blind index over (integration, issuer, subject)
    blob("subject_index_next", null=True),  # by the newer key, while one is brought in
    blob("subject"),  # sealed under the user's key
    integer("created_at"),
    integer("unlinked_at", null=True),
    blob("seal"),
    blob("seal_next", null=True),  # the row's seal with the newer index in the older one's place
    sa.Index(
        "uq_identities_live",
        "tenant_id",
        "integration_id",
        "subject_index",
        unique=True,
        sqlite_where=sa.text("unlinked_at IS NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL"),
    ),
    sa.Index(
        "uq_identities_live_next",
        "tenant_id",
        "integration_id",
        "subject_index_next",
        unique=True,
        sqlite_where=sa.text("unlinked_at IS NULL AND subject_index_next IS NOT NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL AND subject_index_next IS NOT NULL"),
    ),
    sa.Index("ix_identities_sub", "sub"),
)

refused_accounts = sa.Table(  # accounts of children: a keyed hash and nothing else, so that they are not imported again
    "refused_accounts",
    metadata,
    text("tenant_id"),
    text("integration_id"),
    blob("subject_index"),
    blob("subject_index_next", null=True),
    integer("created_at"),
    sa.PrimaryKeyConstraint("tenant_id", "integration_id", "subject_index"),
    sa.Index("uq_refused_accounts_next", "tenant_id", "integration_id", "subject_index_next", unique=True),
)

child_accounts = sa.Table(  # accounts of children: a keyed hash, and whether a verified parent agreed
    "child_accounts",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),  # the opaque id that the account had here
    blob("account", null=True),  # keyed hash; none: about the user of that id, whatever their accounts
    blob("approval", null=True),  # approver and reference, under the tenant's key
    integer("key_epoch", null=True),
    integer("refused_at", null=True),
    integer("approved_at", null=True),
    integer("expires_at"),
    blob("seal"),
    sa.Index("ix_child_accounts_account", "tenant_id", "account"),
    sa.Index("ix_child_accounts_user", "tenant_id", "sub"),
    sa.Index("ix_child_accounts_expires_at", "expires_at"),
)

portal_links = sa.Table(
    "portal_links",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    text("tenant_id"),
    text("client_id"),
    text("sub"),
    text("return_url"),
    integer("created_at"),
    integer("expires_at"),
    integer("used_at", null=True),
    blob("seal"),
)

portal_sessions = sa.Table(
    "portal_sessions",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    text("tenant_id"),
    text("client_id"),
    text("sub"),
    text("return_url"),
    integer("created_at"),
    integer("expires_at"),
    integer("ended_at", null=True),
    blob("seal"),
    sa.Index("ix_portal_sessions_sub", "sub"),
)
