"""Blind indexes under a newer key, while they are looked up and written.

Each index has a column beside it. A newer key is made; from then on whoever writes an index writes both, and whoever
looks one up finds either. The rows that are there get the second beside the first, then it takes the first one's place;
then the older key goes out of use, and the second columns are emptied. A row whose seal binds its index carries the
seal that it will have along with the index that it will have: what somebody else wrote into either is noticed.

No step needs to know what an index stands for. Each may be repeated, by two at once, and after a crash.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vault import index_keys, tables
from vault.address import Owner
from vault.blind_index import Indexes
from vault.data_key import DataKey
from vault.derivation import KEY_BYTES
from vault.errors import VaultError
from vault.key_material import KeyMaterial
from vault.rowseal import Field
from vault.sources.protocol import KeySource
from vault.tables import Row, TenantKeyRow, Transaction

SEAL, SEAL_NEXT = "seal", "seal_next"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A column of blind indexes in a table that has a column `tenant_id`.

    Attributes:
        table, column: where; the column beside it is called the same with `_next`.
        key: the columns by which rows are told apart.
        purpose: of the index.
        sealed: the fields that the row's seal is over, where it has one (by the tenant's own key).
    """

    table: str
    column: str
    key: tuple[str, ...]
    purpose: str
    sealed: Callable[[Mapping[str, Any]], Sequence[Field]] | None = None

    @property
    def beside(self) -> str:
        """The column of indexes by the newer key."""
        return f"{self.column}_next"


_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """What a batch did. `after`: the key to go on from, None at the end."""

    done: int
    broken: tuple[_Key, ...]
    after: _Key | None


class IndexRotation(KeyMaterial):
    """The steps. Made by `Vault.index_rotation`; each belongs into a transaction of its own."""

    __slots__ = ("_indexes", "_key", "_source")

    def __init__(
        self,
        source: KeySource,
        indexes: Callable[[Transaction, str], Indexes],
        key: Callable[[Transaction, Owner], DataKey],
    ) -> None:
        self._source = source
        self._indexes = indexes
        self._key = key

    def behind(self, tx: Transaction, since: int) -> list[str]:
        """Tenants without an index key that was made at `since` (ms) or later."""
        return [tenant for tenant, _newest in index_keys.newest_since(tx, since)]

    def changing(self, tx: Transaction) -> list[str]:
        """Tenants into whose indexes a newer key is being brought."""
        return [tenant for tenant in index_keys.tenants_with_index(tx) if self._coming(tx, tenant) is not None]

    def tenants(self, tx: Transaction) -> list[str]:
        """Every tenant that has index keys."""
        return index_keys.tenants_with_index(tx)

    def empty(self, tx: Transaction, places: Sequence[Indexed], tenant: str) -> bool:
        """Whether nothing lies beside any index, or what lies there belongs to a rotation under way."""
        return self._coming(tx, tenant) is not None or not any(
            tx.one(
                f"SELECT 1 AS found FROM {place.table} WHERE tenant_id = :tenant AND {place.beside} IS NOT NULL"
                " LIMIT 1",
                tenant=tenant,
            )
            for place in places
        )

    def begin(self, tx: Transaction, places: Sequence[Indexed], tenant: str, since: int) -> bool:
        """Give the tenant a newer index key, if none was made since (ms); whoever writes after this writes both.

        False where something of an earlier rotation lies beside an index still: `clean` first.
        """
        index_keys.hold(tx, tenant, alone=True)
        newest = dict(index_keys.newest_since(tx, since)).get(tenant)
        if newest is None or self._coming(tx, tenant) is not None:
            return True
        if not self.empty(tx, places, tenant):
            return False
        row = TenantKeyRow(tables.new_id("tky"), tenant, index_keys.LAYER, self._source.key_id(), b"")
        wrapped = self._source.wrap(os.urandom(KEY_BYTES), tables.tenant_key_context(row))
        fresh = TenantKeyRow(row.id, tenant, row.purpose, row.kek_id, wrapped)
        tables.add_tenant_key(tx, fresh, created_at=max(tx.now(), since, newest + 1))
        return True

    def left(self, tx: Transaction, place: Indexed, tenant: str) -> int:
        """How many rows have nothing beside their index."""
        row = tx.one(
            f"SELECT COUNT(*) AS many FROM {place.table} WHERE tenant_id = :tenant"
            f" AND {place.column} IS NOT NULL AND {place.beside} IS NULL",
            tenant=tenant,
        )
        return 0 if row is None else int(row["many"])

    def fill(self, tx: Transaction, place: Indexed, tenant: str, after: _Key | None, limit: int) -> Round:
        """Put the newer index beside the older one in a batch of rows. Rows that somebody holds are passed over."""
        index_keys.hold(tx, tenant, alone=True)
        indexes = self._indexes(tx, tenant)
        if not indexes.changing:
            return Round(0, (), None)
        rows = self._rows(tx, place, tenant, after, limit)
        broken: list[_Key] = []
        written: list[dict[str, Any]] = []
        for row in rows:
            try:
                written.append(self._beside(tx, indexes, place, row))
            except (VaultError, TypeError):
                broken.append(_named(place, row))
        sealed = f", {SEAL_NEXT} = :seal_next" if place.sealed else ""
        same = " AND ".join(f"{column} = :{column}" for column in place.key)
        tx.many(f"UPDATE {place.table} SET {place.beside} = :beside{sealed} WHERE {same}", written)
        return Round(len(written), tuple(broken), _named(place, rows[-1]) if len(rows) == limit else None)

    def mismatched(self, tx: Transaction, place: Indexed, tenant: str, after: _Key | None, limit: int) -> Round:
        """Look at a batch of rows whether what lies beside is what belongs there."""
        indexes = self._indexes(tx, tenant)
        rows = self._rows(tx, place, tenant, after, limit, filled=True)
        broken = [_named(place, row) for row in rows if not self._belongs(tx, indexes, place, row)]
        return Round(len(rows), tuple(broken), _named(place, rows[-1]) if len(rows) == limit else None)

    def promote(self, tx: Transaction, place: Indexed, tenant: str, limit: int) -> int:
        """Put the newer index in the place of the older one in a batch of rows; how many."""
        index_keys.hold(tx, tenant, alone=True)
        if self._coming(tx, tenant) is None:
            return 0
        sealed = f", {SEAL} = {SEAL_NEXT}" if place.sealed else ""
        change, which = f"{place.column} = {place.beside}{sealed}", f"{place.beside} <> {place.column}"
        return _batch(tx, place, change, which, tenant=tenant, limit=limit)

    def retire(self, tx: Transaction, places: Sequence[Indexed], tenant: str) -> bool:
        """Let the older key go out of use, if no row needs it any more; whether that is so."""
        index_keys.hold(tx, tenant, alone=True)
        found = index_keys.index_keys(tx, tenant)
        if found is None or found.coming is None:
            return True
        if any(self._needs_older(tx, place, tenant) for place in places):
            return False
        index_keys.retire(tx, found.layers[-1])
        return True

    def clean(self, tx: Transaction, place: Indexed, tenant: str, limit: int) -> int:
        """Empty the second column in a batch of rows; how many."""
        index_keys.hold(tx, tenant, alone=True)
        if self._coming(tx, tenant) is not None:
            return 0
        sealed = f", {SEAL_NEXT} = NULL" if place.sealed else ""
        change, which = f"{place.beside} = NULL{sealed}", f"{place.beside} IS NOT NULL"
        return _batch(tx, place, change, which, tenant=tenant, limit=limit)

    def _coming(self, tx: Transaction, tenant: str) -> TenantKeyRow | None:
        found = index_keys.index_keys(tx, tenant)
        return None if found is None else found.coming

    def _beside(self, tx: Transaction, indexes: Indexes, place: Indexed, row: Row) -> dict[str, Any]:
        """What is written beside one row's index. Raises RowSealBroken where the row's own seal is not its own."""
        index = indexes.next_of(place.purpose, bytes(row[place.column]))
        named = {column: row[column] for column in place.key}
        if place.sealed is None:
            return {"beside": index, **named}
        key = self._key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))
        key.check_row(place.table, place.sealed(row), bytes(row[SEAL]))
        seal = key.seal_row(place.table, place.sealed({**row, place.column: index}))
        return {"beside": index, "seal_next": seal, **named}

    def _belongs(self, tx: Transaction, indexes: Indexes, place: Indexed, row: Row) -> bool:
        index, beside = bytes(row[place.column]), bytes(row[place.beside])
        if indexes.changing and beside not in {index, indexes.next_of(place.purpose, index)}:
            return False
        if place.sealed is None:
            return True
        key = self._key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))
        try:
            key.check_row(place.table, place.sealed({**row, place.column: beside}), bytes(row[SEAL_NEXT] or b""))
        except (VaultError, TypeError):
            return False
        return True

    def _needs_older(self, tx: Transaction, place: Indexed, tenant: str) -> bool:
        row = tx.one(
            f"SELECT 1 AS found FROM {place.table} WHERE tenant_id = :tenant AND {place.column} IS NOT NULL"
            f" AND ({place.beside} IS NULL OR {place.beside} <> {place.column}) LIMIT 1",
            tenant=tenant,
        )
        return row is not None

    def _rows(
        self, tx: Transaction, place: Indexed, tenant: str, after: _Key | None, limit: int, *, filled: bool = False
    ) -> Sequence[Row]:
        names = {f"after{number}": value for number, value in enumerate(after or ())}
        begin = f" AND ({', '.join(place.key)}) > ({', '.join(':' + name for name in names)})" if names else ""
        which = "IS NOT NULL" if filled else "IS NULL"
        return tx.all(
            f"SELECT * FROM {place.table} WHERE tenant_id = :tenant AND {place.column} IS NOT NULL"
            f" AND {place.beside} {which}{begin} ORDER BY {', '.join(place.key)} LIMIT :limit"
            f" {'' if filled else getattr(tx, 'skip_locked', '')}",
            tenant=tenant,
            limit=limit,
            **names,
        )


def _batch(tx: Transaction, place: Indexed, change: str, which: str, **bound: Any) -> int:
    key = ", ".join(place.key)
    return tx.run(
        f"UPDATE {place.table} SET {change} WHERE ({key}) IN (SELECT {key} FROM {place.table}"
        f" WHERE tenant_id = :tenant AND {which} LIMIT :limit {getattr(tx, 'skip_locked', '')})",
        **bound,
    )


def _named(place: Indexed, row: Row) -> _Key:
    return tuple(bytes(row[column]) if isinstance(row[column], memoryview) else row[column] for column in place.key)
