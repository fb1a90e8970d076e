"""What a provider says of itself (OpenID Connect Discovery 1.0, RFC 8414), checked, and remembered for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from providers.capabilities import Registration
from providers.errors import ProviderError
from providers.exchange import MEDIUM, Exchange, get
from providers.oauth2 import ClientAuthentication, read
from providers.oidc.keys import KeySet, read_key_set

TTL_MS = 3600 * 1000  # a key that was removed there stops working here within this
LAST_GOOD_MS = 24 * 3600 * 1000  # how long old answers serve while the provider does not answer
REFETCH_MS = 30 * 1000  # unknown key ids ask for the key set at most this often
_FETCH_MS = 20 * 1000  # a fetch that reported nothing for so long is over
_MAX_FETCHING = 8
_MAX_ISSUERS = 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_WRONG_ISSUER = (
    "The provider's metadata is for another issuer. Compare the integration's issuer with the provider's own."
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The part of a provider's metadata that is used. Optional endpoints are "" where it has none."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    revocation_endpoint: str = ""
    pushed_authorization_request_endpoint: str = ""
    requires_par: bool = False
    sends_iss: bool = False
    client_authentication: tuple[str, ...] = ()

    def authentication(self, wanted: str = "") -> ClientAuthentication:
        """How to authenticate at its endpoints: as the operator wants, else Basic, else by form if only that is taken.

        Raises:
            ProviderError: misconfigured, where it takes neither.
        """
        if wanted == "client_secret_post":
            return "client_secret_post"
        if wanted == "client_secret_basic" or not self.client_authentication:
            return "client_secret_basic"
        if "client_secret_basic" in self.client_authentication:
            return "client_secret_basic"
        if "client_secret_post" in self.client_authentication:
            return "client_secret_post"
        raise ProviderError(
            "misconfigured",
            "client_authentication",
            "The provider takes neither client_secret_basic nor client_secret_post.",
        )


def discovery_url(issuer: str, *, development: bool = False) -> str:
    """Where an issuer's metadata is (OpenID Connect Discovery section 4). Raises ProviderError(misconfigured)."""
    parts = urlsplit(issuer)
    if not _is_endpoint(issuer, development=development) or parts.query or parts.fragment or "?" in issuer:
        raise ProviderError(
            "misconfigured", "issuer_unusable", "The issuer must be an https address without query or fragment."
        )
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def read_metadata(raw: Mapping[str, Any], issuer: str, *, development: bool = False) -> Metadata:
    """Metadata of exactly this issuer. What it says of algorithms is not read: that is ours to say.

    Raises:
        ProviderError: mismatch, where it is another's; misconfigured, where an endpoint is missing or unusable.
    """
    if raw.get("issuer") != issuer:
        raise ProviderError("mismatch", "issuer_mismatch", _WRONG_ISSUER)

    def endpoint(name: str, *, required: bool = False) -> str:
        value = raw.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not _is_endpoint(value, development=development):
            raise ProviderError("misconfigured", "endpoint_unusable", f"The provider's metadata has no usable {name}.")
        return value

    methods = raw.get("token_endpoint_auth_methods_supported")
    return Metadata(
        issuer=issuer,
        authorization_endpoint=endpoint("authorization_endpoint", required=True),
        token_endpoint=endpoint("token_endpoint", required=True),
        jwks_uri=endpoint("jwks_uri", required=True),
        userinfo_endpoint=endpoint("userinfo_endpoint"),
        revocation_endpoint=endpoint("revocation_endpoint"),
        pushed_authorization_request_endpoint=endpoint("pushed_authorization_request_endpoint"),
        requires_par=raw.get("require_pushed_authorization_requests") is True,
        sends_iss=raw.get("authorization_response_iss_parameter_supported") is True,
        client_authentication=tuple(str(method) for method in methods) if isinstance(methods, list) else (),
    )


def monotonic_ms() -> int:
    """Milliseconds on a clock that never goes back; what a cache measures age with."""
    return time.monotonic_ns() // 1_000_000


@dataclass
class _Held:
    """What is known of one issuer."""

    metadata: Metadata | None = None
    metadata_at: int = 0
    keys: KeySet | None = None
    keys_at: int = 0
    refetched_at: int | None = None
    fetching: list[int] = field(default_factory=list)


class MetadataCache:
    """Metadata and key sets by issuer, for one process. Thread safe; holds no secrets.

    `now` answers milliseconds. Entries serve for an hour; while the provider does not answer, for a day.
    """

    def __init__(self, now: Callable[[], int] = monotonic_ms) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._held: dict[tuple[str, bool], _Held] = {}

    def metadata(self, registration: Registration, issuer: str) -> Exchange[Metadata]:
        """The issuer's metadata, fetched where it is not known or old. Raises ProviderError."""
        held = self._of(registration, issuer)
        known, age = held.metadata, self._now() - held.metadata_at
        if known is not None and age < TTL_MS:
            return known
        try:
            raw = yield from _fetch(discovery_url(issuer, development=registration.development))
            fresh = read_metadata(raw, issuer, development=registration.development)
        except ProviderError as error:
            if known is not None and age < LAST_GOOD_MS and error.kind in {"try_later", "garbage"}:
                return known
            raise
        with self._lock:
            if held.metadata is not None and held.metadata.jwks_uri != fresh.jwks_uri:
                held.keys = None
            held.metadata, held.metadata_at = fresh, self._now()
        return fresh

    def keys(self, registration: Registration, metadata: Metadata) -> Exchange[KeySet]:
        """The issuer's key set, fetched where it is not known or old. Raises ProviderError."""
        held = self._of(registration, metadata.issuer)
        known, age = held.keys, self._now() - held.keys_at
        if known is not None and age < TTL_MS:
            return known
        try:
            return (yield from self._fetch_keys(held, metadata))
        except ProviderError:
            if known is not None and age < LAST_GOOD_MS:
                return known
            raise

    def newer_keys(self, registration: Registration, metadata: Metadata) -> Exchange[KeySet | None]:
        """The key set anew, for a key id that is not in it; None where it was asked for a moment ago.

        However many unknown ids come, one fetch goes out per REFETCH_MS; those that arrive while it is under way may
        fetch as well, so that a rotation does not fail whoever comes second.
        """
        held = self._of(registration, metadata.issuer)
        with self._lock:
            now = self._now()
            held.fetching = [began for began in held.fetching if now - began < _FETCH_MS]
            rested = held.refetched_at is None or now - held.refetched_at >= REFETCH_MS
            if not rested and not 0 < len(held.fetching) < _MAX_FETCHING:
                return None
            held.refetched_at = now
            held.fetching.append(now)
        try:
            return (yield from self._fetch_keys(held, metadata))
        finally:
            with self._lock:
                if now in held.fetching:
                    held.fetching.remove(now)

    def _fetch_keys(self, held: _Held, metadata: Metadata) -> Exchange[KeySet]:
        keys = read_key_set((yield from _fetch(metadata.jwks_uri)))
        with self._lock:
            held.keys, held.keys_at = keys, self._now()
        return keys

    def _of(self, registration: Registration, issuer: str) -> _Held:
        with self._lock:
            key = (issuer, registration.development)
            if key not in self._held and len(self._held) >= _MAX_ISSUERS:
                del self._held[next(iter(self._held))]
            return self._held.setdefault(key, _Held())


def _fetch(url: str) -> Exchange[dict[str, Any]]:
    response = yield from read(get(url, max_bytes=MEDIUM, about_person=False))
    if response.ok:
        return response.json()
    if 300 <= response.status < 400:  # noqa: PLR2004  the class of redirects, RFC 9110 section 15.4
        raise ProviderError("misconfigured", "redirected", "The provider's metadata has moved. Mend the issuer.")
    if response.status == 404:  # noqa: PLR2004  not found, RFC 9110 section 15.5.5
        raise ProviderError("misconfigured", "no_metadata", "There is no OpenID Connect metadata at this issuer.")
    raise ProviderError("try_later", "metadata_unavailable", "The provider's metadata cannot be had now.")


def _is_endpoint(url: str, *, development: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if (
        not url.isascii()
        or not url.isprintable()
        or " " in url
        or "@" in parts.netloc
        or "#" in url
        or not parts.hostname
    ):
        return False
    return parts.scheme == "https" or (development and parts.scheme == "http" and parts.hostname in _LOOPBACK)
