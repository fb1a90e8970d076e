"""Everything that is sealed, tried: each room says what it keeps sealed, the vault opens it."""

from __future__ import annotations

from collections.abc import Callable

from connector.authorizations.sealed import SEALED as AUTHORIZATIONS
from connector.clients.sealed import SEALED as CLIENTS
from connector.connections.sealed import SEALED as CONNECTIONS
from connector.consent.sealed import SEALED as CONSENT
from connector.flows import evidence
from connector.inbox.sealed import SEALED as INBOX
from connector.model.clock import Clock
from connector.people.sealed import SEALED as PEOPLE
from connector.records.sealed import SEALED as RECORDS
from connector.storage import Row, Store
from connector.tokens.sealed import SEALED as TOKENS
from vault import Owner, Vault
from vault.verification import Keys, Pace, Place, Report, verify


def _receipt(keys: Keys, row: Row) -> None:
    address = evidence._address(row["tenant_id"], row["sub"], row["id"])  # noqa: SLF001  a flow's own address, tried here
    key = keys.of(Owner(row["tenant_id"], "user", row["sub"]), row["key_epoch"])
    key.open(address, bytes(row["sealed"]), generation=row["version"])


PLACES: tuple[Place, ...] = (
    *CLIENTS,
    *PEOPLE,
    *CONNECTIONS,
    *TOKENS,
    *RECORDS,
    *CONSENT,
    *AUTHORIZATIONS,
    *INBOX,
    Place("receipts", "receipts", ("id",), _receipt, "sealed IS NOT NULL"),
)


def verify_vault(
    store: Store,
    vault: Vault,
    clock: Clock,
    *,
    per_second: float | None = None,
    tell: Callable[[str, int, int], None] = lambda _place, _done, _all: None,
) -> Report:
    """Open every record and check every row seal, at most `per_second` a second.

    Raises:
        DatabaseUnavailable: the database went away.
    """
    return verify(store.read, vault, PLACES, Pace(clock.monotonic, clock.sleep, per_second), tell=tell)
