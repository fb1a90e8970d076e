"""What is checked before anything is served: every key opens, and opens to what it was.

A canary is a record with known content, sealed for each tenant under a data key of its own, so that opening it
walks the whole chain: key source, tenant key, data key, record.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vault import tables
from vault.address import Address, Owner
from vault.data_key import DataKey
from vault.errors import KekMismatch, KekUnknown, KeySourceError, VaultError
from vault.sources.protocol import KeySource
from vault.tables import TenantKeyRow, Transaction

_CANARY = b"this opens, so the keys are the right ones"
_CANARY_KIND = "vault_canary"
SEALS_DEMANDED = 2
"""The epoch of a canary's key from which on rows without their seal are refused: see `demands_seals`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stops the start: a machine word, and a sentence that says how to mend it."""

    code: str
    sentence: str


def canary_owner(tenant: str) -> Owner:
    """Whose key the tenant's canary is sealed under."""
    return Owner(tenant, _CANARY_KIND, tenant)


def seal_canary(key: DataKey, tenant: str) -> bytes:
    """The tenant's canary."""
    return key.seal(_canary_address(tenant), _CANARY, generation=key.epoch)


def demands_seals(tx: Transaction, tenant: str, key: Callable[[Transaction, Owner, int], DataKey]) -> bool:
    """Whether the tenant's canary says that no code works here any more that leaves rows without their seal.

    Only a canary of an older epoch that truly opens says otherwise: who takes it away, or writes another number beside
    it, opens nothing.
    """
    stored = tables.canary(tx, tenant)
    return stored is None or stored[1] >= SEALS_DEMANDED or _canary_finding(tx, tenant, key) is not None


def check(
    tx: Transaction,
    source: KeySource,
    open_tenant_key: Callable[[TenantKeyRow], bytes],
    key: Callable[[Transaction, Owner, int], DataKey],
) -> list[Finding]:
    """All findings; empty if every key in use opens."""
    rows = tables.all_tenant_keys(tx)
    if not rows and tables.any_data_key(tx):
        return [_ORPHANED]
    try:
        held = source.key_ids()
    except KeySourceError as error:
        return [Finding("key_source", str(error))]
    findings = _unknown_keks(rows, held)
    broken: set[str] = set()
    for row in rows:
        found = _tenant_key_finding(row, open_tenant_key) if row.kek_id in held else None
        if found is not None and found not in findings:
            findings.append(found)
        if found is not None or row.kek_id not in held:
            broken.add(row.tenant)
    tenants = {row.tenant for row in rows} - broken  # a canary says nothing new where its key does not open
    findings += [found for tenant in sorted(tenants) if (found := _canary_finding(tx, tenant, key))]
    return findings


_ORPHANED = Finding(
    "tenant_keys_missing",
    "There are data keys but no tenant keys: restore the table tenant_keys from the backup of this database.",
)


def _unknown_keks(rows: list[TenantKeyRow], held: frozenset[str]) -> list[Finding]:
    return [
        Finding(
            "kek_unknown",
            f"Tenant keys are wrapped by {kek_id}, which the key source does not hold: add that key to it again.",
        )
        for kek_id in sorted({row.kek_id for row in rows} - held)
    ]


def _tenant_key_finding(row: TenantKeyRow, open_tenant_key: Callable[[TenantKeyRow], bytes]) -> Finding | None:
    try:
        open_tenant_key(row)
    except KekMismatch as error:
        return Finding("kek_mismatch", str(error))
    except KekUnknown as error:
        return Finding("kek_unknown", str(error))
    except KeySourceError as error:
        return Finding("key_source", str(error))
    except VaultError:
        return Finding(
            "tenant_key_broken",
            f"The {row.purpose} key {row.id} of tenant {row.tenant} was altered or moved: restore its row in"
            " tenant_keys from the backup of this database.",
        )
    return None


def _canary_finding(tx: Transaction, tenant: str, key: Callable[[Transaction, Owner, int], DataKey]) -> Finding | None:
    stored = tables.canary(tx, tenant)
    if stored is None:
        return Finding(
            "canary_missing",
            f"Tenant {tenant} has keys but no canary: restore its row in vault_canaries from the backup.",
        )
    sealed, epoch = stored
    try:
        opened = key(tx, canary_owner(tenant), epoch).open(_canary_address(tenant), sealed, generation=epoch)
    except VaultError as error:
        return _canary_broken(tenant, type(error).__name__)
    return None if opened == _CANARY else _canary_broken(tenant, "other content")


def _canary_broken(tenant: str, why: str) -> Finding:
    return Finding(
        "canary_broken",
        f"The canary of tenant {tenant} does not open ({why}): its keys and its data are not of one backup."
        " Restore tenant_keys, data_keys and vault_canaries together.",
    )


def _canary_address(tenant: str) -> Address:
    return Address(tenant, _CANARY_KIND, tenant, "", "vault_canaries.sealed")
