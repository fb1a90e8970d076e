"""Which columns of this room are blind indexes, for whoever brings them under another key."""

from __future__ import annotations

from connector.records.cards import EXTERNAL
from vault.index_rotation import Indexed

INDEXED = (Indexed("cards", "external_index", ("id",), EXTERNAL),)
