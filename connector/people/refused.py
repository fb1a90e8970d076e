"""Accounts that were refused for their owner's age: a keyed hash of each, and nothing else."""

from __future__ import annotations

from connector.people.identities import NewIdentity, subject_index
from connector.storage import Transaction
from vault import Vault


def remember_refused(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> None:
    """Remember the account, so that it is refused again without asking anybody about it."""
    tx.run(
        """INSERT INTO refused_accounts (tenant_id, integration_id, subject_index, created_at)
           VALUES (:tenant, :integration, :index, :now)
           ON CONFLICT (tenant_id, integration_id, subject_index) DO NOTHING""",
        tenant=tenant_id,
        integration=account.integration_id,
        index=subject_index(tx, vault, tenant_id, account),
        now=tx.now(),
    )


def is_refused(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> bool:
    """Whether the account was refused before."""
    row = tx.one(
        """SELECT 1 AS found FROM refused_accounts
           WHERE tenant_id = :tenant AND integration_id = :integration AND subject_index = :index""",
        tenant=tenant_id,
        integration=account.integration_id,
        index=subject_index(tx, vault, tenant_id, account),
    )
    return row is not None
