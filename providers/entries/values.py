"""The facts about one provider. These dataclasses are the schema: names, types and defaults are what a file may say.

All durations in seconds. `unknown` is a fact too: what nobody has documented is never guessed. An optional number may
be left out or written as "unknown"; both read as None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, cast, get_args

Capability = Literal[
    "authorise", "refresh", "revoke", "import_profile", "import_contacts", "write_back", "signals"
]  # fmt: skip
Category = Literal["profile", "contact", "people"]
FieldGroup = Literal["name", "emails", "phones", "addresses", "links", "work", "about", "picture"]
Authentication = Literal[
    "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt", "tls_client_auth", "none"
]  # the names of the IANA registry, OAuth Token Endpoint Authentication Methods
Sector = Literal[
    "identity", "social", "messaging", "developer", "work", "files", "mail", "crm", "support", "commerce", "finance",
    "media", "games", "health", "education", "travel", "marketing", "data", "hardware", "other",
]  # fmt: skip
TokenField = Literal["access_token", "refresh_token", "expires_in", "refresh_expires_in", "scope", "id_token"]
Claim = Literal[
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "website",
    "picture", "email", "email_verified", "phone_number", "birthdate", "locale", "organization", "job_title",
    "location", "bio",
]  # fmt: skip

# The same as keys of a table: text to the type checker, one of these words to whoever reads the file.
CapabilityKey = Annotated[str, Capability]
TokenFieldKey = Annotated[str, TokenField]
ClaimKey = Annotated[str, Claim]

CODE_LIFETIME_S = 60  # taken where nobody says: the shortest that many providers keep to


@dataclass(frozen=True, slots=True)
class Refresh:
    """How tokens live there.

    Attributes:
        model: none (nothing to refresh with), exchange (a live access token is exchanged for a longer one), reusable
            (the refresh token stays), rotating (each use gives a new one), fixed (ends at a fixed time), unknown.
        grace_s: how long a rotated token still works after its use; 0: not at all.
        access_ttl_s, refresh_ttl_s: lifetimes from issue.
        refresh_idle_ttl_s: the refresh token dies when unused for so long.
        endpoint: where it is not the token endpoint.
        needs_scope: the scope without which there is no refresh token.
        parameters: constant fields of a refresh beyond RFC 6749.
    """

    model: Literal["none", "exchange", "reusable", "rotating", "fixed", "unknown"]
    grace_s: float = 0
    access_ttl_s: int | None = None
    refresh_ttl_s: int | None = None
    refresh_idle_ttl_s: int | None = None
    endpoint: str = ""
    needs_scope: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: in words what it opens, which categories it imports, which field groups it lets us write."""

    words: str
    imports: tuple[Category, ...] = ()
    writes: tuple[FieldGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class Authorization:
    """How the authorization request differs: constant parameters, and the name under which scopes are sent."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    scope_parameter: str = "scope"


@dataclass(frozen=True, slots=True)
class Token:
    """How the token endpoint is spoken to.

    Attributes:
        authentication: what it takes, the preferred first.
        scope_separator: of the answer, where it differs from the request's.
        fields: our word → dotted path in the answer, where it is another.
        token_types: what `token_type` may be, in lower case; "" where it may be missing.
        parameters: constant fields of a code exchange. headers: constant headers of every request there.
    """

    authentication: tuple[Authentication, ...] = ()
    body: Literal["form", "json"] = "form"
    answer: Literal["json", "form", "json_or_form"] = "json"
    scope_separator: str = ""
    fields: Mapping[TokenFieldKey, str] = field(default_factory=dict)
    token_types: tuple[str, ...] = ("bearer",)
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Revocation:
    """How a grant is ended at `revocation_endpoint`; without this table by RFC 7009.

    Attributes:
        authentication: client (as at the token endpoint), bearer (the access token), client_in_body, none.
        token: which is sent: either (the refresh token, else the access token), one of them, or each in its turn.
        token_parameter: its name; "" where the bearer says it all.
        gone_statuses, gone_errors: by what the provider says that there was nothing to end any more.
    """

    method: Literal["POST", "DELETE", "GET", "PUT"] = "POST"
    body: Literal["form", "json", "none"] = "form"
    authentication: Literal["client", "bearer", "client_in_body", "none"] = "client"
    token: Literal["either", "access", "refresh", "each"] = "either"  # noqa: S105  a word
    token_parameter: str = "token"  # noqa: S105  a parameter's name
    token_type_hint: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)
    gone_statuses: tuple[int, ...] = ()
    gone_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Also:
    """A further answer about the person, for what the first lacks. `scope`: only with it."""

    endpoint: str
    claims: Mapping[ClaimKey, str | bool]
    root: str = ""
    scope: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the account and its profile are said, in dotted paths (`providers.generic.paths`).

    Attributes:
        subject: the identifier that stays and is never given to somebody else.
        source: userinfo, or token where the token answer names the account.
        query: GraphQL, sent as JSON with POST.
        scheme, token_header: how the access token is sent.
        root: where the object is; the other paths begin there.
        claims: OpenID claim → path; `email_verified` may be a fixed true or false.
        ignored: first-level names that are known and left.
    """

    subject: str
    source: Literal["userinfo", "token"] = "userinfo"
    method: Literal["GET", "POST"] = "GET"
    query: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "Bearer"
    token_header: str = "Authorization"  # noqa: S105  a header's name
    root: str = ""
    claims: Mapping[ClaimKey, str | bool] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    also: tuple[Also, ...] = ()


@dataclass(frozen=True, slots=True)
class Errors:
    """How failures look there, beyond RFC 6749.

    Attributes:
        path: where the code is in an answer; numbers are compared as text.
        with_status_200: whether failures come with success as their status.
        ok: path of a boolean that is false, or of a number that is not 0, in a failed answer.
        gone, later, misconfigured, denied: codes that mean: gone for good, try later, ours to mend, the person said no.
        gone_statuses: by which userinfo says that the token is dead, where it is not 401.
    """

    path: str = "error"
    with_status_200: bool = False
    ok: str = ""
    gone: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    misconfigured: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    gone_statuses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How often it may be asked, in words, and the headers that tell. `reset_is`: what `reset_header` holds."""

    words: str = ""
    headers: tuple[str, ...] = ()
    reset_header: str = ""
    reset_is: Literal["", "seconds", "epoch_s", "epoch_ms", "iso_8601"] = ""
    retry_after: bool | None = None


@dataclass(frozen=True, slots=True)
class AppRegistration:
    """How an operator gets client id and secret there: where, in which steps, and who is let in.

    Attributes:
        endpoint: where a program registers an app by itself, at each customer's host; "" where only people do.
        protocol: what it speaks: RFC 7591, or Mastodon's own POST /api/v1/apps.
    """

    url: str
    steps: tuple[str, ...] = ()
    access: Literal["open", "review", "partner", "unknown"] = "unknown"
    words: str = ""
    endpoint: str = ""
    protocol: Literal["", "rfc7591", "mastodon"] = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the addresses that is each customer's own, such as the first label of a host.

    Attributes:
        pattern: what the whole value must match.
        kind: label (one DNS label or path word) or host (the name of a whole server).
        by: who says it: the operator once per integration, or the person.
    """

    words: str
    pattern: str
    example: str
    kind: Literal["label", "host"] = "label"
    by: Literal["operator", "person"] = "operator"
    default: str = ""


@dataclass(frozen=True, slots=True)
class Quirk:
    """Something that surprises, and the date on which it was seen or took effect."""

    on: str
    words: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one provider. Empty endpoints mean: by discovery, or none, as `lacks` says.

    Attributes:
        adapter: dotted path of the adapter's class, `package.module:Class`; "" where the entry says all there is.
        issuer: the issuer of accounts there; "" where the operator names it per integration.
        revocation_scope: what one revocation ends: the token, the grant, everything of the account here, or none.
        code_lifetime_s: how long the provider's authorization code lives.
        imports_always: what any grant opens there, without a scope.
        conditions: capability → when it holds, in words.
        lacks: capability → why it is absent, in words.
        deep_link: where the person can change by hand what we cannot write.
        signals: kinds of signal it sends, as in `/signals/{integration}/{kind}`.
        documented_signals: what it could send besides, in words.
        development_only: true for what production refuses.
        settings: what an operator may set for one integration there: key → what it does, in words.
        verified_on: ISO date on which the facts were last compared with `sources`.
        sources: public addresses, independent of each other.
    """

    name: str
    title: str
    protocol: Literal["openid", "oauth2"]
    sector: Sector
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    scope_separator: str
    pkce: Literal["required", "supported", "none", "unknown"]
    refresh: Refresh
    revocation_scope: Literal["token", "grant", "account", "none", "unknown"]
    code_lifetime_s: int | None
    default_scopes: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    verified_on: str
    sources: tuple[str, ...]
    registration: AppRegistration
    adapter: str = ""
    revocation_endpoint: str = ""
    userinfo_endpoint: str = ""
    pushed_authorization_request_endpoint: str = ""
    introspection_endpoint: str = ""
    client_id_parameter: str = "client_id"
    client_secret_parameter: str = "client_secret"  # noqa: S105  a parameter's name
    policy_url: str = ""
    deep_link: str = ""
    development_only: bool = False
    signals: tuple[str, ...] = ()
    documented_signals: tuple[str, ...] = ()
    imports_always: tuple[Category, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    conditions: Mapping[CapabilityKey, str] = field(default_factory=dict)
    lacks: Mapping[CapabilityKey, str] = field(default_factory=dict)
    authorization: Authorization = field(default_factory=Authorization)
    token: Token = field(default_factory=Token)
    revocation: Revocation = field(default_factory=Revocation)
    profile: Profile | None = None
    errors: Errors = field(default_factory=Errors)
    limits: Limits = field(default_factory=Limits)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    quirks: tuple[Quirk, ...] = ()

    @property
    def source(self) -> str:
        """The first of the sources: the provider's own word, where it has one."""
        return self.sources[0]

    @property
    def code_lives_s(self) -> int:
        """How long its authorization code lives, by the careful guess where nobody says."""
        return CODE_LIFETIME_S if self.code_lifetime_s is None else self.code_lifetime_s

    def can(self, capability: str) -> bool:
        """Whether the provider has it, be it under a condition. Raises KeyError for no capability at all."""
        if capability not in get_args(Capability):
            raise KeyError(capability)
        return capability in self.capabilities

    def opens(self, *scopes: str) -> frozenset[str]:
        """The categories that a grant with these scopes opens. An unknown scope opens nothing."""
        opened = {category for name in scopes if name in self.scopes for category in self.scopes[name].imports}
        return frozenset({*self.imports_always, *opened})

    def scopes_that_import(self, *categories: str) -> tuple[str, ...]:
        """The scopes that open any of these categories, in the entry's order."""
        return tuple(name for name, scope in self.scopes.items() if set(scope.imports) & set(categories))

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON types, for `providers list --json` and `/v1/providers`."""
        shown = asdict(self) | {"source": self.source}
        del shown["adapter"]
        return cast("dict[str, Any]", _plain(shown))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
