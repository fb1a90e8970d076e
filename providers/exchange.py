"""What passes between an adapter and whoever drives it.

An adapter's function is a generator: it yields a `Request`, is resumed with its `Response`, and returns its result. The
driver decides about addresses, deadlines, sizes and redirects; the adapter decides what is asked and what the answer
means.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from providers.errors import ProviderError
from providers.secret import Secret

T = TypeVar("T")
Params: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

SMALL = 64 * 1024  # token and userinfo answers
MEDIUM = 256 * 1024  # discovery documents and key sets
LARGE = 4 * 1024 * 1024  # a page of contacts


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request to a provider.

    Attributes:
        method: HTTP method.
        url: absolute URL without secrets.
        headers: header names as they are sent.
        body: bytes, or None.
        about_person: true where it concerns one person (such requests have a ledger entry); discovery and keys do not.
        max_bytes: the largest answer that makes sense, before and after decompression.
        once: true where the request must not be repeated by any layer below (token endpoint, writes).
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    about_person: bool = True
    max_bytes: int = SMALL
    once: bool = False

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.split('?')[0]}>"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """One answer of a provider: status, lower-case headers, body within the asked size."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Response {self.status} {len(self.body)} bytes>"

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004  the class of success, RFC 9110 section 15.3

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ProviderError(garbage) for anything else."""
        try:
            value = json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ProviderError("garbage", "not_json", "The provider's answer is not JSON.") from error
        if not isinstance(value, dict):
            raise ProviderError("garbage", "not_an_object", "The provider's answer is not a JSON object.")
        return value

    def form(self) -> dict[str, str]:
        """The body as form fields. Raises ProviderError(garbage) where a name repeats or nothing can be read."""
        try:
            pairs = parse_qsl(self.body.decode("utf-8"), strict_parsing=True, max_num_fields=64)
        except ValueError as error:
            raise ProviderError("garbage", "not_a_form", "The provider's answer is not form-encoded.") from error
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise ProviderError("garbage", "repeated_field", "The provider's answer repeats a field.")
        return fields


class NetworkFailure(Exception):
    """The exchange did not complete. `sent` is "no" only where it is proven that no byte left."""

    def __init__(self, sent: Literal["no", "maybe"], code: str) -> None:
        super().__init__(f"{code} (sent: {sent})")
        self.sent: Literal["no", "maybe"] = sent
        self.code = code


Exchange: TypeAlias = Generator[Request, Response, T]


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def get(
    url: str,
    params: Params = (),
    *,
    bearer: Secret | None = None,
    headers: Mapping[str, str] | None = None,
    max_bytes: int = SMALL,
    about_person: bool = True,
) -> Request:
    """A GET that asks for JSON. `bearer` goes into the Authorization header (RFC 6750 section 2.1)."""
    sent = {"Accept": "application/json", **(headers or {})}
    if bearer is not None:
        sent["Authorization"] = f"Bearer {bearer.reveal()}"
    return Request("GET", with_params(url, params), sent, None, about_person, max_bytes)


def post_form(
    url: str,
    fields: Params,
    *,
    basic: tuple[str, Secret] | None = None,
    bearer: Secret | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Request:
    """A form-encoded POST, sent once. `basic` is the client's id and secret (RFC 6749 section 2.3.1)."""
    sent = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        **(headers or {}),
    }
    if basic is not None:
        sent["Authorization"] = basic_authorization(*basic)
    if bearer is not None:
        sent["Authorization"] = f"Bearer {bearer.reveal()}"
    return Request(method, url, sent, urlencode(fields).encode(), max_bytes=SMALL, once=True)


def send_json(
    method: str,
    url: str,
    value: Any,
    *,
    bearer: Secret | None = None,
    basic: tuple[str, Secret] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """A JSON request that changes something, sent once."""
    sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    if bearer is not None:
        sent["Authorization"] = f"Bearer {bearer.reveal()}"
    if basic is not None:
        sent["Authorization"] = basic_authorization(*basic)
    return Request(method, url, sent, json.dumps(value, separators=(",", ":")).encode(), max_bytes=LARGE, once=True)


def basic_authorization(client_id: str, secret: Secret) -> str:
    """The Basic header with both parts form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret.reveal(), safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def with_params(url: str, params: Params) -> str:
    """The URL with query parameters added after those it already has."""
    encoded = urlencode(params)
    if not encoded:
        return url
    return f"{url}{'&' if '?' in url else '?'}{encoded}"
