"""What a provider can do, as small capabilities, and the values they take and give.

An adapter implements the capabilities that its provider truly has. What it lacks is absent; `catalogue` says so in
words. Every function that needs the network is a generator (`Exchange`): see `exchange`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from providers.exchange import Exchange
from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class Registration:
    """A product's own registration at a provider: all that an adapter may know of the house.

    Attributes:
        client_id, client_secret: as the provider gave them.
        redirect_uri: the callback that is registered there; unique per integration.
        issuer: base or issuer URL where it is the operator's to say (generic OpenID Connect, Rehearsal); else "".
        scopes: what to ask for, in the provider's words.
        settings: operator's settings for this provider, e.g. {"graph_version": "v25.0"}.
        development: whether plain http on loopback is allowed.
    """

    client_id: str
    client_secret: Secret
    redirect_uri: str
    issuer: str = ""
    scopes: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    development: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """What one authorization request says. The secrets are made by the caller and held sealed until the return."""

    state: Secret
    nonce: Secret
    code_verifier: Secret
    scopes: tuple[str, ...] = ()  # empty: the registration's
    prompt: str = ""
    login_hint: str = ""
    ui_locales: str = ""
    max_age: int | None = None
    rerequest: bool = False  # ask again for what was declined


@dataclass(frozen=True, slots=True)
class Callback:
    """What the provider's redirect brought back, after state, browser and integration were compared."""

    code: Secret
    iss: str | None = None  # RFC 9207
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens as a provider gave them.

    Attributes:
        expires_in_s: lifetime in seconds, clamped to sense; None where the provider gave none.
        scopes: what was granted, in the provider's words; None where it did not say (then: as asked).
        declined: scopes the person declined, where the provider says so.
        refresh_expires_in_s: lifetime of the refresh token, where said.
        reauth_in_s: seconds until the person must come back whatever the tokens say (Facebook's data access).
        id_claims: verified ID token claims; empty without an ID token.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    token_type: str = "Bearer"  # noqa: S105  the name of a scheme, RFC 6750
    expires_in_s: int | None = None
    scopes: tuple[str, ...] | None = None
    declined: tuple[str, ...] = ()
    refresh_expires_in_s: int | None = None
    reauth_in_s: int | None = None
    id_claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Who the grant is for.

    Attributes:
        issuer: exact issuer string; with `subject` it names the account.
        subject: exact subject string.
        claims: OpenID standard claims known so far (name, email, email_verified, picture, locale …).
        birthdate: ISO date, year-only or year-less form as the provider gave it; "" where unknown.
        age_range: (at least, at most) in years, either None; where the provider gives a range.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    birthdate: str = field(default="", repr=False)
    age_range: tuple[int | None, int | None] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One atomic value at a JSON Pointer in a JSContact card (RFC 9553), and the provider's own name for it."""

    pointer: str
    value: Any = field(repr=False)
    category: Literal["profile", "contact", "people"]
    origin: str


@dataclass(frozen=True, slots=True)
class Item:
    """One card: the person's own, or one of their contacts.

    Attributes:
        external_id: the provider's id of the item ("" for the person's own profile).
        values: fields that were taken.
        ignored: names of fields knowingly left.
        strangers: names of fields nobody knows; dropped and counted.
        deleted: whether the provider says that it is gone.
        birthdate, age_range: as in Account, for the under-13 gate.
    """

    external_id: str
    values: tuple[FieldValue, ...] = ()
    ignored: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    deleted: bool = False
    birthdate: str = field(default="", repr=False)
    age_range: tuple[int | None, int | None] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an import.

    Attributes:
        next_cursor: where the next page starts; None on the last.
        sync_cursor: on the last page, where the next import may start; None where there is no delta.
        full: whether this import lists everything (what it does not list is gone) or only changes.
    """

    items: tuple[Item, ...]
    next_cursor: str | None = None
    sync_cursor: str | None = None
    full: bool = True


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What the person typed and opted in to: JSON Pointer → new JSContact value, or None to clear."""

    values: Mapping[str, Any] = field(repr=False)
    idempotency_key: str = ""
    target: str = ""  # e.g. a Page id where the provider writes there; "" for the person's own profile


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """How a write ended, field by field, in words."""

    written: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)  # pointer → why, in words
    unchanged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revoked:
    """How a revocation ended at the provider."""

    outcome: Literal["confirmed", "already_gone"]


@dataclass(frozen=True, slots=True)
class SignalRequest:
    """A provider's own request to us, as it came."""

    kind: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signal:
    """What a provider told us about a grant, after its signature was checked.

    Attributes:
        signal_id: unique per event, for duplicates.
        means: deauthorized (grant ended), delete_data, sessions_revoked, account_disabled, account_purged.
        subject: the account at the provider, exact string.
        issued_at: ms since the epoch; the signal acts only on grants older than this.
    """

    signal_id: str
    means: Literal["deauthorized", "delete_data", "sessions_revoked", "account_disabled", "account_purged"]
    issuer: str
    subject: str = field(repr=False)
    issued_at: int


class Adapter(Protocol):
    """What every adapter has: its name and its issuer for a registration."""

    name: str

    def issuer(self, registration: Registration) -> str:
        """The exact issuer string of accounts there."""


@runtime_checkable
class Authorizes(Protocol):
    """Lets a person grant access, and says who they are."""

    def authorization_url(self, registration: Registration, ask: Ask) -> Exchange[str]:
        """Where to send the browser (RFC 6749 section 4.1.1, RFC 7636, RFC 9126 where the provider has it)."""

    def check_callback(self, registration: Registration, iss: str | None) -> Exchange[None]:
        """Compare `iss` (RFC 9207) with this registration. Raises ProviderError(mismatch)."""

    def redeem(self, registration: Registration, callback: Callback, ask: Ask, *, now: int) -> Exchange[Grant]:
        """Exchange the code, once (RFC 6749 section 4.1.3), and verify what came with it."""

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """Whose grant it is, by a verified ID token or by the provider's own account call."""


@runtime_checkable
class NamesAccount(Protocol):
    """Says by an access token alone whose account it is, for tokens that were obtained elsewhere."""

    def whose(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """By the provider's own account call, never by an ID token that somebody hands in.

        Raises ProviderError(unsupported) where this registration's provider has no such call.
        """


@runtime_checkable
class Refreshes(Protocol):
    """Gives a fresh access token without the person."""

    def refresh(self, registration: Registration, grant: Grant, *, now: int) -> Exchange[Grant]:
        """Refresh or exchange, sent once (RFC 6749 section 6). `refresh_token` None in the answer: keep the old one."""


@runtime_checkable
class Revokes(Protocol):
    """Ends a grant at the provider."""

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """Revoke the grant (RFC 7009 or the provider's own call). Idempotent."""


@runtime_checkable
class ReadsProfile(Protocol):
    """Reads the person's own profile."""

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """The profile as one item, only the fields of `categories` that the granted scopes open."""


@runtime_checkable
class ReadsContacts(Protocol):
    """Reads the person's address book, page by page."""

    def contacts(
        self, registration: Registration, grant: Grant, *, cursor: str | None, sync_cursor: str | None
    ) -> Exchange[Page]:
        """One page. `cursor` from the page before; `sync_cursor` from the last import.

        Raises ProviderError(garbage, code sync_expired) where the delta cannot be continued: read all again.
        """


@runtime_checkable
class WritesProfile(Protocol):
    """Writes back what the person typed."""

    def writable(self, registration: Registration, grant: Grant) -> frozenset[str]:
        """Field groups that can be written with these scopes (see FIELD_GROUPS)."""

    def preview(self, registration: Registration, change: ProfileChange) -> tuple[Mapping[str, Any], ...]:
        """The exact requests that `write` would send, without credentials: method, url, body."""

    def write(self, registration: Registration, grant: Grant, change: ProfileChange) -> Exchange[WriteOutcome]:
        """Write with the provider's precondition, sent once. Raises ProviderError(conflict) on a newer state."""


@runtime_checkable
class ReadsBeforeWriting(Protocol):
    """Its `write` reads first and sends only what differs, so that a repeat after an unknown outcome is harmless."""

    reads_before_writing: Literal[True]


@runtime_checkable
class SendsSignals(Protocol):
    """Tells us about grants that end there."""

    signal_kinds: tuple[str, ...]

    def signal(self, registration: Registration, request: SignalRequest, *, now: int) -> Signal:
        """Check the signature first, then read. Raises ProviderError(mismatch) for anything not signed for us."""


# Field groups that a person can opt in to, and the JSContact pointers that belong to each.
FIELD_GROUPS: Mapping[str, tuple[str, ...]] = {
    "name": ("/name", "/nicknames"),
    "emails": ("/emails",),
    "phones": ("/phones",),
    "addresses": ("/addresses",),
    "links": ("/links", "/onlineServices"),
    "work": ("/organizations", "/titles"),
    "about": ("/personalInfo", "/notes"),
    "picture": ("/media",),
}


def field_group(pointer: str) -> str | None:
    """The group of a pointer such as `/emails/home`, or None where it belongs to none."""
    head = "/" + pointer.lstrip("/").split("/", 1)[0]
    return next((group for group, heads in FIELD_GROUPS.items() if head in heads), None)
