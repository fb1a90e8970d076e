"""Every table, once, for both databases: a file for each room that owns them.

Times are ms since the epoch; lists and maps are JSON text; flags are 0 or 1; `seal` is a row seal: an HMAC over the
row's meaning, so that a change in the database which would widen anything is noticed. Rooms own the SQL; these files
own the shape.
"""

from __future__ import annotations

from connector.storage.schema import (
    authorizations,
    clients,
    connections,
    consent,
    inbox,
    ledger,
    marks,
    people,
    publications,
    records,
    tokens,
    vault,
    work,
)
from connector.storage.schema.columns import metadata

__all__ = [
    "authorizations",
    "clients",
    "connections",
    "consent",
    "inbox",
    "ledger",
    "marks",
    "metadata",
    "people",
    "publications",
    "records",
    "tokens",
    "vault",
    "work",
]
