"""The database: schema, migrations, transactions.

Owns the tables and how a transaction runs; owns no SQL that a room asks. Rooms send plain SQL text with `:name`
parameters through a `Transaction`, and nobody else opens a connection.
"""

from connector.storage.store import Store, open_store
from connector.storage.transaction import Row, Transaction
from connector.storage.upgrade import current_revision, head_revision, known_revisions, missing_guards, upgrade
from connector.storage.verified import Read, Verified, read_of

__all__ = [
    "Read",
    "Row",
    "Store",
    "Transaction",
    "Verified",
    "current_revision",
    "head_revision",
    "known_revisions",
    "missing_guards",
    "open_store",
    "read_of",
    "upgrade",
]
