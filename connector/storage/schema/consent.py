"""The room `consent`: what was chosen, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa

from connector.storage.schema.columns import blob, counter, integer, key, metadata, text

consents = sa.Table(
    "consents",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("connection_id"),
    text("integration_id"),
    text("direction"),  # import | push
    text("field_group"),  # import: profile | contacts; push: a field group
    text("choice"),  # given | none | stale | withdrawn
    text("policy_version"),
    blob("fingerprint"),  # of the policy cells it opened
    blob("record"),  # the TS 27560 record, sealed under the user's key
    integer("key_epoch"),
    integer("generation"),
    integer("created_at"),
    integer("updated_at"),
    blob("seal"),
    sa.UniqueConstraint("connection_id", "direction", "field_group"),
    sa.Index("ix_consents_user", "tenant_id", "sub"),
)

consent_events = sa.Table(
    "consent_events",
    metadata,
    counter(),
    text("consent_id"),
    text("event"),  # requested | given | refused | withdrawn | expired | invalidated | renewed
    text("by"),  # subject | app | provider | operator | system
    text("method"),
    text("policy_version"),
    integer("at"),
    blob("seal", null=True),  # over this event and the seal of the one before it
    sa.Index("ix_consent_events_consent_id", "consent_id"),
)
