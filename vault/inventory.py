"""How many keys there are, and under which KEK: for operators. No key is opened."""

from collections.abc import Mapping
from dataclasses import dataclass

from vault.tables import Transaction


@dataclass(frozen=True, slots=True)
class Inventory:
    """Counts of keys.

    Attributes:
        tenant_keys: KEK id → tenant keys wrapped by it.
        data_keys: owner kind → data keys that can be opened.
        destroyed: owner kind → data keys that were destroyed.
    """

    tenant_keys: Mapping[str, int]
    data_keys: Mapping[str, int]
    destroyed: Mapping[str, int]


def inventory(tx: Transaction) -> Inventory:
    """What is there now."""
    keks = tx.all("SELECT kek_id, COUNT(*) AS many FROM tenant_keys GROUP BY kek_id ORDER BY kek_id")
    kinds = tx.all(
        "SELECT owner_kind, COUNT(wrapped) AS held, COUNT(*) - COUNT(wrapped) AS gone"
        " FROM data_keys GROUP BY owner_kind ORDER BY owner_kind"
    )
    return Inventory(
        tenant_keys={row["kek_id"]: row["many"] for row in keks},
        data_keys={row["owner_kind"]: row["held"] for row in kinds},
        destroyed={row["owner_kind"]: row["gone"] for row in kinds if row["gone"]},
    )
