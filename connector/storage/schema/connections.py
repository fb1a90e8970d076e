"""The room `connections`: grants at providers, where they came from, and how they end."""

from __future__ import annotations

import sqlalchemy as sa

from connector.model.states import ConnectionState, WorkState
from connector.storage.schema.columns import blob, counter, integer, key, known, lease, metadata, text

connections = sa.Table(
    "connections",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("pseudonym", null=True),  # the user's, beside the row that the fresh path reads
    text("identity_id"),
    text("integration_id"),
    text("provider"),
    text("issuer"),
    text("state"),
    integer("state_since"),  # when it came into this state; retention counts from here
    text("reason", null=True),  # why it is where it is: refresh_lost, grant_invalid, …
    text("granted_scopes"),
    text("declined_scopes", default="[]"),
    integer("generation"),  # of the tokens; never goes down
    integer("token_epoch"),
    integer("data_epoch"),
    integer("expires_at", null=True),  # of the access token
    integer("lifetime_s", null=True),  # the provider gave
    integer("can_refresh"),
    integer("refresh_at", null=True),  # when the background refresh is due
    integer("refresh_expires_at", null=True),
    integer("reauth_by", null=True),
    integer("fence", default=0),
    text("lease_owner", null=True),
    integer("lease_until", null=True),
    integer("intent_at", null=True),
    integer("intent_generation", null=True),
    integer("next_attempt_at", default=0),
    integer("attempts", default=0),
    integer("created_at"),
    integer("authorized_at"),  # last sign-in or reauthorisation; signals act only on older grants
    integer("refreshed_at", null=True),
    integer("revoked_at", null=True),
    text("ended_by", null=True),
    integer("import_at", null=True),  # when the next scheduled import is due
    blob("seal"),
    known("state", ConnectionState),
    sa.Index("ix_connections_user", "tenant_id", "sub"),
    sa.Index("ix_connections_identity_id", "identity_id"),
    sa.Index("ix_connections_integration_id", "integration_id"),
    sa.Index("ix_connections_refresh_due", "state", "refresh_at"),
    sa.Index("ix_connections_import_due", "import_at"),
    sa.Index(
        "ix_connections_not_refreshed",
        "expires_at",
        sqlite_where=sa.text("can_refresh = 0"),
        postgresql_where=sa.text("can_refresh = 0"),
    ),
    sa.Index("ix_connections_refresh_over", "refresh_expires_at"),
    sa.Index("ix_connections_reauth_by", "reauth_by"),
)

adoptions = (
    sa.Table(  # connections whose tokens were obtained elsewhere; without consent until the person saw the notice
        "adoptions",
        metadata,
        key("connection_id"),
        text("tenant_id"),
        text("client_id", null=True),  # the app that moved it in; null: the operator did
        integer("verified"),  # 1: the provider said whose account it is
        integer("generation"),  # of the tokens that were adopted last
        integer("obtained_at", null=True),  # when these tokens were obtained, where anybody knows
        integer("adopted_at"),
        integer("confirmed_at", null=True),
        blob("seal"),
    )
)

refresh_outcomes = sa.Table(  # for the fleet brake
    "refresh_outcomes",
    metadata,
    counter(),
    text("integration_id"),
    text("outcome"),
    integer("at"),
    sa.Index("ix_refresh_outcomes_integration_id_at", "integration_id", "at"),
)

revocations = sa.Table(
    "revocations",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("connection_id", null=True),
    text("integration_id", null=True),
    text("asked_by"),
    text("reason"),  # revoked | orphan | abandoned | deleted | under_age
    *lease(),
    integer("deadline_at"),
    text("outcome", null=True),  # confirmed | unsupported | shared | gave_up
    integer("confirmed_at", null=True),
    integer("token_key_destroyed_at", null=True),
    integer("data_key_due_at"),
    integer("data_key_destroyed_at", null=True),
    integer("last_token_expires_at", null=True),
    text("code"),  # unguessable, for a public status page
    text("receipt_id", null=True),
    integer("created_at"),
    integer("finished_at", null=True),
    known("state", WorkState),
    sa.UniqueConstraint("code"),
    sa.Index("ix_revocations_due", "state", "next_at"),
    sa.Index("ix_revocations_data_key_due", "data_key_due_at"),
    sa.Index("ix_revocations_created_at", "created_at"),
    sa.Index("ix_revocations_connection_id", "connection_id"),
)

signals = sa.Table(
    "signals",
    metadata,
    text("integration_id"),
    text("signal_id"),
    text("kind"),
    text("effect"),  # applied | unknown_account | newer_grant
    text("code", null=True),
    integer("received_at"),
    sa.PrimaryKeyConstraint("integration_id", "signal_id"),
)
