"""Users: an opaque subject in a tenant, and what the policy needs to know of them.

Each row is sealed: who writes to the database makes no adult of a child, brings no account back and moves no visit. The
first release knew of no such seals. Until the vault demands them its rows count as they stand, because what it writes
cannot be told from what a writer of the database writes; after that, no row counts without its seal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from connector.model.errors import SealBroken
from connector.model.ids import GATEWAY_TENANT, new_id
from connector.model.tags import Account, Age
from connector.storage import Row, Transaction
from vault import DataKey, Owner, RowSealBroken, Vault
from vault.rowseal import Field

TABLE = "users"
_log = structlog.get_logger("people")


@dataclass(frozen=True, slots=True)
class User:
    """One person in one tenant. Times in ms since the epoch.

    Attributes:
        pseudonym: stands for the person in the ledger; None once erased.
        age: what the policy decides on; never unknown for a registered person.
        last_visit_at: their own last visit; which policy version binds them follows from it.
        stances: how often they said yes, no or nothing toward somebody; fewer rows than that are too few.
    """

    sub: str
    tenant_id: str
    pseudonym: str | None
    account: Account
    age: Age
    created_at: int
    last_visit_at: int
    stances: int

    @property
    def owner(self) -> Owner:
        """Whose key the person's own values are under."""
        return Owner(self.tenant_id, "user", self.sub)


def create_user(tx: Transaction, vault: Vault, tenant_id: str, *, age: Age = Age.OK) -> User:
    """A new person with their own key. Who they are is the identities' to say."""
    now = tx.now()
    row: dict[str, Any] = {
        "sub": new_id("usr"),
        "tenant_id": tenant_id,
        "pseudonym": new_id("psn"),
        "account": Account.OPEN.value,
        "age": age.value,
        "created_at": now,
        "last_visit_at": now,
        "deleted_at": None,
        "stances": 0,
    }
    user = _from_row(row)
    vault.create_key(tx, user.owner)
    tx.run(
        f"INSERT INTO users ({', '.join(row)}, seal) VALUES ({', '.join(':' + name for name in row)}, :seal)",
        seal=_key(tx, vault, row).seal_row(TABLE, sealed_fields(row)),
        **row,
    )
    return user


def newest_visit(tx: Transaction) -> int | None:
    """When anybody at all came by last (ms); None where there is nobody."""
    row = tx.one("SELECT MAX(last_visit_at) AS at FROM users")
    return None if row is None or row["at"] is None else int(row["at"])


def find_user(tx: Transaction, vault: Vault, tenant_id: str, sub: str, *, for_update: bool = False) -> User | None:
    """The tenant's user, deleted accounts included; None for anybody else's. Raises SealBroken.

    `for_update`: nobody else changes them, or what they said, until the transaction ends.
    """
    lock = "FOR UPDATE" if for_update and tx.dialect == "postgresql" else ""
    row = tx.one(f"SELECT * FROM users WHERE sub = :sub AND tenant_id = :tenant {lock}", sub=sub, tenant=tenant_id)
    return None if row is None else checked_user(tx, vault, row)


def checked_user(tx: Transaction, vault: Vault, row: Row, key: DataKey | None = None) -> User:
    """The value of a row whose seal holds. `key`: the tenant's, where it is at hand. Raises SealBroken."""
    if not _is_sealed(key or _key(tx, vault, row), row) and vault.demands_seals(tx, GATEWAY_TENANT):
        _log.error("vault.row_seal_broken", table=TABLE, row=row["sub"])
        raise SealBroken(TABLE, row["sub"])
    return _from_row(row)


def is_known(tx: Transaction, tenant_id: str, sub: str) -> bool:
    """Whether there is such a user of the tenant's, deleted or not: nothing is read of them, so no seal is asked."""
    row = tx.one("SELECT sub FROM users WHERE sub = :sub AND tenant_id = :tenant", sub=sub, tenant=tenant_id)
    return row is not None


def pseudonym_of(tx: Transaction, tenant_id: str, sub: str) -> str | None:
    """What stands for the person in the ledger, for who looks there; None for nobody, and once erased."""
    row = tx.one("SELECT pseudonym FROM users WHERE sub = :sub AND tenant_id = :tenant", sub=sub, tenant=tenant_id)
    return None if row is None else row["pseudonym"]


def everybody(tx: Transaction, tenant_id: str) -> list[str]:
    """Whoever has an account with a tenant now."""
    rows = tx.all("SELECT sub FROM users WHERE tenant_id = :tenant AND account = 'open' ORDER BY sub", tenant=tenant_id)
    return [row["sub"] for row in rows]


def visit(tx: Transaction, vault: Vault, user: User) -> User:
    """The person came themselves, just now. A worker's read is no visit."""
    return change(tx, vault, user, last_visit_at=max(tx.now(), user.last_visit_at))


def set_age(tx: Transaction, vault: Vault, user: User, age: Age) -> User:
    """What was learned about the person's age. Decisions follow from it at once."""
    return change(tx, vault, user, age=age.value)


def mark_deleted(tx: Transaction, vault: Vault, user: User) -> User:
    """The account is deleted: an opaque id remains, and nothing that leads from it to anything."""
    return change(tx, vault, user, account=Account.DELETED.value, pseudonym=None, deleted_at=tx.now(), stances=0)


def note_stances(tx: Transaction, vault: Vault, user: User, many: int) -> User:
    """How many stances they have from now on; `user` was found for update before they were counted."""
    return change(tx, vault, user, stances=many)


def change(tx: Transaction, vault: Vault, user: User, **columns: str | int | None) -> User:
    """Write columns over what stands there now, and seal it again. Raises SealBroken."""
    lock = "FOR UPDATE" if tx.dialect == "postgresql" else ""
    row = tx.one(f"SELECT * FROM users WHERE sub = :sub {lock}", sub=user.sub)
    if row is None:
        raise SealBroken(TABLE, user.sub)
    checked_user(tx, vault, row)
    fresh = {**row, **columns}
    tx.run(
        f"UPDATE users SET {', '.join(f'{name} = :{name}' for name in columns)}, seal = :seal WHERE sub = :sub",
        sub=user.sub,
        seal=_key(tx, vault, fresh).seal_row(TABLE, sealed_fields(fresh)),
        **columns,
    )
    return _from_row(fresh)


def seal_users(tx: Transaction, vault: Vault, after: str, limit: int) -> tuple[int, str | None]:
    """Seal as they stand the next rows without their seal; how many, and the last sub that was looked at, if any.

    For the end of an upgrade alone: whatever is in the rows by then is taken for true.
    """
    lock = "FOR UPDATE" if tx.dialect == "postgresql" else ""
    rows = tx.all(f"SELECT * FROM users WHERE sub > :after ORDER BY sub LIMIT :limit {lock}", after=after, limit=limit)
    keys: dict[str, DataKey] = {}
    fresh: list[dict[str, Any]] = []
    for row in rows:
        key = keys.setdefault(row["tenant_id"], keys.get(row["tenant_id"]) or _key(tx, vault, row))
        if not _is_sealed(key, row):
            fresh.append({"sub": row["sub"], "seal": key.seal_row(TABLE, sealed_fields(row))})
    tx.many("UPDATE users SET seal = :seal WHERE sub = :sub", fresh)
    return len(fresh), rows[-1]["sub"] if rows else None


def sealed_fields(row: Mapping[str, Any]) -> list[Field]:
    """What the seal vouches for: all of it."""
    names = ("sub", "tenant_id", "pseudonym", "account", "age", "created_at", "last_visit_at", "deleted_at", "stances")
    return [row[name] for name in names]


def _is_sealed(key: DataKey, row: Row) -> bool:
    try:
        key.check_row(TABLE, sealed_fields(row), bytes(row["seal"] or b""))
    except RowSealBroken:
        return False
    return True


def _key(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> DataKey:
    return vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))


def _from_row(row: Mapping[str, Any]) -> User:
    return User(
        sub=row["sub"],
        tenant_id=row["tenant_id"],
        pseudonym=row["pseudonym"],
        account=Account(row["account"]),
        age=Age(row["age"]),
        created_at=row["created_at"],
        last_visit_at=row["last_visit_at"],
        stances=row["stances"],
    )
