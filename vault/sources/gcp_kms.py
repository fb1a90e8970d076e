"""Keys at Google Cloud KMS.

The context goes along as additional authenticated data. What is sent and what comes back carry CRC32C sums, and both
sides compare: a bit that flips on the way would otherwise be found only when the key is needed.

An id reads "gcp-kms:projects/…/cryptoKeys/KEY:VERSION". The primary version wraps; a disabled one is retired, and can
be enabled again; a destroyed one is gone after the time that Google waits.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from vault.errors import KekUnknown, KeySourceError, TagMismatch
from vault.sources.extras import extra
from vault.sources.guard import TIMEOUT_S, Guard, Unanswered
from vault.sources.remote import RemoteKeys, ServiceKeys, check_of

PREFIX = "gcp-kms:"
_NAME = re.compile(r"projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+", re.ASCII)
_VERSIONS = "/cryptoKeyVersions/"
_ENABLED, _DISABLED, _SYMMETRIC = 1, 2, 1  # CryptoKeyVersionState, CryptoKeyVersionAlgorithm of the API
_REFUSED = frozenset({401, 403})
_BAD_REQUEST, _NOT_FOUND, _SERVER_FAULT, _TOO_MANY = 400, 404, 500, 429


def open_gcp_kms(name: str) -> "GcpKmsKeySource":
    """The source of that key, with the credentials that this process has.

    Raises:
        KeySourceError: the extra is missing, the name is none, or there are no credentials.
    """
    if not _NAME.fullmatch(name):
        raise KeySourceError(
            "A Google key is named by its whole path.",
            "Write gcp-kms:projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
        )
    kms, auth = extra("gcp-kms", "google.cloud.kms_v1", "google.auth.exceptions")
    try:
        client = kms.KeyManagementServiceClient(transport="rest")
    except auth.GoogleAuthError as error:
        raise KeySourceError(
            f"There are no usable credentials for Google Cloud ({type(error).__name__}).",
            "Give the process a service account, or set GOOGLE_APPLICATION_CREDENTIALS.",
        ) from None
    return GcpKmsKeySource(client, name, Guard("Google Cloud KMS"))


class GcpKmsKeySource(RemoteKeys):
    """One symmetric key at Google Cloud KMS; its versions are the KEKs."""

    def __init__(self, client: Any, name: str, guard: Guard) -> None:
        """`client` is a google.cloud.kms_v1.KeyManagementServiceClient."""
        super().__init__(guard)
        self._client = client
        self._name = name
        self._prefix = f"{PREFIX}{name}:"
        crc, errors, auth = extra("gcp-kms", "google_crc32c", "google.api_core.exceptions", "google.auth.exceptions")
        self._sum: Callable[[bytes], int] = crc.value
        self._errors: tuple[Any, Any] = errors.GoogleAPICallError, auth.GoogleAuthError

    # Changing --------------------------------------------------------------------------------------

    def add(self, key_id: str) -> None:
        """Make the next version; it wraps nothing yet. Raises KeySourceError where Google counts otherwise."""
        if key_id in self._keys(0).held:
            return
        made = self._changed("create_crypto_key_version", {"parent": self._name, "crypto_key_version": {}})
        if self._id_of(made.name) != key_id:
            raise KeySourceError(
                f"The next version is {self._id_of(made.name)}.", "Name it: connector vault rotate --to VERSION"
            )

    def promote(self, key_id: str) -> None:
        """From now on this version wraps. Raises KekUnknown where it is not in use."""
        keys = self._keys(0)
        if key_id not in keys.held:
            self._lacks(key_id)
        if key_id != keys.primary:
            request = {"name": self._name, "crypto_key_version_id": key_id.removeprefix(self._prefix)}
            self._changed("update_crypto_key_primary_version", request)

    def retire(self, key_id: str) -> None:
        """Disable the version. Raises KeySourceError for the one that wraps."""
        keys = self._keys(0)
        if key_id == keys.primary:
            raise KeySourceError(f"{key_id} wraps.", "Let a newer version wrap first: connector vault rotate")
        if key_id in keys.held:
            self._set_state(key_id, _DISABLED)

    def reinstate(self, key_id: str) -> None:
        """Enable a disabled version. Raises KekUnknown where it is not there."""
        keys = self._keys(0)
        if key_id in keys.held:
            return
        if key_id not in keys.retired:
            self._lacks(key_id)
        self._set_state(key_id, _ENABLED)

    def forget(self, key_id: str) -> None:
        """Have a disabled version destroyed, after the time that Google waits. Raises KekUnknown."""
        if key_id not in self._keys(0).retired:
            raise KekUnknown(f"{key_id} is not retired.", "See which are: connector vault status")
        self._changed("destroy_crypto_key_version", {"name": self._path_of(key_id)})

    def _set_state(self, key_id: str, state: int) -> None:
        version = {"name": self._path_of(key_id), "state": state}
        self._changed("update_crypto_key_version", {"crypto_key_version": version, "update_mask": {"paths": ["state"]}})

    def _changed(self, method: str, request: Mapping[str, Any]) -> Any:
        answer = self._guard.ask(lambda: self._asked(method, request))
        self._keys(0)
        return answer

    # What the service does -------------------------------------------------------------------------

    def _look(self) -> ServiceKeys:
        key = self._asked("get_crypto_key", {"name": self._name})
        versions = list(self._asked("list_crypto_key_versions", {"parent": self._name, "page_size": 1_000}))
        held = {
            self._id_of(one.name): round(one.generate_time.timestamp() * 1000)
            for one in versions
            if one.state == _ENABLED and one.algorithm == _SYMMETRIC
        }
        primary = self._id_of(key.primary.name)
        if primary not in held:
            raise KeySourceError(
                "The Google key has no primary version in use that encrypts and decrypts.",
                "Enable one and make it primary; a new key needs purpose ENCRYPT_DECRYPT.",
            )
        retired = frozenset(self._id_of(one.name) for one in versions if one.state == _DISABLED)
        return ServiceKeys({key_id: check_of(key_id, at) for key_id, at in held.items()}, primary, retired)

    def _encrypt(self, key_id: str, key: bytes, bound: bytes) -> tuple[str, bytes]:
        del key_id  # Google wraps by its primary version, and says which that was
        request = {
            "name": self._name,
            "plaintext": key,
            "plaintext_crc32c": self._sum(key),
            "additional_authenticated_data": bound,
            "additional_authenticated_data_crc32c": self._sum(bound),
        }
        answer = self._asked("encrypt", request)
        arrived = answer.verified_plaintext_crc32c and answer.verified_additional_authenticated_data_crc32c
        if not arrived or answer.ciphertext_crc32c != self._sum(answer.ciphertext):
            raise Unanswered("a sum does not fit")
        return self._id_of(answer.name), answer.ciphertext

    def _decrypt(self, key_id: str, sealed: bytes, bound: bytes) -> bytes:
        del key_id  # the ciphertext names its version; `checked` has compared the id beside it
        request = {
            "name": self._name,
            "ciphertext": sealed,
            "ciphertext_crc32c": self._sum(sealed),
            "additional_authenticated_data": bound,
            "additional_authenticated_data_crc32c": self._sum(bound),
        }
        answer = self._asked("decrypt", request)
        plaintext: bytes = answer.plaintext
        if answer.plaintext_crc32c != self._sum(plaintext):
            raise Unanswered("a sum does not fit")
        return plaintext

    def _reencrypt(self, key_id: str, wants: str, sealed: bytes, bound: bytes) -> tuple[str, bytes]:
        # Google has no request for it: the key is here for a moment.
        return self._encrypt(wants, self._decrypt(key_id, sealed, bound), bound)

    def _asked(self, method: str, request: Mapping[str, Any]) -> Any:
        refusal, credentials = self._errors
        try:
            return getattr(self._client, method)(request=request, timeout=TIMEOUT_S, retry=None)
        except refusal as error:
            _refused(method.replace("_", " "), int(error.code or 0), _status(error))
        except credentials as error:
            if getattr(error, "retryable", False):
                raise Unanswered(type(error).__name__) from None
            raise KeySourceError(
                f"The credentials for Google Cloud do not work ({type(error).__name__}).",
                "Give the process a service account that is in use.",
            ) from None
        except OSError as error:  # what the client's own transport raises for connections and timeouts
            raise Unanswered(type(error).__name__) from None

    # Names -----------------------------------------------------------------------------------------

    def _id_of(self, path: str) -> str:
        key, _, version = path.partition(_VERSIONS)
        return f"{PREFIX}{key}:{version}"

    def _path_of(self, key_id: str) -> str:
        return f"{self._name}{_VERSIONS}{key_id.removeprefix(self._prefix)}"


def _refused(what: str, code: int, status: str) -> NoReturn:
    if code >= _SERVER_FAULT or code == _TOO_MANY:
        raise Unanswered(f"status {code}")
    if status == "FAILED_PRECONDITION":
        raise KeySourceError("The Google key's version is not in use.", "Enable it: connector vault status names it.")
    if code == _BAD_REQUEST and what == "decrypt":
        raise TagMismatch("a wrapped tenant key was altered or moved from its row")
    if code == _NOT_FOUND:
        raise KekUnknown("Google knows no such key.", "Mend vault.kek: project, location, ring and key must be right.")
    if code in _REFUSED:
        raise KeySourceError(
            f"Google refuses to {what} (status {code}).", "Give this process's account the rights in docs/vault.md."
        )
    raise KeySourceError(f"Google does not {what} (status {code}, {status}).", "Its audit log says why.")


def _status(error: Any) -> str:
    """The word that the API gives beside the number; it parts an altered wrap from a disabled version."""
    try:
        return str(error.response.json()["error"]["status"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(getattr(error.grpc_status_code, "name", ""))
