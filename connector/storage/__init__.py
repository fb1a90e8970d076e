"""The database: schema, migrations, transactions.

Owns the tables and how a transaction runs; owns no SQL that a room asks. Rooms send plain SQL text with `:name`
parameters through a `Transaction`, and nobody else opens a connection.
"""

from connector.storage.store import Row, Store, Transaction, open_store
from connector.storage.upgrade import current_revision, head_revision, known_revisions, upgrade

__all__ = [
    "Row",
    "Store",
    "Transaction",
    "current_revision",
    "head_revision",
    "known_revisions",
    "open_store",
    "upgrade",
]
