"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from functools import partial

from connector.model.ids import GATEWAY_TENANT
from connector.people import children, identities, portal, users
from connector.storage import Row
from vault import Owner, epoch_of
from vault.verification import Keys, Place


def _user(keys: Keys, row: Row) -> None:
    if keys.demands_seals(GATEWAY_TENANT):
        key = keys.of_tenant(row["tenant_id"])
        key.check_row(users.TABLE, users.sealed_fields(row), bytes(row["seal"] or b""))


def _identity(keys: Keys, row: Row) -> None:
    key = keys.of_tenant(row["tenant_id"])
    key.check_row(identities.TABLE, identities.sealed_fields(row), bytes(row["seal"]))
    if row["subject_index_next"] is not None:
        moved = {**row, "subject_index": row["subject_index_next"]}
        key.check_row(identities.TABLE, identities.sealed_fields(moved), bytes(row["seal_next"] or b""))


def _subject(keys: Keys, row: Row) -> None:
    sealed = bytes(row["subject"])
    key = keys.of(Owner(row["tenant_id"], "user", row["sub"]), epoch_of(sealed))
    key.open(identities._address(row), sealed, generation=1)  # noqa: SLF001  one room


def _portal(table: str, keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(table, portal._fields(row), bytes(row["seal"]))


def _child(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(children.TABLE, children.sealed_fields(row), bytes(row["seal"]))


def _approval(keys: Keys, row: Row) -> None:
    key = keys.of(Owner(row["tenant_id"], "tenant", row["tenant_id"]), row["key_epoch"])
    key.open(children.address(row), bytes(row["approval"]), generation=1)


SEALED = (
    Place("users", "users", ("sub",), _user),
    Place("identities", "identities", ("id",), _identity),
    Place("identities.subject", "identities", ("id",), _subject, "unlinked_at IS NULL"),
    Place("child_accounts", "child_accounts", ("id",), _child),
    Place("child_accounts.approval", "child_accounts", ("id",), _approval, "approval IS NOT NULL"),
    Place("portal_links", "portal_links", ("hash",), partial(_portal, "portal_links")),
    Place("portal_sessions", "portal_sessions", ("hash",), partial(_portal, "portal_sessions")),
)
