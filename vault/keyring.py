"""The vault: makes, finds, unwraps and destroys the keys of tenants and owners.

    KEK (from a key source)
      tenant key, wrapping      wraps the data keys of the tenant
      tenant key, index         blind indexes
        data key, by owner and epoch
          record key            derived for each record

Nothing here logs. No key is ever made because another one could not be opened.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from vault import index_keys, start_checks, tables
from vault.address import Owner
from vault.blind_index import Indexes, IndexKey
from vault.data_key import DataKey
from vault.derivation import KEY_BYTES
from vault.errors import KeyDestroyed, KeyExists, KeySourceError, KeyUnknown, VaultError
from vault.index_rotation import IndexRotation
from vault.key_cache import KeyCache
from vault.key_material import KeyMaterial
from vault.rotation import Rotation
from vault.sources.guard import Health
from vault.sources.protocol import KeySource, RemoteKeySource
from vault.start_checks import Finding
from vault.tables import DataKeyRow, TenantKeyRow, Transaction
from vault.tenant_key import TenantKey

SERVES_WITHOUT_SERVICE_S = 3_600
"""How long what is in memory serves where a key service does not answer."""
_KEPT_TENANTS = 10_000
_AT_ONCE = 8
_ATTEMPTS = 8


class Vault(KeyMaterial):
    """Keys of one database, opened through one key source. Safe to share between threads.

    `now` gives milliseconds since the epoch and ages the cache of tenant keys; `tenant_key_ttl_s` is in seconds.
    A tenant key that was destroyed elsewhere may open data keys here for that long, but only data keys whose
    rows still hold them. Where a key service is out, keys in memory serve for `SERVES_WITHOUT_SERVICE_S`.
    """

    __slots__ = ("_index_keys", "_source", "_tenant_keys")

    def __init__(self, source: KeySource, *, now: Callable[[], int], tenant_key_ttl_s: int = 900) -> None:
        self._source = source
        keep_s = max(SERVES_WITHOUT_SERVICE_S, tenant_key_ttl_s)
        self._tenant_keys: KeyCache[TenantKey] = KeyCache(now, tenant_key_ttl_s, _KEPT_TENANTS, keep_s=keep_s)
        self._index_keys: KeyCache[IndexKey] = KeyCache(now, tenant_key_ttl_s, _KEPT_TENANTS, keep_s=keep_s)

    def create_tenant(self, tx: Transaction, tenant: str) -> None:
        """Make the tenant's wrapping key, its index key and its canary.

        Raises:
            KeyExists: the tenant has keys.
            KeySourceError: the key source cannot serve, or it opens nothing of what this database already holds.
        """
        if tables.current_tenant_key(tx, tenant, tables.WRAP) is not None:
            raise KeyExists("the tenant has its keys; they are made once")
        self._refuse_foreign_database(tx)
        for purpose in (tables.WRAP, tables.INDEX):
            self._add_tenant_key(tx, tenant, purpose)
        self.demand_seals(tx, tenant)

    def demand_seals(self, tx: Transaction, tenant: str) -> None:
        """From now on a row that may lack its seal must carry it: seal a canary that says so. Raises as `create_key`.

        A new tenant's canary says it from the beginning. One made by code that knew of no such seals does not.
        """
        key = self._create_key(tx, start_checks.canary_owner(tenant), start_checks.SEALS_DEMANDED)
        tables.put_canary(tx, tenant, start_checks.seal_canary(key, tenant), key.epoch)

    def demands_seals(self, tx: Transaction, tenant: str) -> bool:
        """Whether every row must carry its seal, or older code may have written one without."""
        return start_checks.demands_seals(tx, tenant, self.key)

    def create_key(self, tx: Transaction, owner: Owner) -> DataKey:
        """Make the owner's next data key; the first has epoch 1.

        Raises:
            KeyUnknown: the tenant has no wrapping key.
            KeyExists: other transactions kept taking the epoch; run the transaction again.
            KeySourceError, TagMismatch: the tenant's key cannot be opened.
        """
        return self._create_key(tx, owner, 1)

    def _create_key(self, tx: Transaction, owner: Owner, least: int) -> DataKey:
        row = tables.current_tenant_key(tx, owner.tenant, tables.WRAP)
        if row is None:
            raise KeyUnknown("the tenant has no wrapping key; create the tenant first")
        tenant_key = self._tenant_keys.get(owner.tenant, row.id) or self._open_with_indexes(tx, row)
        key = os.urandom(KEY_BYTES)
        for _ in range(_ATTEMPTS):
            epoch = max(tables.newest_epoch(tx, owner) + 1, least)
            wrapped = tenant_key.wrap(owner, epoch, key)
            if tables.add_data_key(tx, owner, DataKeyRow(epoch, row.id, wrapped)):
                return DataKey(owner, epoch, key)
        raise KeyExists("another transaction makes keys for this owner; run this one again")

    def key(self, tx: Transaction, owner: Owner, epoch: int | None = None) -> DataKey:
        """The owner's data key of the epoch, or the newest one.

        Raises:
            KeyUnknown: there is none.
            KeyDestroyed: it was destroyed.
            KeySourceError, TagMismatch: it cannot be opened.
        """
        row = tables.data_key(tx, owner, epoch)
        if row is None:
            raise KeyUnknown("the owner has no such data key")
        return self.unwrap(tx, owner, row.epoch, row.tenant_key_id, row.wrapped)

    def unwrap(self, tx: Transaction, owner: Owner, epoch: int, tenant_key_id: str, wrapped: bytes | None) -> DataKey:
        """The data key in a row of data_keys that the caller has read already.

        Runs no query while the tenant key is cached. Raises as `key` does.
        """
        if wrapped is None:
            raise KeyDestroyed("the key was destroyed; what was sealed under it is gone")
        tenant_key = self._tenant_keys.get(owner.tenant, tenant_key_id)
        if tenant_key is None:
            row = tables.tenant_key(tx, owner.tenant, tenant_key_id)
            if row is None:
                raise KeyUnknown("the tenant key that a data key names is not the tenant's, or is gone")
            tenant_key = self._open_with_indexes(tx, row)
        return DataKey(owner, epoch, tenant_key.unwrap(owner, epoch, wrapped))

    def destroy(self, tx: Transaction, owner: Owner) -> int:
        """Destroy the owner's data keys of every epoch; returns how many there were left to destroy.

        From the commit on, nothing that this gateway serves can open what they sealed. Old pages of the database,
        its log and its backups still hold the wrapped keys until they are overwritten or expire. The shred
        ledger says what a restored database must destroy again.
        """
        return tables.destroy_data_keys(tx, owner)

    def index(self, tx: Transaction, tenant: str, purpose: str, *parts: bytes) -> bytes:
        """32 bytes that stand for the parts, equal only for equal parts of this tenant and purpose.

        For what is stored and looked up later, take `indexes`: it knows of a newer key that is being brought in.
        Raises as that does.
        """
        return self.indexes(tx, tenant).of(purpose, *parts).now

    def indexes(self, tx: Transaction, tenant: str) -> Indexes:
        """The tenant's index keys; until the transaction ends, none of them goes out of use.

        Raises:
            KeyUnknown: the tenant has no index key.
            KeySourceError, TagMismatch: one cannot be opened.
        """
        index_keys.hold(tx, tenant)
        found = index_keys.index_keys(tx, tenant)
        if found is None:
            raise KeyUnknown("the tenant has no index key; create the tenant first")
        coming = None if found.coming is None else self._index_key(found.coming)
        return Indexes(found.names, tuple(self._index_key(row) for row in found.layers), coming)

    def check(self, tx: Transaction) -> list[Finding]:
        """What must be mended before the gateway may start; empty if all is well.

        Every tenant key is opened afresh, cached or not, and every tenant's canary through the whole chain.
        """
        self._tenant_keys.clear()
        self._index_keys.clear()
        return start_checks.check(tx, self._source, self._open_at_once(tx), self.key)

    def health(self) -> Health:
        """How the key source does, as of the last requests to it; asks nothing."""
        source = self._source
        return source.health() if isinstance(source, RemoteKeySource) else Health(ok=True, words="Keys are held here.")

    def rotation(self) -> Rotation:
        """The steps of bringing keys under newer ones."""
        return Rotation(self._source, self._open_tenant_key)

    def index_rotation(self) -> IndexRotation:
        """The steps of bringing blind indexes under newer keys."""
        return IndexRotation(self._source, self.indexes, self.key)

    def _index_key(self, row: TenantKeyRow) -> IndexKey:
        kept = self._index_keys.get(row.tenant, row.id)
        return kept or self._kept_index(row, IndexKey(row.tenant, self._open_afresh(row)))

    def _kept_index(self, row: TenantKeyRow, key: IndexKey) -> IndexKey:
        def renewed() -> IndexKey:
            return IndexKey(row.tenant, self._open_afresh(row))

        self._index_keys.put(row.tenant, row.id, key, renewed if isinstance(self._source, RemoteKeySource) else None)
        return key

    def _add_tenant_key(self, tx: Transaction, tenant: str, purpose: str) -> None:
        row = TenantKeyRow(tables.new_id("tky"), tenant, purpose, self._source.key_id(), b"")
        wrapped = self._source.wrap(os.urandom(KEY_BYTES), tables.tenant_key_context(row))
        tables.add_tenant_key(tx, TenantKeyRow(row.id, tenant, purpose, row.kek_id, wrapped))

    def _open_tenant_key(self, row: TenantKeyRow) -> TenantKey:
        return self._kept(row, TenantKey(row.id, self._open_afresh(row)))

    def _open_with_indexes(self, tx: Transaction, row: TenantKeyRow) -> TenantKey:
        """The tenant's key; from a service, its index keys come along, so that a sign-up is not kept waiting later."""
        key = self._open_tenant_key(row)
        if isinstance(self._source, RemoteKeySource):
            found = index_keys.index_keys(tx, row.tenant)
            for one in () if found is None else found.layers:
                with suppress(VaultError):  # whoever needs it hears why
                    self._index_key(one)
        return key

    def _kept(self, row: TenantKeyRow, key: TenantKey) -> TenantKey:
        def renewed() -> TenantKey:
            return TenantKey(row.id, self._open_afresh(row))

        self._tenant_keys.put(row.tenant, row.id, key, renewed if isinstance(self._source, RemoteKeySource) else None)
        return key

    def _open_at_once(self, tx: Transaction) -> Callable[[TenantKeyRow], bytes]:
        """What opens tenant keys for a check; a key service was asked for several at a time, and each only once."""
        source = self._source
        if not isinstance(source, RemoteKeySource):
            return self._open_afresh
        rows = tables.all_tenant_keys(tx)
        with ThreadPoolExecutor(_AT_ONCE, "key-check") as threads:
            opened = dict(zip((row.id for row in rows), threads.map(self._tried, rows), strict=True))
        for row in rows:
            key = opened[row.id]
            if isinstance(key, bytes) and row.purpose == tables.WRAP:
                self._kept(row, TenantKey(row.id, key))
            elif isinstance(key, bytes):
                self._kept_index(row, IndexKey(row.tenant, key))

        def found(row: TenantKeyRow) -> bytes:
            outcome = opened[row.id]
            if isinstance(outcome, VaultError):
                raise outcome
            return outcome

        return found

    def _tried(self, row: TenantKeyRow) -> bytes | VaultError:
        try:
            return self._open_afresh(row)
        except VaultError as error:
            return error

    def _open_afresh(self, row: TenantKeyRow) -> bytes:
        return self._source.unwrap(row.wrapped, tables.tenant_key_context(row))

    def _refuse_foreign_database(self, tx: Transaction) -> None:
        """Refuse to add keys beside keys that do not open: that is a wrong key source, not a new database."""
        samples = tables.one_tenant_key_per_kek(tx)
        if any(self._opens(row) for row in samples):
            return
        if samples or tables.any_data_key(tx):
            raise KeySourceError(
                "This database holds sealed data, and the key source opens none of its keys.",
                "Configure the key source it was last used with; no new key can replace that one.",
            )

    def _opens(self, row: TenantKeyRow) -> bool:
        try:
            self._open_afresh(row)
        except VaultError:
            return False
        return True
