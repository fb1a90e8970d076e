"""Requests to OpenBao or HashiCorp Vault: JSON over HTTP, one connection each, no redirects, no proxies."""

import ipaddress
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vault.errors import KeySourceError
from vault.key_material import KeyMaterial
from vault.sources.guard import TIMEOUT_S, Unanswered

_MOST_BYTES = 1 << 16
_NOT_ITSELF = frozenset({412, 429, 472, 473})  # behind, overloaded, or a standby that may not answer
_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. `errors` are the service's own words."""

    status: int
    data: Mapping[str, Any]
    errors: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.status in {200, 204}


class TransitHttp(KeyMaterial):
    """One server. `base` is its address, https unless it is this host's own."""

    __slots__ = ("_connect", "_namespace", "_timeout_s", "_token")

    def __init__(
        self,
        base: str,
        *,
        token: Callable[[], str | None],
        ca_file: Path | None = None,
        namespace: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Open nothing yet. Raises KeySourceError for an address or certificates that cannot be used."""
        self._connect = _connector(base, ca_file, timeout_s)
        self._token = token
        self._namespace = namespace
        self._timeout_s = timeout_s

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """The answer to one request.

        Raises:
            Unanswered: no connection, no answer in time, or the server answered that it is not fit to.
            KeySourceError: the token cannot be read, or what answers is no OpenBao or Vault.
        """
        token = self._token()
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        headers |= {"X-Vault-Token": token} if token else {}
        headers |= {"X-Vault-Namespace": self._namespace} if self._namespace else {}
        connection = self._connect()
        try:
            connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = _text(connection, response, time.monotonic() + self._timeout_s)
        except ssl.SSLCertVerificationError:
            raise KeySourceError(
                "The key service's certificate is not one that this host trusts.",
                "Name the certificates of who signed it in vault.ca_file.",
            ) from None
        except (OSError, HTTPException) as error:
            raise Unanswered(type(error).__name__) from None
        finally:
            connection.close()
        return _answer(response.status, text)


def _answer(status: int, text: bytes) -> Answer:
    if status >= _SERVER_FAULT or status in _NOT_ITSELF:
        raise Unanswered(f"status {status}")
    try:
        document = json.loads(text) if text else {}
        data, errors = document.get("data") or {}, document.get("errors") or ()
    except (ValueError, AttributeError):
        data, errors = None, ()
    if not isinstance(data, dict) or not isinstance(errors, (list, tuple)):
        raise KeySourceError(
            f"What answers for the key service (status {status}) does not speak its language.",
            "Mend the address in vault.kek: it is transit:https://HOST:PORT/MOUNT/KEY",
        )
    return Answer(status, data, tuple(str(one) for one in errors))


def _text(connection: HTTPConnection, response: HTTPResponse, deadline: float) -> bytes:
    """The body, in the time that is left: one byte now and then does not keep anybody waiting for ever."""
    text = b""
    while piece := response.read1(4096):
        text += piece
        if len(text) > _MOST_BYTES or time.monotonic() > deadline:
            raise HTTPException("too long an answer")
        if connection.sock is not None:
            connection.sock.settimeout(max(deadline - time.monotonic(), 0.01))
    return text


def _connector(base: str, ca_file: Path | None, timeout_s: float) -> Callable[[], HTTPConnection]:
    parts = urlsplit(base)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "http" and _is_this_host(host):
        return lambda: HTTPConnection(host, port, timeout=timeout_s)
    if parts.scheme != "https" or not host:
        raise KeySourceError(
            "A Transit key is named by an https address (http only on this host).",
            "Write transit:https://HOST:PORT/MOUNT/KEY",
        )
    try:
        trust = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError):
        raise KeySourceError(f"{ca_file} holds no certificates.", "Mend vault.ca_file.") from None
    return lambda: HTTPSConnection(host, port, timeout=timeout_s, context=trust)


def _is_this_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
