"""Accounts of children: refused for a time by a keyed hash, and let in by a named approver after a parent's consent.

A user may be marked `child_parent_ok`; that counts only beside an approval whose row carries its seal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from connector.model.ids import new_id
from connector.model.tags import Account, Age
from connector.people.identities import NewIdentity
from connector.people.users import User, set_age
from connector.storage import Row, Transaction
from vault import Address, DataKey, Owner, RowSealBroken, Vault
from vault.rowseal import Field

TABLE = "child_accounts"
_PURPOSE = "child_accounts.account"
_log = structlog.get_logger("people")


def trusted(tx: Transaction, vault: Vault, user: User) -> User:
    """The user as decisions may take them: a parent's consent without its approval is none, and makes a child."""
    if user.age is not Age.CHILD_PARENT_OK:
        return user
    rows = tx.all(
        """SELECT * FROM child_accounts WHERE tenant_id = :tenant AND sub = :sub AND approved_at IS NOT NULL
             AND account IS NULL""",
        tenant=user.tenant_id,
        sub=user.sub,
    )
    return user if any(_is_whole(tx, vault, row) for row in rows) else replace(user, age=Age.CHILD)


def remember_child(
    tx: Transaction, vault: Vault, user: User, account: NewIdentity, *, kept_ms: int, insist: bool = False
) -> None:
    """Keep a keyed hash of a child's account, so that a verified parent can let exactly that one in later.

    `insist`: it was learned by people, and stays refused whatever the provider says of the account's age.
    """
    row = _new(tx, user.tenant_id, user.sub, kept_ms)
    row |= {"account": _hash(tx, vault, user.tenant_id, account), "refused_at": tx.now() if insist else None}
    _insert(tx, vault, row)


def stays_refused(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> bool:
    """Whether people learned that this account is a child's, and nobody let it in since."""
    rows = tx.all(
        "SELECT * FROM child_accounts WHERE tenant_id = :tenant AND account = :account AND refused_at IS NOT NULL",
        tenant=tenant_id,
        account=_hash(tx, vault, tenant_id, account),
    )
    return any(row["approved_at"] is None or not _is_whole(tx, vault, row) for row in rows)


def approve_accounts(tx: Transaction, vault: Vault, tenant_id: str, sub: str, ground: Mapping[str, str]) -> int:
    """A parent's consent was verified for somebody whose account was deleted: their accounts may come back; how many.

    `ground`: approver and reference, kept under the tenant's key.
    """
    rows = tx.all(
        """SELECT * FROM child_accounts WHERE tenant_id = :tenant AND sub = :sub AND account IS NOT NULL
             AND approved_at IS NULL""",
        tenant=tenant_id,
        sub=sub,
    )
    approved = [_approved(tx, vault, row, ground) for row in rows if _is_whole(tx, vault, row)]
    for row in approved:
        tx.run(
            """UPDATE child_accounts SET approved_at = :approved_at, approval = :approval, key_epoch = :key_epoch,
                 seal = :seal WHERE id = :id""",
            **{name: row[name] for name in ("id", "approved_at", "approval", "key_epoch")},
            seal=_seal(tx, vault, row),
        )
    return len(approved)


def approve_user(tx: Transaction, vault: Vault, user: User, ground: Mapping[str, str], *, kept_ms: int) -> User:
    """A parent's consent was verified for somebody who has an account."""
    row = _approved(tx, vault, _new(tx, user.tenant_id, user.sub, kept_ms), ground)
    _insert(tx, vault, row)
    return set_age(tx, vault, user, Age.CHILD_PARENT_OK)


def approval_of(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> dict[str, str] | None:
    """Who let this very account in, and on which ground; None where nobody did, or the row was altered."""
    rows = tx.all(
        """SELECT * FROM child_accounts WHERE tenant_id = :tenant AND account = :account
             AND approved_at IS NOT NULL ORDER BY approved_at DESC""",
        tenant=tenant_id,
        account=_hash(tx, vault, tenant_id, account),
    )
    row = next((one for one in rows if _is_whole(tx, vault, one)), None)
    if row is None:
        return None
    found: dict[str, str] = json.loads(_opened(tx, vault, row))
    return found


def children_with_accounts(tx: Transaction, limit: int) -> list[tuple[str, str]]:
    """Tenant and sub of those who were learned to be children and still have an account."""
    rows = tx.all(
        "SELECT tenant_id, sub FROM users WHERE age = :child AND account = :open ORDER BY sub LIMIT :limit",
        child=Age.CHILD.value,
        open=Account.OPEN.value,
        limit=limit,
    )
    return [(row["tenant_id"], row["sub"]) for row in rows]


def forget_children(tx: Transaction, refused_before: int) -> int:
    """Delete what is kept of children's accounts when its time is over; how many rows. `refused_before` in ms."""
    gone = tx.run("DELETE FROM child_accounts WHERE expires_at <= :now", now=tx.now())
    return gone + tx.run("DELETE FROM refused_accounts WHERE created_at < :before", before=refused_before)


def _new(tx: Transaction, tenant_id: str, sub: str, kept_ms: int) -> dict[str, Any]:
    return {
        "id": new_id("chd"),
        "tenant_id": tenant_id,
        "sub": sub,
        "account": None,
        "approval": None,
        "key_epoch": None,
        "refused_at": None,
        "approved_at": None,
        "expires_at": tx.now() + kept_ms,
    }


def _approved(tx: Transaction, vault: Vault, row: Row | Mapping[str, Any], ground: Mapping[str, str]) -> dict[str, Any]:
    key = _key(tx, vault, row["tenant_id"])
    sealed = key.seal(address(row), json.dumps(dict(ground)).encode(), generation=1)
    return {**row, "approved_at": tx.now(), "approval": sealed, "key_epoch": key.epoch}


def _insert(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> None:
    names = [*row, "seal"]
    tx.run(
        f"INSERT INTO child_accounts ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})",
        **row,
        seal=_seal(tx, vault, row),
    )


def _hash(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> bytes:
    parts = (account.integration_id, account.issuer, account.subject)
    return _key(tx, vault, tenant_id).mac(_PURPOSE, *(part.encode() for part in parts))


def _opened(tx: Transaction, vault: Vault, row: Row) -> bytes:
    key = vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]), row["key_epoch"])
    return key.open(address(row), bytes(row["approval"]), generation=1)


def address(row: Mapping[str, Any]) -> Address:
    """Where the ground of an approval lives."""
    return Address(row["tenant_id"], "tenant", row["tenant_id"], "", f"child_accounts.approval:{row['id']}")


def sealed_fields(row: Mapping[str, Any]) -> list[Field]:
    """What the row's seal is over."""
    account = row["account"]
    names = ("id", "tenant_id", "sub", "key_epoch", "refused_at", "approved_at", "expires_at")
    return [None if account is None else bytes(account), *(row[name] for name in names)]


def _seal(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> bytes:
    return _key(tx, vault, row["tenant_id"]).seal_row(TABLE, sealed_fields(row))


def _is_whole(tx: Transaction, vault: Vault, row: Row) -> bool:
    try:
        _key(tx, vault, row["tenant_id"]).check_row(TABLE, sealed_fields(row), bytes(row["seal"]))
    except RowSealBroken:
        _log.error("vault.row_seal_broken", table=TABLE, row=row["id"])
        return False
    return True


def _key(tx: Transaction, vault: Vault, tenant_id: str) -> DataKey:
    return vault.key(tx, Owner(tenant_id, "tenant", tenant_id))
