"""Keys at the Transit engine of OpenBao or HashiCorp Vault.

The context goes along as the derivation context of a derived key: what was wrapped under one opens under no other, and
the server can bring a wrap under a newer version without showing the key to anyone. (Associated data would bind as
well, but the server's rewrap does not take it.)

An id reads "transit:MOUNT/KEY:VERSION". A version is retired by the key's min_decryption_version, which can be taken
back, and forgotten by trimming it, which cannot.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from vault.errors import KekUnknown, KeySourceError, TagMismatch
from vault.sources.access import Access, token_of
from vault.sources.guard import Guard
from vault.sources.remote import RemoteKeys, ServiceKeys, check_of
from vault.sources.transit_http import Answer, TransitHttp

_KINDS = frozenset({"aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"})
_PATH = re.compile(r"/[A-Za-z0-9._/-]{1,200}", re.ASCII)
_FORBIDDEN, _NOT_FOUND = 403, 404


def open_transit(address: str, access: Access) -> "TransitKeySource":
    """The source at https://HOST:PORT/MOUNT/KEY. Raises KeySourceError for an address that cannot be used."""
    try:
        parts = urlsplit(address)
        base = f"{parts.scheme}://{parts.netloc}"
        _ = parts.port
    except ValueError:
        parts, base = urlsplit(""), ""
    mount, _, name = parts.path.rpartition("/")
    if not _PATH.fullmatch(parts.path) or not mount or not name or parts.query or parts.username or ".." in parts.path:
        raise KeySourceError("The Transit key's address names no key.", "Write transit:https://HOST:PORT/MOUNT/KEY")
    http = TransitHttp(base, token=token_of(access), ca_file=access.ca_file, namespace=access.namespace)
    return TransitKeySource(http, mount.strip("/"), name, Guard("The Transit key service"))


class TransitKeySource(RemoteKeys):
    """One derived key at one Transit mount; its versions are the KEKs. The newest wraps."""

    def __init__(self, http: TransitHttp, mount: str, name: str, guard: Guard) -> None:
        super().__init__(guard)
        self._http = http
        self._mount = mount
        self._name = name
        self._prefix = f"transit:{mount}/{name}:"

    # Changing --------------------------------------------------------------------------------------

    def add(self, key_id: str) -> None:
        """Make the next version. The service lets it wrap at once, and it opens everywhere at once.

        Raises:
            KeySourceError: the id is not the next version's, or the token may not.
        """
        keys = self._keys(0)
        if key_id in keys.held:
            return
        if self._version(key_id) != self._version(keys.primary) + 1:
            raise KeySourceError(f"The next version is not {key_id}.", "Leave --to away: versions are counted.")
        self._change("rotate", {})

    def promote(self, key_id: str) -> None:
        """Nothing to do: the newest version wraps. Raises KekUnknown where it is another."""
        if self._keys(0).primary != key_id:
            raise KekUnknown(f"{key_id} is not the newest version.", "See which is: connector vault status")

    def retire(self, key_id: str) -> None:
        """The version, and all older ones, open nothing any more. Raises KeySourceError for the one that wraps."""
        if not key_id.startswith(self._prefix):
            return
        keys = self._keys(0)
        if key_id == keys.primary:
            raise KeySourceError(f"{key_id} wraps.", "Let a newer version wrap first: connector vault rotate")
        if key_id in keys.held:
            self._change("config", {"min_decryption_version": self._version(key_id) + 1})

    def reinstate(self, key_id: str) -> None:
        """A retired version, and all newer ones, open again. Raises KekUnknown where it was trimmed."""
        keys = self._keys(0)
        if key_id in keys.held:
            return
        if key_id not in keys.retired:
            self._lacks(key_id)
        self._change("config", {"min_decryption_version": self._version(key_id)})

    def forget(self, key_id: str) -> None:
        """Destroy a retired version and all older ones. Raises KekUnknown where it is not among the retired."""
        if key_id not in self._keys(0).retired:
            raise KekUnknown(f"{key_id} is not retired.", "See which are: connector vault status")
        version = self._version(key_id) + 1
        self._change("config", {"min_encryption_version": version})  # the service trims nothing that may still encrypt
        self._change("trim", {"min_available_version": version})

    def _change(self, what: str, body: Mapping[str, Any]) -> None:
        path = f"{self._mount}/keys/{self._name}/{what}"
        answer = self._guard.ask(lambda: self._http.ask("POST", path, body))
        if not answer.good:
            self._refused(answer, f"change the key ({what})")
        self._keys(0)

    # What the service does -------------------------------------------------------------------------

    def _look(self) -> ServiceKeys:
        answer = self._http.ask("GET", f"{self._mount}/keys/{self._name}")
        if answer.status == _NOT_FOUND:
            raise KekUnknown(
                f"There is no Transit key {self._mount}/{self._name}.",
                "Mend vault.kek, or restore the key service; make a key only for a new database (see docs/vault.md).",
            )
        if not answer.good:
            self._refused(answer, "read the key")
        return self._said(answer.data)

    def _said(self, data: Mapping[str, Any]) -> ServiceKeys:
        _refuse_unfit(data)
        try:
            held = {self._id(int(version)): _made(version, at) for version, at in data["keys"].items()}
            first, least = int(data["min_available_version"]) or 1, int(data["min_decryption_version"])
            primary = self._id(int(data["latest_version"]))
        except (KeyError, ValueError, TypeError, AttributeError):
            raise KeySourceError("The key service says nothing of its versions.", "Look at the key there.") from None
        if primary not in held:
            raise KeySourceError("The newest version may not open.", "Lower its min_decryption_version.")
        checks = {key_id: check_of(key_id, at) for key_id, at in held.items()}
        return ServiceKeys(checks, primary, frozenset(self._id(version) for version in range(first, least)))

    def _encrypt(self, key_id: str, key: bytes, bound: bytes) -> tuple[str, bytes]:
        body = {"plaintext": _base64(key), "context": _base64(bound), "key_version": self._version(key_id)}
        return self._ciphertext(self._done("encrypt", body))

    def _decrypt(self, key_id: str, sealed: bytes, bound: bytes) -> bytes:
        body = {"ciphertext": self._written(key_id, sealed), "context": _base64(bound)}
        return _bytes(self._done("decrypt", body).data.get("plaintext"))

    def _reencrypt(self, key_id: str, wants: str, sealed: bytes, bound: bytes) -> tuple[str, bytes]:
        body = {"ciphertext": self._written(key_id, sealed), "context": _base64(bound)}
        return self._ciphertext(self._done("rewrap", body | {"key_version": self._version(wants)}))

    def _done(self, what: str, body: Mapping[str, Any]) -> Answer:
        answer = self._http.ask("POST", f"{self._mount}/{what}/{self._name}", body)
        if not answer.good:
            self._refused(answer, what)
        return answer

    def _refused(self, answer: Answer, what: str) -> NoReturn:
        said = " ".join(answer.errors)
        if answer.status == _FORBIDDEN:
            raise KeySourceError(
                f"The token may not {what} at {self._mount}/{self._name}, or has run out.",
                "Give it the rules that docs/vault.md shows, or let an agent renew it.",
            )
        if "authentication failed" in said or "ciphertext length" in said:
            raise TagMismatch("a wrapped tenant key was altered or moved from its row")
        if "not found" in said or "too old" in said or "too new" in said:
            raise KekUnknown(f"The Transit key lacks what is needed to {what}.", "See: connector vault status")
        raise KeySourceError(
            f"The Transit key service refuses to {what} (status {answer.status}).", "Its audit log says why."
        )

    # Names and bytes -------------------------------------------------------------------------------

    def _id(self, version: int) -> str:
        return f"{self._prefix}{version}"

    def _version(self, key_id: str) -> int:
        version = key_id.removeprefix(self._prefix)
        if not version.isdecimal():
            self._lacks(key_id)
        return int(version)

    def _written(self, key_id: str, sealed: bytes) -> str:
        return f"vault:v{self._version(key_id)}:{_base64(sealed)}"

    def _ciphertext(self, answer: Answer) -> tuple[str, bytes]:
        # Kept as bytes: what base64 leaves open (bits at its end, line breaks) would otherwise be free to alter.
        label, _, rest = str(answer.data.get("ciphertext")).partition(":")
        version, _, text = rest.partition(":")
        if label != "vault" or not version.removeprefix("v").isdecimal():
            raise KeySourceError("The key service answered with something that is no wrapped key.", "Look at it.")
        return self._id(int(version.removeprefix("v"))), _bytes(text)


def _refuse_unfit(data: Mapping[str, Any]) -> None:
    """A key that binds no context, or that can be carried away, is none to trust everything to."""
    fit = data.get("type") in _KINDS and data.get("derived") is True and not data.get("convergent_encryption")
    if not fit:
        raise KeySourceError(
            "The Transit key is not of a fitting kind.",
            "Make one with type aes256-gcm96 and derived=true, not convergent (see docs/vault.md).",
        )
    if data.get("exportable") or data.get("allow_plaintext_backup") or data.get("soft_deleted"):
        raise KeySourceError(
            "The Transit key may be exported, backed up in the clear, or is deleted.",
            "Make one that may not be, and let everything come under it: connector vault rotate --to transit:…",
        )


def _made(version: str, at: object) -> int:
    if not isinstance(at, int):
        raise ValueError(version)  # noqa: TRY004  one kind of complaint for whatever was answered
    return at


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error:
        raise KeySourceError("The key service answered with something that is no base64.", "Look at it.") from None
