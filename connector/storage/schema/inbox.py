"""The room `inbox`: notices, what people make of them, and what was given outside."""

from __future__ import annotations

import sqlalchemy as sa

from connector.model.states import WorkState
from connector.storage.schema.columns import blob, integer, key, known, lease, metadata, text

notices = sa.Table(  # what the policy promises to tell: said once, then posted to each person it is for
    "notices",
    metadata,
    key(),
    text("tenant_id"),
    text("kind"),  # policy | sharing | transfer
    text("topic"),  # version, affiliate or acquirer
    text("title"),
    text("body"),  # JSON list of paragraphs; about nobody
    integer("window_ms"),  # how long each person has, from the moment it lies in their inbox
    integer("effective_at"),  # never before this
    integer("posted_at"),
    integer("spread_at", null=True),  # when everybody had it
    text("cursor", default=""),  # the last person that has it
    integer("withdrawn_at", null=True),
    blob("seal"),
    sa.UniqueConstraint("tenant_id", "kind", "topic"),
    sa.Index("ix_notices_spread_at", "spread_at"),
)

inbox_items = sa.Table(
    "inbox_items",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("notice_id", null=True),  # none: for this person alone, its words sealed
    text("kind"),  # policy | sharing | transfer | release | erasure
    text("topic", default=""),
    blob("sealed", null=True),
    integer("key_epoch", null=True),
    integer("posted_at"),
    integer("closes_at", null=True),  # until then nothing that it announces happens
    integer("effective_at", null=True),
    integer("shown_from", default=0),  # later than posted where the law forbids to tell
    blob("seal"),
    sa.UniqueConstraint("sub", "notice_id"),
    sa.Index("ix_inbox_items_user", "tenant_id", "sub"),
)

stances = sa.Table(  # a person's standing yes or no toward somebody who may get something
    "stances",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("toward"),  # mail | affiliate | agent | sharing | transfer
    text("name", default=""),  # empty: all of them
    text("stance"),  # no | yes | none
    text("by"),  # subject | gpc | app
    integer("created_at"),
    integer("updated_at"),
    blob("seal"),
    sa.UniqueConstraint("tenant_id", "sub", "toward", "name"),
)

mails = sa.Table(  # letters to be sent; address and words are read as they are sent
    "mails",
    metadata,
    key(),
    text("tenant_id"),
    text("sub", null=True),
    text("item_id", null=True),
    *lease(),
    text("error", null=True),
    integer("created_at"),
    integer("finished_at", null=True),
    known("state", WorkState),
    sa.UniqueConstraint("item_id"),
    sa.Index("ix_mails_due", "state", "next_at"),
    sa.Index("ix_mails_user", "tenant_id", "sub"),
)

releases = sa.Table(  # what was given to somebody outside by a named person who answers for it
    "releases",
    metadata,
    key(),
    text("tenant_id"),
    text("sub"),
    text("recipient"),  # authority | acquirer | affiliate | agent
    text("name"),
    text("purpose"),
    text("fields"),
    integer("count"),
    blob("sealed"),  # approver, reason, reference: under the person's key
    integer("key_epoch"),
    integer("silent_until", null=True),  # until then the law forbids to tell the person
    integer("created_at"),
    blob("seal"),
    sa.Index("ix_releases_user", "tenant_id", "sub"),
)

forwardings = sa.Table(  # an erasure on its way to those who got something of the person
    "forwardings",
    metadata,
    key(),
    text("tenant_id"),
    text("receipt_id", null=True),  # of the deletion
    text("recipient"),  # agent | affiliate | acquirer
    text("name"),
    text("reference"),  # id of the release: all that they need to find it
    *lease(),
    text("outcome", null=True),  # told | to_be_told: by the operator, by hand
    integer("deadline_at"),
    integer("created_at"),
    integer("finished_at", null=True),
    known("state", WorkState),
    sa.Index("ix_forwardings_due", "state", "next_at"),
    sa.Index("ix_forwardings_receipt_id", "receipt_id"),
)
