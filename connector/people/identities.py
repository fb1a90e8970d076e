"""Identities: a third-party account that stands for a person, by exact bytes of integration, issuer and subject.

The subject itself is sealed under the person's key; it is found by a blind index, so that a copy of the database does
not say who has an account where. An e-mail address takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.model.errors import Misconfigured, SealBroken
from connector.model.ids import new_id
from connector.people.users import User
from connector.storage import Row, Transaction
from vault import Address, BlindIndex, DataKey, Indexes, Owner, RowSealBroken, Vault, epoch_of
from vault.rowseal import Field

TABLE = "identities"
_PLACE = "identities.subject"
PURPOSE = "identity"
_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """One account of a person, without its name there. Times in ms since the epoch."""

    id: str
    tenant_id: str
    integration_id: str
    issuer: str
    sub: str
    created_at: int
    unlinked_at: int | None


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An account as the provider names it: exact strings, compared byte by byte."""

    integration_id: str
    provider: str
    issuer: str
    subject: str


def subject_index(indexes: Indexes, account: NewIdentity) -> BlindIndex:
    """32 bytes that stand for the account in this tenant, and for no other account; and those of a newer key."""
    parts = (account.integration_id, account.issuer, account.subject)
    return indexes.of(PURPOSE, *(part.encode() for part in parts))


def find_identity(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> Identity | None:
    """The identity that this account is linked as, or None. Raises Misconfigured where its row was tampered with."""
    row, index = found_by_account(
        tx, vault, tenant_id, account, "SELECT * FROM identities WHERE unlinked_at IS NULL AND"
    )
    if row is None:
        return None
    if bytes(row["subject_index"]) in {index.now, index.next}:
        return _checked(tx, vault, row)
    return _checked(tx, vault, {**row, "subject_index": row["subject_index_next"], "seal": row["seal_next"] or b""})


def was_unlinked(tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity) -> bool:
    """Whether this account stood for somebody here once, and was unlinked."""
    select = "SELECT * FROM identities WHERE unlinked_at IS NOT NULL AND"
    row, _index = found_by_account(tx, vault, tenant_id, account, select)
    return row is not None


def found_by_account(
    tx: Transaction, vault: Vault, tenant_id: str, account: NewIdentity, select: str
) -> tuple[Row | None, BlindIndex]:
    """The row whose index stands for the account, whichever of two keys made it.

    Outside a transaction the keys may change between two statements; then it is looked again.
    """
    while True:
        indexes = vault.indexes(tx, tenant_id)
        index = subject_index(indexes, account)
        among = "subject_index = :now"
        if index.next is not None:
            among = "(subject_index IN (:now, :next) OR subject_index_next = :next)"
        row = tx.one(
            f"{select} tenant_id = :tenant AND integration_id = :integration AND {among}",
            tenant=tenant_id,
            integration=account.integration_id,
            now=index.now,
            **({} if index.next is None else {"next": index.next}),
        )
        if row is not None or vault.indexes(tx, tenant_id).names == indexes.names:
            return row, index


def link_identity(tx: Transaction, vault: Vault, user: User, account: NewIdentity) -> Identity:
    """Let the account stand for the person.

    Raises:
        UniqueViolation: it stands for somebody already.
    """
    index = subject_index(vault.indexes(tx, user.tenant_id), account)
    key = vault.key(tx, user.owner)
    row: dict[str, Any] = {
        "id": new_id("idn"),
        "tenant_id": user.tenant_id,
        "integration_id": account.integration_id,
        "issuer": account.issuer,
        "sub": user.sub,
        "subject_index": index.now,
        "subject_index_next": index.next,
        "created_at": tx.now(),
        "unlinked_at": None,
    }
    sealed = key.seal(_address(row), account.subject.encode(), generation=_GENERATION)
    tx.run(
        """INSERT INTO identities (id, tenant_id, integration_id, issuer, sub, subject_index, subject_index_next,
                                   subject, created_at, unlinked_at, seal, seal_next)
           VALUES (:id, :tenant_id, :integration_id, :issuer, :sub, :subject_index, :subject_index_next,
                   :subject, :created_at, :unlinked_at, :seal, :seal_next)""",
        subject=sealed,
        **_seals(tx, vault, row),
        **row,
    )
    return _from_row(row)


def identities_of(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> list[Identity]:
    """The accounts by which the person is recognised now, oldest first."""
    rows = tx.all(
        """SELECT * FROM identities WHERE tenant_id = :tenant AND sub = :sub AND unlinked_at IS NULL
           ORDER BY created_at, id""",
        tenant=tenant_id,
        sub=sub,
    )
    return [_checked(tx, vault, row) for row in rows]


def unlinked_of(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> list[Identity]:
    """The accounts by which the person was recognised once and is not any more."""
    rows = tx.all(
        """SELECT * FROM identities WHERE tenant_id = :tenant AND sub = :sub AND unlinked_at IS NOT NULL
           ORDER BY created_at, id""",
        tenant=tenant_id,
        sub=sub,
    )
    return [_checked(tx, vault, row) for row in rows]


def account_claims(tx: Transaction, vault: Vault, identity_id: str) -> dict[str, str]:
    """`iss` and `sub` of an account, by which an adapter sees that a later answer is still about it.

    Raises:
        Misconfigured: no such identity, or its row was tampered with.
        KeyDestroyed: the person was erased.
    """
    row = tx.one("SELECT * FROM identities WHERE id = :id", id=identity_id)
    if row is None:
        raise Misconfigured("identity_gone", "An identity vanished while it was in use.", detail=identity_id)
    identity = _checked(tx, vault, row)
    return {"iss": identity.issuer, "sub": subject_of(tx, vault, identity)}


def subject_of(tx: Transaction, vault: Vault, identity: Identity) -> str:
    """The account's name at its provider. Personal data: for the provider and the owner's export only.

    Raises:
        KeyDestroyed: the person was erased.
    """
    row = tx.one("SELECT * FROM identities WHERE id = :id", id=identity.id)
    if row is None:
        raise Misconfigured("identity_gone", "An identity vanished while it was in use.", detail=identity.id)
    sealed = bytes(row["subject"])
    key = vault.key(tx, Owner(identity.tenant_id, "user", identity.sub), epoch_of(sealed))
    return key.open(_address(row), sealed, generation=_GENERATION).decode()


def unlink(tx: Transaction, vault: Vault, identity: Identity) -> None:
    """The account no longer stands for the person. Its connections are the caller's to end first."""
    vault.indexes(tx, identity.tenant_id)  # held: the seals below bind the indexes that are read here
    row = tx.one("SELECT * FROM identities WHERE id = :id AND unlinked_at IS NULL", id=identity.id)
    if row is None:
        return
    now = tx.now()
    tx.run(
        "UPDATE identities SET unlinked_at = :now, seal = :seal, seal_next = :seal_next WHERE id = :id",
        now=now,
        id=identity.id,
        **_seals(tx, vault, {**row, "unlinked_at": now}),
    )


def blank(tx: Transaction, identity: Identity) -> None:
    """Forget the account's name at its provider. What is left says only which accounts were the same one."""
    tx.run("UPDATE identities SET subject = :nothing WHERE id = :id", nothing=b"", id=identity.id)


def forget_identity(tx: Transaction, identity_id: str) -> None:
    """Delete an unlinked identity that no connection hangs on any more."""
    tx.run("DELETE FROM identities WHERE id = :id AND unlinked_at IS NOT NULL", id=identity_id)


def _checked(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> Identity:
    try:
        _tenant_key(tx, vault, row).check_row(TABLE, sealed_fields(row), bytes(row["seal"]))
    except RowSealBroken as error:
        raise SealBroken(TABLE, row["id"]) from error
    return _from_row(row)


def _seals(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> dict[str, bytes | None]:
    """The row's seal, and the one that it has once the newer index has taken the older one's place."""
    key, beside = _tenant_key(tx, vault, row), row["subject_index_next"]
    moved = None if beside is None else key.seal_row(TABLE, sealed_fields({**row, "subject_index": beside}))
    return {"seal": key.seal_row(TABLE, sealed_fields(row)), "seal_next": moved}


def _tenant_key(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> DataKey:
    return vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))


def sealed_fields(row: Mapping[str, Any]) -> list[Field]:
    """What the row's seal is over."""
    names = ("id", "tenant_id", "integration_id", "issuer", "sub", "subject_index", "created_at", "unlinked_at")
    return [row[name] for name in names]


def _address(row: Mapping[str, Any]) -> Address:
    return Address(row["tenant_id"], "user", row["sub"], "", f"{_PLACE}:{row['id']}")


def _from_row(row: Mapping[str, Any]) -> Identity:
    return Identity(
        id=row["id"],
        tenant_id=row["tenant_id"],
        integration_id=row["integration_id"],
        issuer=row["issuer"],
        sub=row["sub"],
        created_at=row["created_at"],
        unlinked_at=row["unlinked_at"],
    )
