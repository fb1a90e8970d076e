"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from connector.consent.choices import TABLE, address, sealed_fields
from connector.consent.events import OF_ONE, chained
from connector.model.tags import Choice
from connector.storage import Row
from vault import Owner
from vault.verification import Keys, Place


def _consent(keys: Keys, row: Row) -> None:
    keys.of_tenant(row["tenant_id"]).check_row(TABLE, sealed_fields(row), bytes(row["seal"]))


def _record(keys: Keys, row: Row) -> None:
    key = keys.of(Owner(row["tenant_id"], "user", row["sub"]), row["key_epoch"])
    key.open(address(row), bytes(row["record"]), generation=row["generation"])


def _events(keys: Keys, row: Row) -> None:
    chained(keys.beside(OF_ONE, id=row["id"]), keys.of_tenant(row["tenant_id"]), Choice(row["choice"]))


SEALED = (
    Place("consents", "consents", ("id",), _consent),
    Place("consent_events", "consents", ("id",), _events),
    Place("consents.record", "consents", ("id",), _record),
)
