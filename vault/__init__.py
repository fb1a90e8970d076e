"""Bytes at addresses, sealed.

Owns: key encryption keys and where they come from, tenant keys, data keys, the record format, row seals, blind
indexes, and the tables tenant_keys, data_keys, vault_canaries, shred_ledger and rekey_jobs. Knows nothing of OAuth,
users or policy: tenants, owners and places are words that it binds and does not understand.

Others may not touch those tables, hold an unwrapped key longer than a request, or seal by any other means.
The one exception is reading: the hot path may join data_keys and hand what it read to `Vault.unwrap`.
"""

from vault.address import Address, Owner
from vault.blind_index import BlindIndex, Indexes
from vault.data_key import DataKey
from vault.errors import (
    CommitmentMismatch,
    EpochMismatch,
    FormatUnknown,
    GenerationMismatch,
    KekMismatch,
    KekUnknown,
    KeyDestroyed,
    KeyExists,
    KeyServiceOut,
    KeySourceError,
    KeyUnknown,
    OwnerMismatch,
    RowSealBroken,
    TagMismatch,
    TooLong,
    VaultError,
)
from vault.keyring import SERVES_WITHOUT_SERVICE_S, Vault
from vault.memory import Hardening, harden_process
from vault.record import MAX_PLAINTEXT, OVERHEAD, epoch_of
from vault.rowseal import Field
from vault.sources import KINDS as KEY_SOURCES
from vault.sources import (
    Access,
    EnvironmentKeySource,
    FileKeySource,
    GrowingKeySource,
    Health,
    KeySource,
    RemoteKeySource,
    open_source,
    open_sources,
)
from vault.start_checks import Finding
from vault.tables import Transaction

__all__ = [
    "KEY_SOURCES",
    "MAX_PLAINTEXT",
    "OVERHEAD",
    "SERVES_WITHOUT_SERVICE_S",
    "Access",
    "Address",
    "BlindIndex",
    "CommitmentMismatch",
    "DataKey",
    "EnvironmentKeySource",
    "EpochMismatch",
    "Field",
    "FileKeySource",
    "Finding",
    "FormatUnknown",
    "GenerationMismatch",
    "GrowingKeySource",
    "Hardening",
    "Health",
    "Indexes",
    "KekMismatch",
    "KekUnknown",
    "KeyDestroyed",
    "KeyExists",
    "KeyServiceOut",
    "KeySource",
    "KeySourceError",
    "KeyUnknown",
    "Owner",
    "OwnerMismatch",
    "RemoteKeySource",
    "RowSealBroken",
    "TagMismatch",
    "TooLong",
    "Transaction",
    "Vault",
    "VaultError",
    "epoch_of",
    "harden_process",
    "open_source",
    "open_sources",
]
