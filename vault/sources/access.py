"""What a key source may need beside its name: passphrases, tokens, certificates."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vault.errors import KeySourceError
from vault.key_material import KeyMaterial
from vault.sources.private_file import read_private


@dataclass(frozen=True, slots=True, repr=False)
class Access(KeyMaterial):
    """How key sources are opened.

    Attributes:
        passphrase: for key files that were made with one.
        token: for Transit; absent: `token_file`, or none, where an agent on this host adds it.
        token_file: a file that an agent keeps a token in; it is read whenever one is needed.
        ca_file: the certificates by which the key service is known; absent: those of this host.
        namespace: the namespace at OpenBao or Vault Enterprise.
    """

    passphrase: bytes | None = None
    token: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    namespace: str | None = None


def token_of(access: Access) -> Callable[[], str | None]:
    """Gives the token of the moment. It raises KeySourceError where the file with it cannot be read, or is open."""
    file = access.token_file
    if file is None:
        return lambda: access.token
    if access.token is not None:
        raise KeySourceError("Both a token and a file with a token are set.", "Keep one of them.")

    def read() -> str:
        try:
            return read_private(file).decode("ascii").strip()
        except UnicodeDecodeError:
            raise KeySourceError(f"{file} holds no token.", "Let the agent write it anew.") from None

    return read
