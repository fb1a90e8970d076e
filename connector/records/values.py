"""A value at its place: sealed under its owner's key, bound to person, card, pointer, tags and origin.

The seal binds everything by which a value is judged. A row that was moved to another card or person, whose tags were
changed, or whose origin was rewritten does not open any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import rfc8785
import structlog

from connector.model.ids import new_id
from connector.model.tags import MalformedTags, Revision, Tags
from connector.storage import Row, Transaction
from vault import Address, DataKey, Owner

MAX_BYTES = 16 * 1024  # of one value, as it is sealed
_FINGERPRINT = "records.fingerprint"
_log = structlog.get_logger("records")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from and on what ground.

    Attributes:
        provider, connection, field: of the third-party account; empty for what the person typed in.
        policy_version: in effect when it was collected.
        consent: the record of the choice that allowed it; empty for what the person typed in.
    """

    policy_version: str
    provider: str = ""
    connection: str = ""
    field: str = ""
    consent: str = ""

    def text(self) -> str:
        """The one encoding, RFC 8785."""
        return rfc8785.dumps(asdict(self)).decode()


@dataclass(frozen=True, slots=True)
class NewValue:
    """A value on its way in. `expires_at` in ms; None where nothing ends it."""

    pointer: str
    value: Any = field(repr=False)
    tags: Tags
    origin: Origin
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One row of `records`. Times in ms."""

    id: str
    tenant_id: str
    sub: str
    card_id: str
    connection_id: str | None
    pointer: str
    tags: Tags
    origin: Origin
    owner: Owner
    key_epoch: int
    generation: int
    sealed: bytes = field(repr=False)
    fingerprint: bytes = field(repr=False)
    collected_at: int
    expires_at: int | None

    @property
    def imported_from(self) -> str | None:
        """The connection whose key it is under; None for the person's own."""
        return self.owner.id if self.owner.kind == "connection_data" else None


def open_value(key: DataKey, stored: SealedValue) -> Any:
    """The value.

    Raises:
        VaultError: it is not where, or not what, it was sealed as.
    """
    plaintext = key.open(
        _address(stored.owner, stored.sub, stored.card_id, stored.pointer, stored.origin.provider),
        stored.sealed,
        generation=stored.generation,
        tags=bound(stored.tags, stored.origin),
    )
    return json.loads(plaintext)


def fingerprint(key: DataKey, pointer: str, value: Any) -> bytes:
    """A keyed hash that shows change without opening."""
    return key.mac(_FINGERPRINT, pointer.encode(), rfc8785.dumps(value))


def bound(tags: Tags, origin: Origin) -> bytes:
    """What the seal binds beside the place: the tags, and where the value came from."""
    return tags.canonical() + b"\0" + origin.text().encode()


def sealed_row(  # noqa: PLR0917  a row is all of these
    key: DataKey, sub: str, card_id: str, new: NewValue, generation: int, now: int, record_id: str | None = None
) -> dict[str, Any]:
    """The row of a value, sealed."""
    owner = key.owner
    address = _address(owner, sub, card_id, new.pointer, new.origin.provider)
    return {
        "id": record_id or new_id("rec"),
        "tenant_id": owner.tenant,
        "sub": sub,
        "card_id": card_id,
        "connection_id": owner.id if owner.kind == "connection_data" else None,
        "pointer": new.pointer,
        "tags": new.tags.canonical().decode(),
        "category": new.tags.category.value,
        "source": new.tags.source.value,
        "revision": new.tags.revision.value,
        "origin": new.origin.text(),
        "owner_kind": owner.kind,
        "owner_id": owner.id,
        "key_epoch": key.epoch,
        "generation": generation,
        "sealed": key.seal(address, rfc8785.dumps(new.value), generation=generation, tags=bound(new.tags, new.origin)),
        "fingerprint": fingerprint(key, new.pointer, new.value),
        "collected_at": now,
        "expires_at": new.expires_at,
    }


COLUMNS = (
    "id",
    "tenant_id",
    "sub",
    "card_id",
    "connection_id",
    "pointer",
    "tags",
    "category",
    "source",
    "revision",
    "origin",
    "owner_kind",
    "owner_id",
    "key_epoch",
    "generation",
    "sealed",
    "fingerprint",
    "collected_at",
    "expires_at",
)
_INSERT = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"
_CHANGING = tuple(name for name in COLUMNS if name not in {"id", "tenant_id", "sub", "card_id", "pointer"})
_UPDATE = f"UPDATE records SET {', '.join(f'{name} = :{name}' for name in _CHANGING)} WHERE id = :id"


def insert(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """New rows."""
    tx.many(_INSERT, rows)


def update(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """The next generation of rows that are there."""
    tx.many(_UPDATE, [{name: row[name] for name in ("id", *_CHANGING)} for row in rows])


def delete(tx: Transaction, ids: Sequence[str]) -> None:
    """Rows that go."""
    tx.many("DELETE FROM records WHERE id = :id", [{"id": one} for one in ids])


def stored_from(rows: Sequence[Row]) -> list[SealedValue]:
    """The values of rows. A row whose tags or origin cannot be read is left out and logged: it would not open."""
    found = []
    for row in rows:
        try:
            found.append(_stored(row))
        except (MalformedTags, ValueError, TypeError):
            _log.error("records.row_unreadable", record=row["id"])
    return found


def unrevised(stored: SealedValue) -> Tags:
    """The tags of a value after a later one took its place."""
    tags = stored.tags
    return Tags(tags.category, tags.source, tags.form, tags.age, tags.visibility, Revision.UNREVISED)


def _stored(row: Row) -> SealedValue:
    return SealedValue(
        id=row["id"],
        tenant_id=row["tenant_id"],
        sub=row["sub"],
        card_id=row["card_id"],
        connection_id=row["connection_id"],
        pointer=row["pointer"],
        tags=Tags.parse(row["tags"].encode()),
        origin=Origin(**json.loads(row["origin"])),
        owner=Owner(row["tenant_id"], row["owner_kind"], row["owner_id"]),
        key_epoch=row["key_epoch"],
        generation=row["generation"],
        sealed=bytes(row["sealed"]),
        fingerprint=bytes(row["fingerprint"]),
        collected_at=row["collected_at"],
        expires_at=row["expires_at"],
    )


def _address(owner: Owner, sub: str, card_id: str, pointer: str, provider: str) -> Address:
    return Address(owner.tenant, owner.kind, owner.id, provider, f"records/{sub}/{card_id}{pointer}")
