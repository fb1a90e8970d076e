"""A person's way to their own pages: a link that works once, then a session of a quarter of an hour.

Rows hold hashes, never the words themselves, and are sealed: whoever can write to the database cannot open a session
for somebody, stretch one, or lead its person to another site.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from connector.model.ids import new_secret
from connector.storage import Row, Transaction
from providers.secret import Secret
from vault import Owner, RowSealBroken, Vault
from vault.rowseal import Field

LINK_MS = 60_000
SESSION_MS = 15 * 60_000
MAX_LENGTH = 128

_Table = Literal["portal_links", "portal_sessions"]
_log = structlog.get_logger("portal")


@dataclass(frozen=True, slots=True)
class PortalSession:
    """Who is on their own pages, through which app, and where they go back to. Times in ms since the epoch."""

    tenant_id: str
    client_id: str
    sub: str
    return_url: str
    expires_at: int
    form_token: str  # what every form of this session carries, and no other site knows


@dataclass(frozen=True, slots=True)
class NewLink:
    """For whom a link is, and where its pages lead back to."""

    tenant_id: str
    client_id: str
    sub: str
    return_url: str


def make_link(tx: Transaction, vault: Vault, new: NewLink) -> Secret:
    """A link's secret: good once, for a minute."""
    return _insert(tx, vault, "portal_links", new, LINK_MS)


def consume_link(tx: Transaction, vault: Vault, link: Secret) -> tuple[Secret, PortalSession] | None:
    """A session for whoever brings the link first; None where it is unknown, used, over or altered."""
    row = _find(tx, vault, "portal_links", link)
    if row is None or row["used_at"] is not None:
        return None
    if not tx.run(
        "UPDATE portal_links SET used_at = :now WHERE hash = :hash AND used_at IS NULL",
        now=tx.now(),
        hash=bytes(row["hash"]),
    ):
        return None
    session = _insert(tx, vault, "portal_sessions", NewLink(**_whose(row)), SESSION_MS)
    return session, PortalSession(**_whose(row), expires_at=tx.now() + SESSION_MS, form_token=_form_token(session))


def open_session(tx: Transaction, vault: Vault, session: Secret) -> PortalSession | None:
    """The session, while it lives; None where it is unknown, over, signed off or altered."""
    row = _find(tx, vault, "portal_sessions", session)
    if row is None or row["ended_at"] is not None:
        return None
    return PortalSession(**_whose(row), expires_at=row["expires_at"], form_token=_form_token(session))


def end_session(tx: Transaction, session: Secret) -> None:
    """Sign off: from now on the cookie is worth nothing."""
    tx.run("UPDATE portal_sessions SET ended_at = :now WHERE hash = :hash", now=tx.now(), hash=_hash(session))


def portal_of(tx: Transaction, tenant_id: str, sub: str) -> list[dict[str, Any]]:
    """A person's links and sessions: when, through which app; the secrets are kept nowhere. Times in ms."""
    found: list[dict[str, Any]] = []
    for table, ended in (("portal_links", "used_at"), ("portal_sessions", "ended_at")):
        rows = tx.all(
            f"""SELECT client_id, created_at, expires_at, {ended} AS ended_at FROM {table}
                WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at""",
            tenant=tenant_id,
            sub=sub,
        )
        found += [{"what": table, **row} for row in rows]
    return found


def forget_portal(tx: Transaction, tenant_id: str, sub: str) -> None:
    """Delete a person's links and sessions."""
    for table in ("portal_links", "portal_sessions"):
        tx.run(f"DELETE FROM {table} WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub)


def sweep_portal(tx: Transaction) -> int:
    """Delete links and sessions that are over; how many."""
    return sum(
        tx.run(f"DELETE FROM {table} WHERE expires_at < :now", now=tx.now())
        for table in ("portal_links", "portal_sessions")
    )


def _insert(tx: Transaction, vault: Vault, table: _Table, new: NewLink, lifetime_ms: int) -> Secret:
    secret = Secret(new_secret())
    row: dict[str, Any] = {
        "hash": _hash(secret),
        "tenant_id": new.tenant_id,
        "client_id": new.client_id,
        "sub": new.sub,
        "return_url": new.return_url,
        "created_at": tx.now(),
        "expires_at": tx.now() + lifetime_ms,
    }
    tx.run(
        f"""INSERT INTO {table} (hash, tenant_id, client_id, sub, return_url, created_at, expires_at, seal)
            VALUES (:hash, :tenant_id, :client_id, :sub, :return_url, :created_at, :expires_at, :seal)""",
        seal=vault.key(tx, _owner(new.tenant_id)).seal_row(table, _fields(row)),
        **row,
    )
    return secret


def _find(tx: Transaction, vault: Vault, table: _Table, secret: Secret) -> Row | None:
    written = secret.reveal()
    if not written or len(written) > MAX_LENGTH or not written.isascii():
        return None
    row = tx.one(f"SELECT * FROM {table} WHERE hash = :hash AND expires_at > :now", hash=_hash(secret), now=tx.now())
    if row is None:
        return None
    try:
        vault.key(tx, _owner(row["tenant_id"])).check_row(table, _fields(row), bytes(row["seal"]))
    except RowSealBroken:
        _log.error("vault.row_seal_broken", table=table, row=row["client_id"])
        return None
    return row


def _whose(row: Row) -> dict[str, str]:
    return {name: row[name] for name in ("tenant_id", "client_id", "sub", "return_url")}


def _fields(row: Row | dict[str, Any]) -> list[Field]:
    names = ("tenant_id", "client_id", "sub", "return_url", "created_at", "expires_at")
    return [bytes(row["hash"]), *(row[name] for name in names)]


def _owner(tenant_id: str) -> Owner:
    return Owner(tenant_id, "tenant", tenant_id)


def _hash(secret: Secret) -> bytes:
    return hashlib.sha256(secret.reveal().encode()).digest()


def _form_token(session: Secret) -> str:
    """Made from the session's own secret, so that it needs no row and ends with it."""
    return hmac.new(session.reveal().encode(), b"portal form", hashlib.sha256).hexdigest()
