"""The same keys under newer ones: tenant keys under another KEK, data keys under another tenant key.

Nothing that is sealed is touched: only the wrapping changes. Each wrap is exchanged on the condition that it is still
the one that was read, so two who do it at once, or one who died in the middle, harm nothing. What is left to do is what
still lies under the old key; no cursor has to survive a crash.

A process that read the old wrap a moment ago opens it all the same: the old keys stay until nothing needs them.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vault import rotation_tables, tables
from vault.address import Owner
from vault.derivation import KEY_BYTES
from vault.errors import VaultError
from vault.key_material import KeyMaterial
from vault.sources.protocol import KeySource
from vault.tables import Row, TenantKeyRow, Transaction
from vault.tenant_key import Rewrapped as RewrappedDataKey
from vault.tenant_key import TenantKey

Rewrap = Callable[[Sequence[Row]], tuple[list[RewrappedDataKey], list[Row]]]
KEEP_RETIRED_MS = 24 * 3600 * 1000
"""How long a tenant key that nothing needs stays, for whoever read a row just before it was rewrapped."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """A tenant key under another KEK: how it was, and how it is to be."""

    row: TenantKeyRow
    kek_id: str
    wrapped: bytes


class Rotation(KeyMaterial):
    """What rotating takes, one step each. Made by `Vault.rotation`; safe to repeat in any order."""

    __slots__ = ("_open", "_source")

    def __init__(self, source: KeySource, open_tenant_key: Callable[[TenantKeyRow], TenantKey]) -> None:
        self._source = source
        self._open = open_tenant_key

    # Under another KEK -----------------------------------------------------------------------------

    def behind(self, tx: Transaction, kek_id: str, limit: int) -> list[TenantKeyRow]:
        """Tenant keys, retired ones included, that are not under this KEK."""
        return rotation_tables.tenant_keys_not_under(tx, kek_id, limit)

    def rewrap(self, rows: Sequence[TenantKeyRow], kek_id: str) -> tuple[list[Rewrapped], list[TenantKeyRow]]:
        """The keys of these rows under the KEK that wraps now, and the rows that do not open. No transaction is needed.

        Raises:
            KeySourceError: another KEK than `kek_id` wraps.
        """
        done: list[Rewrapped] = []
        broken: list[TenantKeyRow] = []
        for row in rows:
            try:
                done.append(Rewrapped(row, kek_id, self._source.rewrap(row.wrapped, tables.tenant_key_context(row))))
            except VaultError:
                broken.append(row)
        return done, broken

    def exchange(self, tx: Transaction, rewrapped: Sequence[Rewrapped]) -> int:
        """Store them where the old wrap is still there; how many were."""
        return sum(rotation_tables.exchange_tenant_key(tx, one.row, one.kek_id, one.wrapped) for one in rewrapped)

    # Under another tenant key ----------------------------------------------------------------------

    def without_epoch(self, tx: Transaction, since: int, limit: int) -> list[str]:
        """Tenants whose wrapping key is older than `since` (ms)."""
        return [tenant for tenant, _ in rotation_tables.tenants_with_wrap_older_than(tx, since)[:limit]]

    def new_wraps(self, tenants: Sequence[str]) -> list[TenantKeyRow]:
        """A new wrapping key for each of these tenants. It may ask a key service, so no transaction should be open.

        Raises:
            KeySourceError: the key source cannot serve.
        """
        fresh: list[TenantKeyRow] = []
        for tenant in tenants:
            row = TenantKeyRow(tables.new_id("tky"), tenant, tables.WRAP, self._source.key_id(), b"")
            fresh.append(replace(row, wrapped=self._source.wrap(os.urandom(KEY_BYTES), tables.tenant_key_context(row))))
        return fresh

    def begin_epoch(self, tx: Transaction, since: int, fresh: Sequence[TenantKeyRow]) -> int:
        """Store these keys for whoever still has none that is not older than `since` (ms); how many were stored."""
        rotation_tables.let_no_tenant_key_arrive(tx)
        newest = dict(rotation_tables.tenants_with_wrap_older_than(tx, since))
        wanted = [row for row in fresh if row.tenant in newest]
        for row in wanted:
            tables.add_tenant_key(tx, row, created_at=max(tx.now(), since, newest[row.tenant] + 1))
        return len(wanted)

    def old_wraps(self, tx: Transaction) -> list[TenantKeyRow]:
        """Wrapping keys that a newer one has replaced, and that are not retired or not yet empty."""
        return rotation_tables.replaced_tenant_keys(tx)

    def data_keys_under(self, tx: Transaction, row: TenantKeyRow, limit: int, lock: str = "") -> Sequence[Row]:
        """Data keys that this tenant key wraps. `lock`: a locking clause, where the database has one."""
        return rotation_tables.data_keys_under(tx, row, limit, lock)

    def rewrapping(self, old: TenantKeyRow, new: TenantKeyRow) -> Rewrap:
        """What brings rows of data keys from the old tenant key under the new one; it names those that do not open.

        Both keys are opened here, so that no service is asked later, while rows are locked.
        """
        opened, other = self._open(old), self._open(new)
        return lambda rows: opened.rewrap(other, old.tenant, rows)

    def exchange_data_keys(self, tx: Transaction, new: TenantKeyRow, keys: Sequence[RewrappedDataKey]) -> int:
        """Store them where the old wrap is still there; how many were."""
        return rotation_tables.exchange_data_keys(tx, new, keys)

    def newest_wrap(self, tx: Transaction, tenant: str) -> TenantKeyRow | None:
        """The key that wraps the tenant's data keys now."""
        return tables.current_tenant_key(tx, tenant, tables.WRAP)

    def carry_destroyed(self, tx: Transaction, old: TenantKeyRow, new: TenantKeyRow) -> int:
        """Let rows of destroyed keys name the new tenant key, so that nothing names the old one."""
        return rotation_tables.carry_destroyed(tx, old, new)

    def count_behind(self, tx: Transaction, kek_id: str) -> int:
        """How many tenant keys are not under this KEK."""
        return rotation_tables.count_not_under(tx, kek_id)

    def count_data_keys(self, tx: Transaction) -> int:
        """How many data keys can be opened, wherever they lie."""
        return rotation_tables.count_data_keys(tx)

    def let_none_arrive(self, tx: Transaction) -> None:
        """Let nobody add tenant keys until this transaction is over."""
        rotation_tables.let_no_tenant_key_arrive(tx)

    def count_under_old(self, tx: Transaction) -> int:
        """How many data keys lie under tenant keys that were replaced."""
        return rotation_tables.count_under_replaced(tx)

    def unreadable(
        self, tx: Transaction, after: tuple[str, str, int] | None, limit: int
    ) -> tuple[int, list[Row], tuple[str, str, int] | None]:
        """Try a batch of data keys in their order: how many, which do not open, and after which to go on."""
        rows = rotation_tables.data_keys_after(tx, after, limit)
        wraps: dict[str, TenantKey | None] = {}
        broken = [row for row in rows if not self._opens(tx, row, wraps)]
        last = rows[-1] if rows else None
        return len(rows), broken, None if last is None else (last["owner_kind"], last["owner_id"], last["epoch"])

    def retire(self, tx: Transaction) -> int:
        """Retire replaced tenant keys that wrap nothing, and drop those retired for a day; how many were retired."""
        rotation_tables.drop_retired_tenant_keys(tx, tx.now() - KEEP_RETIRED_MS)
        return rotation_tables.retire_empty_tenant_keys(tx)

    def drop_empty(self, tx: Transaction, before: int) -> int:
        """Drop tenant keys that wrap nothing any more and were retired before (ms); how many younger ones are left.

        What they wrapped once lies in backups alone. Bringing them under another KEK would let that one open those.
        """
        rotation_tables.retire_empty_tenant_keys(tx)
        rotation_tables.drop_retired_tenant_keys(tx, before)
        return rotation_tables.count_retired_tenant_keys(tx)

    def _opens(self, tx: Transaction, row: Row, wraps: dict[str, TenantKey | None]) -> bool:
        key_id = row["tenant_key_id"]
        try:
            if key_id not in wraps:
                found = tables.tenant_key(tx, row["tenant_id"], key_id)
                wraps[key_id] = None if found is None else self._open(found)
            wrap = wraps[key_id]
            if wrap is None:
                return False
            owner = Owner(row["tenant_id"], row["owner_kind"], row["owner_id"])
            wrap.unwrap(owner, row["epoch"], bytes(row["wrapped"]))
        except VaultError:
            return False
        return True
