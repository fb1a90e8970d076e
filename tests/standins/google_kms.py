"""Google Cloud KMS's REST interface for one symmetric key, as the official client speaks it.

Strict about what it is sent: unknown members, absent sums and wrong ones are refused. Wrong answers are set as
attributes.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import google_crc32c
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.auth.credentials import AnonymousCredentials
from google.cloud.kms_v1 import KeyManagementServiceClient
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceRestTransport

KEY = "projects/town/locations/europe/keyRings/ring/cryptoKeys/gateway"
_MEMBERS = {
    "encrypt": {
        "plaintext": "plaintextCrc32c",
        "additionalAuthenticatedData": "additionalAuthenticatedDataCrc32c",
    },
    "decrypt": {
        "ciphertext": "ciphertextCrc32c",
        "additionalAuthenticatedData": "additionalAuthenticatedDataCrc32c",
    },
}
_STATES = {1: "ENABLED", 2: "DISABLED", 3: "DESTROYED", 4: "DESTROY_SCHEDULED"}


class _Refused(Exception):
    def __init__(self, code: int, status: str) -> None:
        super().__init__(status)
        self.code = code
        self.status = status


@dataclass
class Version:
    """One version of the key."""

    key: bytes = field(default_factory=lambda: os.urandom(32))
    state: int = 1
    generated: str = "2026-01-01T00:00:00.5Z"


@dataclass
class GoogleKms:
    """The service, as a WSGI application.

    Faults:
        bent: members of answers that come back with a bit flipped, sums left as they were.
        unverified: the service says that it compared no sums.
        status: (code, word) answered to everything.
    """

    versions: dict[int, Version] = field(default_factory=lambda: {1: Version()})
    primary: int = 1
    bent: set[str] = field(default_factory=set)
    unverified: bool = False
    status: tuple[int, str] | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = unquote(environ["PATH_INFO"]).removeprefix("/v1/")
        self.asked.append(f"{environ['REQUEST_METHOD']} {path}")
        try:
            code, answer = 200, self._answer(environ["REQUEST_METHOD"], path, json.loads(body) if body else {})
        except _Refused as refused:
            code = refused.code
            answer = {"error": {"code": code, "message": refused.status.lower(), "status": refused.status}}
        text = json.dumps(answer).encode()
        start_response(f"{code} X", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def _answer(  # noqa: PLR0911  one return for each request it knows
        self, method: str, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        if self.status:
            raise _Refused(*self.status)
        found = re.fullmatch(rf"{KEY}(?P<version>/cryptoKeyVersions(/(?P<number>\d+))?)?(:(?P<verb>\w+))?", path)
        if found is None:
            raise _Refused(404, "NOT_FOUND")
        match (method, found["verb"], bool(found["version"]), found["number"]):
            case ("POST", "encrypt" | "decrypt" as verb, False, None):
                return self._crypt(verb, body)
            case ("GET", None, False, None):
                return {"name": KEY, "purpose": "ENCRYPT_DECRYPT", "primary": self._shown(self.primary)}
            case ("GET", None, True, None):
                return {"cryptoKeyVersions": [self._shown(number) for number in self.versions]}
            case ("POST", None, True, None):
                self.versions[max(self.versions) + 1] = Version()
                return self._shown(max(self.versions))
            case ("POST", "updatePrimaryVersion", False, None):
                self.primary = self._existing(body["cryptoKeyVersionId"])
                return {"name": KEY, "primary": self._shown(self.primary)}
            case ("PATCH", None, True, str(number)):
                self.versions[self._existing(number)].state = body["state"]
                return self._shown(int(number))
            case ("POST", "destroy", True, str(number)):
                self.versions[self._existing(number)].state = 4
                return self._shown(int(number))
        raise _Refused(404, "NOT_FOUND")

    def _crypt(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        members = _MEMBERS[verb]
        if set(body) != set(members) | set(members.values()):
            raise _Refused(400, "INVALID_ARGUMENT")
        data = {name: base64.b64decode(body[name]) for name in members}
        if any(google_crc32c.value(data[name]) != int(body[total]) for name, total in members.items()):
            raise _Refused(400, "INVALID_ARGUMENT")
        bound = data["additionalAuthenticatedData"]
        return self._sealed(data["plaintext"], bound) if verb == "encrypt" else self._opened(data["ciphertext"], bound)

    def _sealed(self, plaintext: bytes, bound: bytes) -> dict[str, Any]:
        nonce = os.urandom(12)
        key = self.versions[self.primary].key
        sealed = self.primary.to_bytes(4, "big") + nonce + AESGCM(key).encrypt(nonce, plaintext, bound)
        return {
            "name": self._path(self.primary),
            "ciphertext": self._sent("ciphertext", sealed),
            "ciphertextCrc32c": str(google_crc32c.value(sealed)),
            "verifiedPlaintextCrc32c": not self.unverified,
            "verifiedAdditionalAuthenticatedDataCrc32c": not self.unverified,
            "protectionLevel": "SOFTWARE",
        }

    def _opened(self, sealed: bytes, bound: bytes) -> dict[str, Any]:
        version = self.versions.get(int.from_bytes(sealed[:4], "big"))
        if version is None or len(sealed) < 32:
            raise _Refused(400, "INVALID_ARGUMENT")
        if version.state != 1:
            raise _Refused(400, "FAILED_PRECONDITION")
        try:
            plaintext = AESGCM(version.key).decrypt(sealed[4:16], sealed[16:], bound)
        except InvalidTag:
            raise _Refused(400, "INVALID_ARGUMENT") from None
        return {
            "plaintext": self._sent("plaintext", plaintext),
            "plaintextCrc32c": str(google_crc32c.value(plaintext)),
            "usedPrimary": sealed[:4] == self.primary.to_bytes(4, "big"),
        }

    def _sent(self, member: str, data: bytes) -> str:
        bent = bytes([data[0] ^ 1]) + data[1:] if member in self.bent else data
        return base64.b64encode(bent).decode()

    def _existing(self, number: str) -> int:
        if int(number) not in self.versions:
            raise _Refused(404, "NOT_FOUND")
        return int(number)

    def _shown(self, number: int) -> dict[str, Any]:
        version = self.versions[number]
        return {
            "name": self._path(number),
            "state": _STATES[version.state],
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
            "generateTime": version.generated,
        }

    def _path(self, number: int) -> str:
        return f"{KEY}/cryptoKeyVersions/{number}"


def client(address: str) -> Any:
    """The official client, as production makes it, but for the address and the credentials."""
    transport = KeyManagementServiceRestTransport(
        host=address.removeprefix("http://"), url_scheme="http", credentials=AnonymousCredentials()
    )
    return KeyManagementServiceClient(transport=transport)
