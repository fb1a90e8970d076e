"""Connections that were moved in with tokens obtained elsewhere, and whether their person has confirmed them since.

The row says where the tokens came from; what may be done with them follows from consents, of which there are none until
the person has seen the notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from connector.model.errors import SealBroken
from connector.storage import Transaction
from vault import Owner, RowSealBroken, Vault
from vault.rowseal import Field

ADOPTIONS = "adoptions"


@dataclass(frozen=True, slots=True)
class Adoption:
    """How a connection came in. Times in ms since the epoch.

    Attributes:
        client_id: the app that moved it in; None where the operator did.
        verified: whether the provider said whose account it is.
        generation: of the tokens that were adopted last; a higher one of the connection was got by the gateway itself.
        obtained_at: when those tokens were obtained, where anybody knows.
        confirmed_at: when the person saw the notice; None until then.
    """

    connection_id: str
    tenant_id: str
    client_id: str | None
    verified: bool
    generation: int
    obtained_at: int | None
    adopted_at: int
    confirmed_at: int | None = None


def note_adoption(tx: Transaction, vault: Vault, adoption: Adoption) -> None:
    """Write it down; again for newer tokens. Whether the person confirmed is never unsaid by it."""
    row = {**asdict(adoption), "verified": int(adoption.verified)}
    tx.run(
        """INSERT INTO adoptions (connection_id, tenant_id, client_id, verified, generation, obtained_at, adopted_at,
                                  confirmed_at, seal)
           VALUES (:connection_id, :tenant_id, :client_id, :verified, :generation, :obtained_at, :adopted_at,
                   :confirmed_at, :seal)
           ON CONFLICT (connection_id) DO UPDATE SET client_id = excluded.client_id, verified = excluded.verified,
             generation = excluded.generation, obtained_at = excluded.obtained_at, adopted_at = excluded.adopted_at,
             confirmed_at = excluded.confirmed_at, seal = excluded.seal""",
        seal=_seal(tx, vault, row),
        **row,
    )


def adoption_of(tx: Transaction, vault: Vault, connection_id: str) -> Adoption | None:
    """How the connection was moved in; None for one that its person made here. Raises SealBroken."""
    row = tx.one("SELECT * FROM adoptions WHERE connection_id = :id", id=connection_id)
    if row is None:
        return None
    key = vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))
    try:
        key.check_row(ADOPTIONS, sealed_adoption(row), bytes(row["seal"]))
    except RowSealBroken as error:
        raise SealBroken(ADOPTIONS, connection_id) from error
    return Adoption(
        connection_id=row["connection_id"],
        tenant_id=row["tenant_id"],
        client_id=row["client_id"],
        verified=bool(row["verified"]),
        generation=row["generation"],
        obtained_at=row["obtained_at"],
        adopted_at=row["adopted_at"],
        confirmed_at=row["confirmed_at"],
    )


def is_unconfirmed(tx: Transaction, vault: Vault, connection_id: str) -> bool:
    """Whether it was moved in and its person has not seen the notice since. Raises SealBroken."""
    adoption = adoption_of(tx, vault, connection_id)
    return adoption is not None and adoption.confirmed_at is None


def confirm_adoption(tx: Transaction, vault: Vault, connection_id: str) -> bool:
    """The person saw the notice. Whether there was something to confirm."""
    adoption = adoption_of(tx, vault, connection_id)
    if adoption is None or adoption.confirmed_at is not None:
        return False
    note_adoption(tx, vault, replace(adoption, confirmed_at=tx.now()))
    return True


def forget_adoption(tx: Transaction, connection_id: str) -> None:
    """Delete it with its connection."""
    tx.run("DELETE FROM adoptions WHERE connection_id = :id", id=connection_id)


def sealed_adoption(row: Mapping[str, Any]) -> list[Field]:
    """What the seal vouches for: all of it."""
    names = (
        "connection_id",
        "tenant_id",
        "client_id",
        "verified",
        "generation",
        "obtained_at",
        "adopted_at",
        "confirmed_at",
    )
    return [row[name] for name in names]


def _seal(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> bytes:
    key = vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))
    return key.seal_row(ADOPTIONS, sealed_adoption(row))
