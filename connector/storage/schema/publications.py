"""The room `publications`: versions of the policy that were in force, and those that were announced."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import integer, key, metadata, text

policy_versions = sa.Table(
    "policy_versions",
    metadata,
    key("version"),
    text("sha256"),
    integer("effective_at"),
    integer("first_used_at"),
    integer("announced_at", null=True),
    integer("ledger_entry_id", null=True),  # the entry that pins the hash
    integer("consents_checked_at", null=True),  # when every consent that it widened had been marked stale
)

policy_announcements = sa.Table(  # versions that people were told of before they take effect
    "policy_announcements",
    metadata,
    key("version"),
    text("sha256"),
    text("older"),  # the version it was compared with
    integer("effective_at"),
    integer("announced_at"),
    integer("opened"),  # cells
    integer("eased"),
    integer("closed"),
    text("notice"),  # the words; about nobody
    integer("ledger_entry_id"),
)
