"""Every table, once, for both databases.

Times are ms since the epoch; lists and maps are JSON text; flags are 0 or 1; `seal` is a row seal: an HMAC over the
row's meaning, so that a change in the database which would widen anything is noticed. Rooms own the SQL; this file owns
the shape.
"""

from __future__ import annotations

import sqlalchemy as sa

from connector.model.states import AuthorizationState, ConnectionState, WorkState

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, server_default=default)


def _key(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _int(name: str, *, null: bool = False, default: int | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null, server_default=None if default is None else str(default))


def _blob(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=null)


def _counter(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


def _in(column: str, words: type[ConnectionState | AuthorizationState | WorkState]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word.value}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"known_{column}")


def _lease() -> list[sa.Column[str] | sa.Column[int]]:
    """Columns of every claimable row: see the room `work`."""
    return [
        _text("state", default="queued"),
        _int("next_at", default=0),
        _int("attempts", default=0),
        _int("fence", default=0),
        _text("lease_owner", null=True),
        _int("lease_until", null=True),
    ]


# Products and their clients ------------------------------------------------------------------------

tenants = sa.Table("tenants", metadata, _key(), _text("name"), _int("created_at"), sa.UniqueConstraint("name"))

clients = sa.Table(
    "clients",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("name"),
    _text("type"),  # web | worker
    _text("scopes"),
    _text("purposes"),
    _text("integrations"),  # [] = every integration of the tenant
    _text("redirect_uris"),
    _text("return_uris"),
    _text("authentication"),  # client_secret_basic (basic and post) | private_key_jwt
    _text("jwks", null=True),
    _int("require_par", default=0),
    _int("created_at"),
    _int("removed_at", null=True),
    _blob("seal"),
    sa.UniqueConstraint("tenant_id", "name"),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    _key(),
    _text("client_id"),
    _blob("hash"),
    _int("created_at"),
    _int("expires_at", null=True),
    _blob("seal"),
    sa.Index("ix_client_secrets_client_id", "client_id"),
)

access_tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    _text("tenant_id"),
    _text("client_id"),
    _text("kind"),  # client | person
    _text("sub", null=True),
    _text("authorization_id", null=True),
    _text("scopes"),
    _int("created_at"),
    _int("expires_at"),
    _int("revoked_at", null=True),
    _blob("seal"),
    sa.Index("ix_access_tokens_authorization_id", "authorization_id"),
    sa.Index("ix_access_tokens_expires_at", "expires_at"),
)

client_assertions = sa.Table(  # jti of private_key_jwt, used once
    "client_assertions", metadata, sa.Column("hash", sa.LargeBinary, primary_key=True), _int("expires_at")
)

integrations = sa.Table(
    "integrations",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("name"),
    _text("provider"),
    _text("issuer"),
    _text("client_id"),
    _blob("client_secret"),  # sealed under the tenant's key
    _int("key_epoch"),
    _int("generation"),
    _text("scopes"),
    _text("imports"),  # ["profile", "contacts"]
    _int("sync_every_s", null=True),
    _text("settings"),
    _int("created_at"),
    _int("removed_at", null=True),
    _blob("seal"),
    sa.UniqueConstraint("tenant_id", "name"),
)

# People --------------------------------------------------------------------------------------------

users = sa.Table(
    "users",
    metadata,
    _key("sub"),
    _text("tenant_id"),
    _text("pseudonym", null=True),  # random; stands for the person in the ledger; forgotten at erasure
    _text("account", default="open"),  # open | deleted
    _text("age", default="ok"),  # ok | child | child_parent_ok
    _int("created_at"),
    _int("last_visit_at"),
    _int("deleted_at", null=True),
    _int("stances", default=0),  # how many rows of theirs there must be, so that none is deleted unseen
    _blob("seal", null=True),  # none in rows of the first release, until the vault demands it
    sa.Index("ix_users_tenant_id", "tenant_id"),
    sa.Index("ix_users_pseudonym", "pseudonym"),
)

identities = sa.Table(
    "identities",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("integration_id"),
    _text("issuer"),
    _text("sub"),
    _blob("subject_index"),  # blind index over (integration, issuer, subject)
    _blob("subject_index_next", null=True),  # by the newer key, while one is brought in
    _blob("subject"),  # sealed under the user's key
    _int("created_at"),
    _int("unlinked_at", null=True),
    _blob("seal"),
    _blob("seal_next", null=True),  # the row's seal with the newer index in the older one's place
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
    _text("tenant_id"),
    _text("integration_id"),
    _blob("subject_index"),
    _blob("subject_index_next", null=True),
    _int("created_at"),
    sa.PrimaryKeyConstraint("tenant_id", "integration_id", "subject_index"),
    sa.Index("uq_refused_accounts_next", "tenant_id", "integration_id", "subject_index_next", unique=True),
)

portal_links = sa.Table(
    "portal_links",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    _text("tenant_id"),
    _text("client_id"),
    _text("sub"),
    _text("return_url"),
    _int("created_at"),
    _int("expires_at"),
    _int("used_at", null=True),
    _blob("seal"),
)

portal_sessions = sa.Table(
    "portal_sessions",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    _text("tenant_id"),
    _text("client_id"),
    _text("sub"),
    _text("return_url"),
    _int("created_at"),
    _int("expires_at"),
    _int("ended_at", null=True),
    _blob("seal"),
    sa.Index("ix_portal_sessions_sub", "sub"),
)

# Authorization flows -------------------------------------------------------------------------------

authorizations = sa.Table(
    "authorizations",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("client_id"),
    _text("integration_id", null=True),  # null until the person chose one
    _text("kind"),  # sign_in | link | reauthorize
    _text("state"),
    sa.Column("request_uri_hash", sa.LargeBinary, nullable=True, unique=True),
    sa.Column("browser_hash", sa.LargeBinary, nullable=True),
    sa.Column("state_hash", sa.LargeBinary, nullable=True, unique=True),
    sa.Column("code_hash", sa.LargeBinary, nullable=True, unique=True),
    _blob("sealed"),  # request, choices, our secrets and the provider's code, under the flow's own key
    _int("generation"),
    _text("sub", null=True),  # who it ended for
    _text("connection_id", null=True),
    _text("failure", null=True),  # code of the failed step, no personal data
    _text("redeemer", null=True),  # worker id holding the exchange
    _int("intent_at", null=True),
    _int("created_at"),
    _int("expires_at"),
    _int("ended_at", null=True),
    _blob("seal"),
    _in("state", AuthorizationState),
    sa.Index("ix_authorizations_expires_at", "state", "expires_at"),
)

# Connections and their tokens ----------------------------------------------------------------------

connections = sa.Table(
    "connections",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("pseudonym", null=True),  # the user's, beside the row that the fresh path reads
    _text("identity_id"),
    _text("integration_id"),
    _text("provider"),
    _text("issuer"),
    _text("state"),
    _int("state_since"),  # when it came into this state; retention counts from here
    _text("reason", null=True),  # why it is where it is: refresh_lost, grant_invalid, …
    _text("granted_scopes"),
    _text("declined_scopes", default="[]"),
    _int("generation"),  # of the tokens; never goes down
    _int("token_epoch"),
    _int("data_epoch"),
    _int("expires_at", null=True),  # of the access token
    _int("lifetime_s", null=True),  # the provider gave
    _int("can_refresh"),
    _int("refresh_at", null=True),  # when the background refresh is due
    _int("refresh_expires_at", null=True),
    _int("reauth_by", null=True),
    _int("fence", default=0),
    _text("lease_owner", null=True),
    _int("lease_until", null=True),
    _int("intent_at", null=True),
    _int("intent_generation", null=True),
    _int("next_attempt_at", default=0),
    _int("attempts", default=0),
    _int("created_at"),
    _int("authorized_at"),  # last sign-in or reauthorisation; signals act only on older grants
    _int("refreshed_at", null=True),
    _int("revoked_at", null=True),
    _text("ended_by", null=True),
    _int("import_at", null=True),  # when the next scheduled import is due
    _blob("seal"),
    _in("state", ConnectionState),
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

connection_tokens = sa.Table(
    "connection_tokens",
    metadata,
    _key("connection_id"),
    _int("generation"),
    _blob("access"),  # sealed under the connection's token key
    _blob("refresh", null=True),
    _text("token_type"),
    _int("landed_at"),
)

adoptions = (
    sa.Table(  # connections whose tokens were obtained elsewhere; without consent until the person saw the notice
        "adoptions",
        metadata,
        _key("connection_id"),
        _text("tenant_id"),
        _text("client_id", null=True),  # the app that moved it in; null: the operator did
        _int("verified"),  # 1: the provider said whose account it is
        _int("generation"),  # of the tokens that were adopted last
        _int("obtained_at", null=True),  # when these tokens were obtained, where anybody knows
        _int("adopted_at"),
        _int("confirmed_at", null=True),
        _blob("seal"),
    )
)

orphan_tokens = (
    sa.Table(  # answers that came after somebody else took over or the person revoked; sealed, revoked, then dropped
        "orphan_tokens",
        metadata,
        _key(),
        _text("connection_id"),
        _int("generation"),
        _blob("sealed"),
        _text("reason"),
        _int("created_at"),
        _int("revoked_at", null=True),
    )
)

refresh_outcomes = sa.Table(  # for the fleet brake
    "refresh_outcomes",
    metadata,
    _counter(),
    _text("integration_id"),
    _text("outcome"),
    _int("at"),
    sa.Index("ix_refresh_outcomes_integration_id_at", "integration_id", "at"),
)

# Values --------------------------------------------------------------------------------------------

cards = sa.Table(
    "cards",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("kind"),  # self | contact
    _text("connection_id", null=True),
    sa.Column("external_index", sa.LargeBinary, nullable=True),  # blind index of the provider's item id
    _blob("external_index_next", null=True),
    _int("created_at"),
    _int("updated_at"),
    _int("deleted_at", null=True),  # a tombstone: the next import does not bring it back
    _text("deleted_by", null=True),  # person | provider | policy
    _int("seen_in", null=True),  # number of the import that last saw it
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
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("card_id"),
    _text("connection_id", null=True),
    _text("pointer"),
    _text("tags"),  # canonical form; bound to the ciphertext
    _text("category"),
    _text("source"),
    _text("revision"),
    _text("origin"),  # JSON: provider, field, collected under which policy version and consent
    _text("owner_kind"),  # whose key: user | connection_data
    _text("owner_id"),
    _int("key_epoch"),
    _int("generation"),
    _blob("sealed"),
    _blob("fingerprint"),  # keyed hash of the value, to see change without opening
    _int("collected_at"),
    _int("expires_at", null=True),
    sa.Index("ix_records_card_id", "card_id"),
    sa.Index("ix_records_user", "tenant_id", "sub"),
    sa.Index("ix_records_connection_id", "connection_id"),
    sa.Index("ix_records_expires_at", "expires_at"),
)

changes = sa.Table(
    "changes",
    metadata,
    _counter(),
    sa.Column("position", sa.BigInteger, nullable=True, unique=True),  # commit order; given by the sequencer
    _text("tenant_id"),
    _text("sub"),
    _text("card_id"),
    _text("pointer"),
    _text("connection_id", null=True),
    _text("kind"),  # changed | removed | card_removed | closed
    _text("category"),
    _int("at"),
    sa.Index("ix_changes_tenant_id_position", "tenant_id", "position"),
)

imports = sa.Table(
    "imports",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("connection_id"),
    _int("number"),  # 1, 2, … per connection
    _text("asked_by"),  # schedule | app | sign_in
    *_lease(),
    _text("counts", default="{}"),
    _text("progress", default="{}"),  # what is done; cursors are sealed in import_cursors
    _text("error", null=True),
    _int("created_at"),
    _int("started_at", null=True),
    _int("finished_at", null=True),
    _in("state", WorkState),
    sa.UniqueConstraint("connection_id", "number"),
    sa.Index("ix_imports_due", "state", "next_at"),
)

import_cursors = sa.Table(
    "import_cursors",
    metadata,
    _text("connection_id"),
    _text("kind"),  # profile | contacts
    _text("role"),  # page | sync
    _blob("sealed"),
    _int("generation"),
    _int("updated_at"),
    sa.PrimaryKeyConstraint("connection_id", "kind", "role"),
)

# Outward work --------------------------------------------------------------------------------------

deliveries = sa.Table(
    "deliveries",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("connection_id"),
    _text("field_group"),
    *_lease(),
    _text("pointers"),  # what changed; the values are read at send time
    _text("idempotency_key"),
    _int("sent_at", null=True),  # set before the bytes leave; such a delivery is not sent twice blindly
    _text("outcome", null=True),  # JSON: written, refused with words, clause
    _int("created_at"),
    _int("finished_at", null=True),
    _in("state", WorkState),
    sa.Index("ix_deliveries_due", "state", "next_at"),
    sa.Index("ix_deliveries_user", "tenant_id", "sub"),
    sa.Index("ix_deliveries_connection_id", "connection_id"),
)

revocations = sa.Table(
    "revocations",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("connection_id", null=True),
    _text("integration_id", null=True),
    _text("asked_by"),
    _text("reason"),  # revoked | orphan | abandoned | deleted | under_age
    *_lease(),
    _int("deadline_at"),
    _text("outcome", null=True),  # confirmed | unsupported | shared | gave_up
    _int("confirmed_at", null=True),
    _int("token_key_destroyed_at", null=True),
    _int("data_key_due_at"),
    _int("data_key_destroyed_at", null=True),
    _int("last_token_expires_at", null=True),
    _text("code"),  # unguessable, for a public status page
    _text("receipt_id", null=True),
    _int("created_at"),
    _int("finished_at", null=True),
    _in("state", WorkState),
    sa.UniqueConstraint("code"),
    sa.Index("ix_revocations_due", "state", "next_at"),
    sa.Index("ix_revocations_data_key_due", "data_key_due_at"),
    sa.Index("ix_revocations_created_at", "created_at"),
    sa.Index("ix_revocations_connection_id", "connection_id"),
)

signals = sa.Table(
    "signals",
    metadata,
    _text("integration_id"),
    _text("signal_id"),
    _text("kind"),
    _text("effect"),  # applied | unknown_account | newer_grant
    _text("code", null=True),
    _int("received_at"),
    sa.PrimaryKeyConstraint("integration_id", "signal_id"),
)

# Consent -------------------------------------------------------------------------------------------

consents = sa.Table(
    "consents",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("connection_id"),
    _text("integration_id"),
    _text("direction"),  # import | push
    _text("field_group"),  # import: profile | contacts; push: a field group
    _text("choice"),  # given | none | stale | withdrawn
    _text("policy_version"),
    _blob("fingerprint"),  # of the policy cells it opened
    _blob("record"),  # the TS 27560 record, sealed under the user's key
    _int("key_epoch"),
    _int("generation"),
    _int("created_at"),
    _int("updated_at"),
    _blob("seal"),
    sa.UniqueConstraint("connection_id", "direction", "field_group"),
    sa.Index("ix_consents_user", "tenant_id", "sub"),
)

consent_events = sa.Table(
    "consent_events",
    metadata,
    _counter(),
    _text("consent_id"),
    _text("event"),  # requested | given | refused | withdrawn | expired | invalidated | renewed
    _text("by"),  # subject | app | provider | operator | system
    _text("method"),
    _text("policy_version"),
    _int("at"),
    _blob("seal", null=True),  # over this event and the seal of the one before it
    sa.Index("ix_consent_events_consent_id", "consent_id"),
)

# Notices and what people make of them ---------------------------------------------------------------

notices = sa.Table(  # what the policy promises to tell: said once, then posted to each person it is for
    "notices",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("kind"),  # policy | sharing | transfer
    _text("topic"),  # version, affiliate or acquirer
    _text("title"),
    _text("body"),  # JSON list of paragraphs; about nobody
    _int("window_ms"),  # how long each person has, from the moment it lies in their inbox
    _int("effective_at"),  # never before this
    _int("posted_at"),
    _int("spread_at", null=True),  # when everybody had it
    _text("cursor", default=""),  # the last person that has it
    _int("withdrawn_at", null=True),
    _blob("seal"),
    sa.UniqueConstraint("tenant_id", "kind", "topic"),
    sa.Index("ix_notices_spread_at", "spread_at"),
)

inbox_items = sa.Table(
    "inbox_items",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("notice_id", null=True),  # none: for this person alone, its words sealed
    _text("kind"),  # policy | sharing | transfer | release | erasure
    _text("topic", default=""),
    _blob("sealed", null=True),
    _int("key_epoch", null=True),
    _int("posted_at"),
    _int("closes_at", null=True),  # until then nothing that it announces happens
    _int("effective_at", null=True),
    _int("shown_from", default=0),  # later than posted where the law forbids to tell
    _blob("seal"),
    sa.UniqueConstraint("sub", "notice_id"),
    sa.Index("ix_inbox_items_user", "tenant_id", "sub"),
)

stances = sa.Table(  # a person's standing yes or no toward somebody who may get something
    "stances",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("toward"),  # mail | affiliate | agent | sharing | transfer
    _text("name", default=""),  # empty: all of them
    _text("stance"),  # no | yes | none
    _text("by"),  # subject | gpc | app
    _int("created_at"),
    _int("updated_at"),
    _blob("seal"),
    sa.UniqueConstraint("tenant_id", "sub", "toward", "name"),
)

mails = sa.Table(  # letters to be sent; address and words are read as they are sent
    "mails",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub", null=True),
    _text("item_id", null=True),
    *_lease(),
    _text("error", null=True),
    _int("created_at"),
    _int("finished_at", null=True),
    _in("state", WorkState),
    sa.UniqueConstraint("item_id"),
    sa.Index("ix_mails_due", "state", "next_at"),
    sa.Index("ix_mails_user", "tenant_id", "sub"),
)

releases = sa.Table(  # what was given to somebody outside by a named person who answers for it
    "releases",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("recipient"),  # authority | acquirer | affiliate | agent
    _text("name"),
    _text("purpose"),
    _text("fields"),
    _int("count"),
    _blob("sealed"),  # approver, reason, reference: under the person's key
    _int("key_epoch"),
    _int("silent_until", null=True),  # until then the law forbids to tell the person
    _int("created_at"),
    _blob("seal"),
    sa.Index("ix_releases_user", "tenant_id", "sub"),
)

forwardings = sa.Table(  # an erasure on its way to those who got something of the person
    "forwardings",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("receipt_id", null=True),  # of the deletion
    _text("recipient"),  # agent | affiliate | acquirer
    _text("name"),
    _text("reference"),  # id of the release: all that they need to find it
    *_lease(),
    _text("outcome", null=True),  # told | to_be_told: by the operator, by hand
    _int("deadline_at"),
    _int("created_at"),
    _int("finished_at", null=True),
    _in("state", WorkState),
    sa.Index("ix_forwardings_due", "state", "next_at"),
    sa.Index("ix_forwardings_receipt_id", "receipt_id"),
)

child_accounts = sa.Table(  # accounts of children: a keyed hash, and whether a verified parent agreed
    "child_accounts",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),  # the opaque id that the account had here
    _blob("account", null=True),  # keyed hash; none: about the user of that id, whatever their accounts
    _blob("approval", null=True),  # approver and reference, under the tenant's key
    _int("key_epoch", null=True),
    _int("refused_at", null=True),
    _int("approved_at", null=True),
    _int("expires_at"),
    _blob("seal"),
    sa.Index("ix_child_accounts_account", "tenant_id", "account"),
    sa.Index("ix_child_accounts_user", "tenant_id", "sub"),
    sa.Index("ix_child_accounts_expires_at", "expires_at"),
)

# Evidence ------------------------------------------------------------------------------------------

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    _counter(),
    sa.Column("tree_index", sa.BigInteger, nullable=True, unique=True),
    _text("tenant_id"),
    _text("pseudonym", null=True),
    _text("kind"),
    _text("entry"),  # canonical JSON, no personal data
    _blob("leaf_hash"),
    _int("at"),
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
    _blob("hash"),
    sa.PrimaryKeyConstraint("level", "position"),
)

ledger_checkpoints = sa.Table(
    "ledger_checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    _blob("root"),
    _text("note"),
    _int("at"),
)

ledger_intents = sa.Table(  # attempts at something outside whose outcome has no entry yet
    "ledger_intents",
    metadata,
    sa.Column("entry_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("kind"),
    _text("work"),  # id of the delivery, import or revocation
    _int("attempt"),
    _int("at"),
    sa.Index("ix_ledger_intents_work", "work", "attempt"),
)

receipts = sa.Table(
    "receipts",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("sub"),
    _text("kind"),  # consent | revocation | erasure
    _text("about"),  # id of the consent, revocation, …
    _int("version"),
    _text("status"),  # trying | final
    _int("ledger_entry_id"),
    _blob("sealed", null=True),  # body under the user's key; none in erasure receipts
    _text("body", null=True),  # where it holds no personal data
    _int("key_epoch", null=True),
    _int("created_at"),
    sa.UniqueConstraint("about", "version"),
    sa.Index("ix_receipts_user", "tenant_id", "sub"),
)

policy_versions = sa.Table(
    "policy_versions",
    metadata,
    _key("version"),
    _text("sha256"),
    _int("effective_at"),
    _int("first_used_at"),
    _int("announced_at", null=True),
    _int("ledger_entry_id", null=True),  # the entry that pins the hash
    _int("consents_checked_at", null=True),  # when every consent that it widened had been marked stale
)

policy_announcements = sa.Table(  # versions that people were told of before they take effect
    "policy_announcements",
    metadata,
    _key("version"),
    _text("sha256"),
    _text("older"),  # the version it was compared with
    _int("effective_at"),
    _int("announced_at"),
    _int("opened"),  # cells
    _int("eased"),
    _int("closed"),
    _text("notice"),  # the words; about nobody
    _int("ledger_entry_id"),
)

# Keys (the SQL of these belongs to `vault`) --------------------------------------------------------

tenant_keys = sa.Table(
    "tenant_keys",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("purpose"),  # wrap | index
    _text("kek_id"),
    _blob("wrapped"),
    _int("created_at"),
    _int("retired_at", null=True),
    sa.Index("ix_tenant_keys_tenant_id", "tenant_id", "purpose"),
    sa.Index("ix_tenant_keys_kek_id", "kek_id"),
)

data_keys = sa.Table(
    "data_keys",
    metadata,
    _text("tenant_id"),
    _text("owner_kind"),
    _text("owner_id"),
    _int("epoch"),
    _text("tenant_key_id"),
    _blob("wrapped", null=True),
    _int("created_at"),
    _int("destroyed_at", null=True),
    sa.PrimaryKeyConstraint("owner_kind", "owner_id", "epoch"),
    sa.Index("ix_data_keys_tenant_key_id", "tenant_key_id"),
)

vault_canaries = sa.Table(
    "vault_canaries",
    metadata,
    _key("tenant_id"),
    _blob("sealed"),
    sa.Column("epoch", sa.Integer, nullable=False),
)

shred_ledger = sa.Table(
    "shred_ledger",
    metadata,
    _key(),
    _text("tenant_id"),
    _text("owner_kind"),
    _text("owner_id"),
    _int("epoch"),
    _int("destroyed_at"),
    sa.Index("ix_shred_ledger_destroyed_at", "destroyed_at"),
)

key_rewrites = (
    sa.Table(  # PostgreSQL: when the tables of keys were written anew, so that nothing old lies in their files
        "key_rewrites",
        metadata,
        sa.Column("began_at", sa.BigInteger, primary_key=True, autoincrement=False),
        _int("took_ms"),
    )
)

rekey_jobs = sa.Table(  # rotations: where each stands, so that another process can go on after a crash
    "rekey_jobs",
    metadata,
    _key(),
    _text("kind"),  # kek | tenant_keys
    _text("to_kek"),
    _text("from_keks"),
    _text("phase"),  # distribute | promote | rewrap | verify | retire | done
    _int("total", default=0),
    _int("done", default=0),
    _int("failed", default=0),
    _text("started_by"),
    _int("created_at"),
    _int("heartbeat_at"),
    _int("finished_at", null=True),
    sa.Index(
        "uq_rekey_jobs_open",
        "kind",
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    ),
)

# Housekeeping --------------------------------------------------------------------------------------

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    _key("kid"),
    _text("purpose"),  # id_token | ledger | receipt
    _text("algorithm"),
    _text("public_jwk"),
    _blob("private_key"),  # sealed under the gateway's own key
    _int("key_epoch"),
    _int("created_at"),
    _int("retired_at", null=True),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    _text("client_id"),
    _text("key"),
    _text("about", null=True),  # whose: the user or the connection that the request's address names
    _blob("request_hash"),
    sa.Column("status", sa.Integer, nullable=True),
    _blob("answer", null=True),  # sealed under the tenant's key
    _int("key_epoch", null=True),
    _int("created_at"),
    _int("expires_at"),
    sa.PrimaryKeyConstraint("client_id", "key"),
)

processes = sa.Table(  # who is alive: leases of the dead are taken over at once
    "processes",
    metadata,
    _key(),
    _text("kind"),
    _text("host"),
    _int("pid"),
    _int("started_at"),
    _int("seen_at"),
)

schema_marks = sa.Table(  # what other versions of the code must know of this database; see `storage.upgrade`
    "schema_marks",
    metadata,
    _key("name"),
    _text("value"),
)
