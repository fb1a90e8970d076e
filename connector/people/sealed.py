"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from functools import partial

from connector.people import identities, portal
from connector.storage import Row
from vault import Owner, epoch_of
from vault.verification import Keys, Place


def _identity(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row("identities", identities._sealed_fields(row), bytes(row["seal"]))  # noqa: SLF001  one room


def _subject(keys: Keys, row: Row) -> None:
    sealed = bytes(row["subject"])
    key = keys.of(Owner(row["tenant_id"], "user", row["sub"]), epoch_of(sealed))
    key.open(identities._address(row), sealed, generation=1)  # noqa: SLF001  one room


def _portal(table: str, keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(table, portal._fields(row), bytes(row["seal"]))


SEALED = (
    Place("identities", "identities", ("id",), _identity),
    Place("identities.subject", "identities", ("id",), _subject, "unlinked_at IS NULL"),
    Place("portal_links", "portal_links", ("hash",), partial(_portal, "portal_links")),
    Place("portal_sessions", "portal_sessions", ("hash",), partial(_portal, "portal_sessions")),
)
