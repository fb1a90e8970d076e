"""A revocation as work: told to the provider until it is confirmed or truthfully not, then the keys go.

The row outlives the connection. It holds no token and no personal data; `code` lets a person look at it without signing
in, and cannot be guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.connections.connection import Connection
from connector.model.ids import new_id, new_secret
from connector.storage import Row, Transaction

Outcome = Literal["confirmed", "unsupported", "shared", "gave_up"]
RevocationReason = Literal["revoked", "deleted", "under_age", "abandoned"]

DEADLINE_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Revocation:
    """One row of `revocations`. Times in ms since the epoch."""

    id: str
    tenant_id: str
    sub: str
    connection_id: str
    integration_id: str
    asked_by: str
    reason: str
    state: str
    attempts: int
    deadline_at: int
    outcome: str | None
    confirmed_at: int | None
    token_key_destroyed_at: int | None
    data_key_due_at: int
    data_key_destroyed_at: int | None
    last_token_expires_at: int | None
    code: str
    created_at: int
    finished_at: int | None

    @property
    def told(self) -> bool:
        """Whether nothing more will be said to the provider."""
        return self.outcome is not None


_COLUMNS = ", ".join(Revocation.__dataclass_fields__)


def ask_revocation(
    tx: Transaction,
    connection: Connection,
    *,
    asked_by: str,
    reason: RevocationReason,
    data_key_due_at: int,
    not_before: int,
) -> Revocation:
    """Write down that a connection's grant has to be revoked at its provider, and when its keys have to go.

    Args:
        not_before: ms; a refresh that is under way answers before then, so that its tokens are revoked too.
    """
    now = tx.now()
    made = Revocation(
        id=new_id("rvk"),
        tenant_id=connection.tenant_id,
        sub=connection.sub,
        connection_id=connection.id,
        integration_id=connection.integration_id,
        asked_by=asked_by,
        reason=reason,
        state="queued",
        attempts=0,
        deadline_at=now + DEADLINE_MS,
        outcome=None,
        confirmed_at=None,
        token_key_destroyed_at=None,
        data_key_due_at=data_key_due_at,
        data_key_destroyed_at=None,
        last_token_expires_at=connection.expires_at,
        code=new_secret(),
        created_at=now,
        finished_at=None,
    )
    names = list(Revocation.__dataclass_fields__)
    tx.run(
        f"INSERT INTO revocations ({_COLUMNS}, next_at, fence)"
        f" VALUES ({', '.join(':' + name for name in names)}, :next_at, 0)",
        next_at=max(now, not_before),
        **{name: getattr(made, name) for name in names},
    )
    return made


def revocation(tx: Transaction, revocation_id: str) -> Revocation | None:
    """One revocation by its id."""
    return _read(tx.one(f"SELECT {_COLUMNS} FROM revocations WHERE id = :id", id=revocation_id))


def revocation_of(tx: Transaction, connection_id: str) -> Revocation | None:
    """The newest revocation of a connection."""
    return _read(
        tx.one(
            f"SELECT {_COLUMNS} FROM revocations WHERE connection_id = :id ORDER BY created_at DESC, id DESC LIMIT 1",
            id=connection_id,
        )
    )


def revocation_with_code(tx: Transaction, code: str) -> Revocation | None:
    """The revocation that a status page asks for."""
    return _read(tx.one(f"SELECT {_COLUMNS} FROM revocations WHERE code = :code", code=code))


def revocations_of_user(tx: Transaction, tenant_id: str, sub: str) -> list[Revocation]:
    """Every revocation of a person's connections, newest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM revocations WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at DESC, id",
        tenant=tenant_id,
        sub=sub,
    )
    return [read for row in rows if (read := _read(row)) is not None]


def bring_forward(tx: Transaction, found: Revocation) -> None:
    """The person does not want to wait for the end of the window: the imported data goes now."""
    tx.run(
        "UPDATE revocations SET data_key_due_at = :now WHERE id = :id AND data_key_destroyed_at IS NULL",
        now=tx.now(),
        id=found.id,
    )


def due_for_erasure(tx: Transaction, *, limit: int) -> list[Revocation]:
    """Revocations whose window is over and whose imported data is still there. Locked for the transaction."""
    rows = tx.all(
        f"""SELECT {_COLUMNS} FROM revocations
            WHERE data_key_due_at <= :now AND data_key_destroyed_at IS NULL AND connection_id IS NOT NULL
            ORDER BY data_key_due_at LIMIT :limit {tx.skip_locked}""",
        now=tx.now(),
        limit=limit,
    )
    return [read for row in rows if (read := _read(row)) is not None]


def mark_token_key_destroyed(tx: Transaction, revocation_id: str) -> None:
    """The connection's token key is gone."""
    tx.run("UPDATE revocations SET token_key_destroyed_at = :now WHERE id = :id", now=tx.now(), id=revocation_id)


def mark_data_key_destroyed(tx: Transaction, revocation_id: str) -> None:
    """The key of the connection's imported data is gone."""
    tx.run("UPDATE revocations SET data_key_destroyed_at = :now WHERE id = :id", now=tx.now(), id=revocation_id)


def _read(row: Row | None) -> Revocation | None:
    return None if row is None else Revocation(**{name: row[name] for name in Revocation.__dataclass_fields__})
