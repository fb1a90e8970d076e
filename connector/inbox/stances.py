"""A person's standing yes or no toward those who may get something of them, and toward mail.

No row is no stance. A no toward all of a kind counts for each of them. A row whose seal is broken counts as no: whoever
can write to the database can close something, and open nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from connector.inbox.seals import is_whole, seal_of
from connector.model.ids import new_id
from connector.storage import Row, Transaction
from vault import Vault

Said = Literal["no", "yes", "none"]


class Toward(StrEnum):
    """Toward whom."""

    MAIL = "mail"  # letters to the person themselves
    AFFILIATE = "affiliate"
    AGENT = "agent"
    TRANSFER = "transfer"  # whoever takes the business over


@dataclass(frozen=True, slots=True)
class Stance:
    """One standing yes or no. `name` is empty for all of a kind; `by`: subject, gpc or app. Times in ms."""

    id: str
    tenant_id: str
    sub: str
    toward: str
    name: str
    stance: str
    by: str
    created_at: int
    updated_at: int


def take(  # noqa: PLR0917  whose, toward whom, what
    tx: Transaction, vault: Vault, tenant_id: str, sub: str, toward: Toward, name: str, stance: Said, *, by: str
) -> Stance | None:
    """The person says so from now on. None where nothing changes.

    What a browser's signal says (`gpc`) never outweighs what the person said themselves, whatever that was.
    """
    row = _row(tx, tenant_id, sub, toward, name)
    whole = row is not None and is_whole(tx, vault, "stances", row)
    if row is not None and whole and (row["stance"] == stance or (by == "gpc" and row["by"] != "gpc")):
        return None
    now = tx.now()
    fresh: dict[str, Any] = {
        "id": new_id("stc") if row is None else row["id"],
        "tenant_id": tenant_id,
        "sub": sub,
        "toward": toward.value,
        "name": name,
        "stance": stance,
        "by": by,
        "created_at": now if row is None else row["created_at"],
        "updated_at": now,
    }
    fresh["seal"] = seal_of(tx, vault, "stances", fresh)
    names = list(fresh)
    changing = ("stance", "by", "updated_at", "seal")
    tx.run(
        f"INSERT INTO stances ({', '.join(names)}) VALUES ({', '.join(':' + one for one in names)})"
        f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{one} = excluded.{one}' for one in changing)}",
        **fresh,
    )
    return _stance(fresh)


def no_longer(tx: Transaction, vault: Vault, stance: Stance, *, by: str) -> Stance | None:
    """The person takes it back: from now on they say nothing."""
    return take(tx, vault, stance.tenant_id, stance.sub, Toward(stance.toward), stance.name, "none", by=by)


def stance_of(  # noqa: PLR0917  whose, and toward whom
    tx: Transaction, vault: Vault, tenant_id: str, sub: str, toward: Toward, name: str = ""
) -> Said:
    """What counts toward somebody: a no to all of a kind, or to them; else a yes to them; else nothing."""
    rows = [_row(tx, tenant_id, sub, toward, one) for one in {"", name}]
    said = [_said(tx, vault, row) for row in rows if row is not None]
    if "no" in said:
        return "no"
    own = _row(tx, tenant_id, sub, toward, name)
    return "yes" if own is not None and _said(tx, vault, own) == "yes" else "none"


def count_stances(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> int:
    """How many stances of a person carry their seals: one that was deleted, or put in another's place, is missing."""
    rows = tx.all("SELECT * FROM stances WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub)
    return sum(is_whole(tx, vault, "stances", row) for row in rows)


def stances_of(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> list[Stance]:
    """Everything the person said, oldest first. An altered row is shown as the no that it counts as."""
    rows = tx.all(
        "SELECT * FROM stances WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at, id",
        tenant=tenant_id,
        sub=sub,
    )
    return [_stance({**row, "stance": _said(tx, vault, row)}) for row in rows]


def forget_person(tx: Transaction, tenant_id: str, sub: str) -> list[str]:
    """Delete everything of this room that is about a person; the ids of letters that may lie in a mail folder."""
    rows = tx.all("SELECT id FROM mails WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub)
    for table in ("mails", "inbox_items", "stances", "releases"):
        tx.run(f"DELETE FROM {table} WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub)
    return [row["id"] for row in rows]


def _said(tx: Transaction, vault: Vault, row: Row) -> Said:
    if not is_whole(tx, vault, "stances", row):
        return "no"
    said: Said = row["stance"]
    return said


def _row(tx: Transaction, tenant_id: str, sub: str, toward: Toward, name: str) -> Row | None:
    return tx.one(
        "SELECT * FROM stances WHERE tenant_id = :tenant AND sub = :sub AND toward = :toward AND name = :name",
        tenant=tenant_id,
        sub=sub,
        toward=toward.value,
        name=name,
    )


def _stance(row: Mapping[str, Any]) -> Stance:
    return Stance(**{name: row[name] for name in Stance.__dataclass_fields__})
