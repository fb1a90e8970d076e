"""How many people an activity is entered for. A number, never who they are; saying it is the caller's to decide."""

from __future__ import annotations

from collections.abc import Sequence

from connector.storage import Transaction


def people_who(tx: Transaction, tenant_id: str, kinds: Sequence[str], *, since: int, until: int) -> int:
    """How many people of a tenant have an entry of one of these kinds from `since` until before `until` (ms)."""
    names = {f"kind_{number}": kind for number, kind in enumerate(kinds)}
    listed = ", ".join(f":{name}" for name in names)
    row = tx.one(
        f"""SELECT COUNT(DISTINCT pseudonym) AS people FROM ledger_entries WHERE tenant_id = :tenant
              AND kind IN ({listed}) AND at >= :since AND at < :until AND pseudonym IS NOT NULL""",
        tenant=tenant_id,
        since=since,
        until=until,
        **names,
    )
    return 0 if row is None else int(row["people"])
