"""Accounts that were refused for their owner's age: a keyed hash of each, and nothing else."""

from __future__ import annotations

from connector.people.identities import NewIdentity, found_by_account, subject_index
from connector.storage import Transaction
from vault import Vault


def remember_refused(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> None:
    """Remember the account, so that it is refused again without asking anybody about it."""
    index = subject_index(vault.indexes(tx, tenant_id), account)
    tx.run(
        """INSERT INTO refused_accounts (tenant_id, integration_id, subject_index, subject_index_next, created_at)
           VALUES (:tenant, :integration, :index, :next, :now) ON CONFLICT DO NOTHING""",
        tenant=tenant_id,
        integration=account.integration_id,
        index=index.now,
        next=index.next,
        now=tx.now(),
    )


def is_refused(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> bool:
    """Whether the account was refused before."""
    row, _index = found_by_account(tx, vault, tenant_id, account, "SELECT 1 AS found FROM refused_accounts WHERE")
    return row is not None
