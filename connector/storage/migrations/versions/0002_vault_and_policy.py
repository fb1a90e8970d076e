"""Vault and policy

Revision: 0002
After: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# Batch mode makes a table anew on SQLite and loses its triggers: see connector/storage/migrations/env.py.
def upgrade() -> None:
    op.create_table(
        "adoptions",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("verified", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("obtained_at", sa.BigInteger(), nullable=True),
        sa.Column("adopted_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_adoptions")),
    )
    op.create_table(
        "child_accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=True),
        sa.Column("approval", sa.LargeBinary(), nullable=True),
        sa.Column("key_epoch", sa.BigInteger(), nullable=True),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_child_accounts")),
    )
    with op.batch_alter_table("child_accounts", schema=None) as batch_op:
        batch_op.create_index("ix_child_accounts_account", ["tenant_id", "account"], unique=False)
        batch_op.create_index("ix_child_accounts_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_child_accounts_user", ["tenant_id", "sub"], unique=False)

    op.create_table(
        "forwardings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("next_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'claimed', 'done', 'failed', 'conflict', 'refused', 'void', 'dead')",
            name=op.f("ck_forwardings_known_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forwardings")),
    )
    with op.batch_alter_table("forwardings", schema=None) as batch_op:
        batch_op.create_index("ix_forwardings_due", ["state", "next_at"], unique=False)
        batch_op.create_index("ix_forwardings_receipt_id", ["receipt_id"], unique=False)

    op.create_table(
        "inbox_items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("key_epoch", sa.BigInteger(), nullable=True),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", sa.BigInteger(), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=True),
        sa.Column("shown_from", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_items")),
        sa.UniqueConstraint("sub", "notice_id", name=op.f("uq_inbox_items_sub_notice_id")),
    )
    with op.batch_alter_table("inbox_items", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_items_user", ["tenant_id", "sub"], unique=False)

    op.create_table(
        "key_rewrites",
        sa.Column("began_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("began_at", name=op.f("pk_key_rewrites")),
    )
    op.create_table(
        "ledger_intents",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("work", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_ledger_intents")),
    )
    with op.batch_alter_table("ledger_intents", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_intents_work", ["work", "attempt"], unique=False)

    op.create_table(
        "mails",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=True),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("next_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'claimed', 'done', 'failed', 'conflict', 'refused', 'void', 'dead')",
            name=op.f("ck_mails_known_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("item_id", name=op.f("uq_mails_item_id")),
    )
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.create_index("ix_mails_due", ["state", "next_at"], unique=False)
        batch_op.create_index("ix_mails_user", ["tenant_id", "sub"], unique=False)

    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("window_ms", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("spread_at", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("tenant_id", "kind", "topic", name=op.f("uq_notices_tenant_id_kind_topic")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("ix_notices_spread_at", ["spread_at"], unique=False)

    op.create_table(
        "policy_announcements",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("older", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("eased", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("ledger_entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policy_announcements")),
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_epoch", sa.BigInteger(), nullable=False),
        sa.Column("silent_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index("ix_releases_user", ["tenant_id", "sub"], unique=False)

    op.create_table(
        "schema_marks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schema_marks")),
    )
    op.create_table(
        "stances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("toward", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("stance", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stances")),
        sa.UniqueConstraint("tenant_id", "sub", "toward", "name", name=op.f("uq_stances_tenant_id_sub_toward_name")),
    )
    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.add_column(sa.Column("external_index_next", sa.LargeBinary(), nullable=True))
        batch_op.create_index(
            "uq_cards_external_next",
            ["connection_id", "external_index_next"],
            unique=True,
            sqlite_where=sa.text("external_index_next IS NOT NULL"),
            postgresql_where=sa.text("external_index_next IS NOT NULL"),
        )

    with op.batch_alter_table("consent_events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seal", sa.LargeBinary(), nullable=True))

    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seal_next", sa.LargeBinary(), nullable=True))
        batch_op.create_index(
            "uq_identities_live_next",
            ["tenant_id", "integration_id", "subject_index_next"],
            unique=True,
            sqlite_where=sa.text("unlinked_at IS NULL AND subject_index_next IS NOT NULL"),
            postgresql_where=sa.text("unlinked_at IS NULL AND subject_index_next IS NOT NULL"),
        )

    with op.batch_alter_table("policy_versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ledger_entry_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("consents_checked_at", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("refused_accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject_index_next", sa.LargeBinary(), nullable=True))
        batch_op.create_index(
            "uq_refused_accounts_next", ["tenant_id", "integration_id", "subject_index_next"], unique=True
        )

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stances", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("seal", sa.LargeBinary(), nullable=True))
