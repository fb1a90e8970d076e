"""Which columns of this room are blind indexes, for whoever brings them under another key."""

from __future__ import annotations

from connector.people import identities
from vault.index_rotation import Indexed

INDEXED = (
    Indexed("identities", "subject_index", ("id",), identities.PURPOSE, identities.sealed_fields),
    Indexed("refused_accounts", "subject_index", ("tenant_id", "integration_id", "subject_index"), identities.PURPOSE),
)
