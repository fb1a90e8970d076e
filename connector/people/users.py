"""Users: an opaque subject in a tenant, and what the policy needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connector.model.ids import new_id
from connector.model.tags import Account, Age
from connector.storage import Row, Transaction
from vault import Owner, Vault


@dataclass(frozen=True, slots=True)
class User:
    """One person in one tenant. Times in ms since the epoch.

    Attributes:
        pseudonym: stands for the person in the ledger; None once erased.
        age: what the policy decides on; never unknown for a registered person.
        last_visit_at: their own last visit; which policy version binds them follows from it.
    """

    sub: str
    tenant_id: str
    pseudonym: str | None
    account: Account
    age: Age
    created_at: int
    last_visit_at: int

    @property
    def owner(self) -> Owner:
        """Whose key the person's own values are under."""
        return Owner(self.tenant_id, "user", self.sub)


def create_user(tx: Transaction, vault: Vault, tenant_id: str, *, age: Age = Age.OK) -> User:
    """A new person with their own key. Who they are is the identities' to say."""
    now = tx.now()
    user = User(new_id("usr"), tenant_id, new_id("psn"), Account.OPEN, age, now, now)
    vault.create_key(tx, user.owner)
    tx.run(
        """INSERT INTO users (sub, tenant_id, pseudonym, account, age, created_at, last_visit_at)
           VALUES (:sub, :tenant, :pseudonym, :account, :age, :now, :now)""",
        sub=user.sub,
        tenant=tenant_id,
        pseudonym=user.pseudonym,
        account=user.account.value,
        age=age.value,
        now=now,
    )
    return user


def newest_visit(tx: Transaction) -> int | None:
    """When anybody at all came by last (ms); None where there is nobody."""
    row = tx.one("SELECT MAX(last_visit_at) AS at FROM users")
    return None if row is None or row["at"] is None else int(row["at"])


def find_user(tx: Transaction, tenant_id: str, sub: str) -> User | None:
    """The tenant's user, deleted accounts included; None for anybody else's."""
    row = tx.one("SELECT * FROM users WHERE sub = :sub AND tenant_id = :tenant", sub=sub, tenant=tenant_id)
    return None if row is None else _from_row(row)


def everybody(tx: Transaction, tenant_id: str) -> list[str]:
    """Whoever has an account with a tenant now."""
    rows = tx.all("SELECT sub FROM users WHERE tenant_id = :tenant AND account = 'open' ORDER BY sub", tenant=tenant_id)
    return [row["sub"] for row in rows]


def visit(tx: Transaction, user: User) -> User:
    """The person came themselves, just now. A worker's read is no visit."""
    now = max(tx.now(), user.last_visit_at)
    tx.run("UPDATE users SET last_visit_at = :now WHERE sub = :sub", now=now, sub=user.sub)
    return replace(user, last_visit_at=now)


def set_age(tx: Transaction, user: User, age: Age) -> User:
    """What was learned about the person's age. Decisions follow from it at once."""
    tx.run("UPDATE users SET age = :age WHERE sub = :sub", age=age.value, sub=user.sub)
    return replace(user, age=age)


def mark_deleted(tx: Transaction, user: User) -> User:
    """The account is deleted: an opaque id remains, and nothing that leads from it to anything."""
    tx.run(
        "UPDATE users SET account = :deleted, pseudonym = NULL, deleted_at = :now WHERE sub = :sub",
        deleted=Account.DELETED.value,
        now=tx.now(),
        sub=user.sub,
    )
    return replace(user, account=Account.DELETED, pseudonym=None)


def _from_row(row: Row) -> User:
    return User(
        sub=row["sub"],
        tenant_id=row["tenant_id"],
        pseudonym=row["pseudonym"],
        account=Account(row["account"]),
        age=Age(row["age"]),
        created_at=row["created_at"],
        last_visit_at=row["last_visit_at"],
    )
