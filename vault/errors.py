"""What the vault refuses, one class for each reason, so that alarms can tell a wrong key from altered data.

No message carries key material, plaintext, ciphertext or an address.
"""


class VaultError(Exception):
    """Anything the vault refuses to do."""


class FormatUnknown(VaultError):
    """The bytes are no record this version can read: magic, suite or length is not one of ours."""


class EpochMismatch(VaultError):
    """The record was sealed under another epoch of its owner's key than the one that was handed in."""


class GenerationMismatch(VaultError):
    """The record belongs to another generation of its row: an old record put back, or one taken too early."""


class CommitmentMismatch(VaultError):
    """The record was sealed under another key, or its salt or commitment was altered."""


class TagMismatch(VaultError):
    """The key is right, but the bytes or the place they are bound to are not the ones that were sealed."""


class RowSealBroken(VaultError):
    """A sealed row was changed by someone without the key, or its seal belongs to another row."""


class TooLong(VaultError):
    """The plaintext is longer than one record may be; cut it into several."""


class OwnerMismatch(VaultError):
    """A key was asked to seal at an address that belongs to another owner."""


class KeyUnknown(VaultError):
    """There is no such key: it was never made, or its row is gone."""


class KeyDestroyed(VaultError):
    """The key was destroyed on purpose; nothing sealed under it can be opened again."""


class KeyExists(VaultError):
    """Making the key would put a second one where only one may be."""


class KeySourceError(VaultError):
    """The source of key encryption keys cannot serve; `mend` says what the operator can do about it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what} {mend}")
        self.what = what
        self.mend = mend


class KekUnknown(KeySourceError):
    """The source does not hold the key that something was wrapped with."""


class KekMismatch(KeySourceError):
    """The source holds a key of that name, but it is not the key that did the wrapping."""


class KeyServiceOut(KeySourceError):
    """The service that keeps the key encryption keys does not answer. What is in memory goes on serving for a while."""
