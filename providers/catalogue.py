"""The catalogue of providers: one TOML entry each, and the way from a name to its adapter.

What is only data stays data. An entry says where a provider is, how its tokens live, what each scope imports, and in
words what it lacks. Every entry is checked when it is read: an unknown or missing key stops with the file and the key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from providers.capabilities import (
    FIELD_GROUPS,
    Adapter,
    Authorizes,
    ReadsContacts,
    ReadsProfile,
    Refreshes,
    Revokes,
    SendsSignals,
    WritesProfile,
)

_ENTRIES = Path(__file__).with_suffix("")

CAPABILITIES: Mapping[str, type] = {
    "authorise": Authorizes,
    "refresh": Refreshes,
    "revoke": Revokes,
    "import_profile": ReadsProfile,
    "import_contacts": ReadsContacts,
    "write_back": WritesProfile,
    "signals": SendsSignals,
}
REFRESH_MODELS = ("none", "exchange", "reusable", "rotating", "fixed", "unknown")
REVOCATION_SCOPES = ("token", "grant", "account", "none")
PROTOCOLS = ("openid", "oauth2")
PKCE = ("required", "supported", "none")
CATEGORIES = ("profile", "contact", "people")


class CatalogueError(Exception):
    """An entry of the catalogue is wrong; the message names file and key."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """How tokens live there. All durations in seconds; None where the provider does not say.

    Attributes:
        model: none (nothing to refresh with), exchange (a live access token is exchanged for a longer one), reusable
            (the refresh token stays), rotating (each use gives a new one), fixed (ends at a fixed time), unknown.
        grace_s: how long a rotated token still works after its use; 0: not at all.
        access_ttl_s, refresh_ttl_s: lifetimes from issue.
        refresh_idle_ttl_s: the refresh token dies when unused for so long.
    """

    model: str
    grace_s: float = 0
    access_ttl_s: int | None = None
    refresh_ttl_s: int | None = None
    refresh_idle_ttl_s: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: in words what it opens, which categories it imports, which field groups it lets us write."""

    words: str
    imports: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one provider. Empty endpoints mean: by discovery, or none, as `lacks` says.

    Attributes:
        adapter: dotted path of the adapter's class, `package.module:Class`.
        issuer: the issuer of accounts there; "" where the operator names it per integration.
        revocation_scope: what one revocation ends: the token, the grant, everything of the account here, or none.
        code_lifetime_s: how long the provider's authorization code lives.
        conditions: capability → when it holds, in words.
        lacks: capability → why it is absent, in words.
        deep_link: where the person can change by hand what we cannot write.
        signals: kinds of signal it sends, as in `/signals/{integration}/{kind}`.
        development_only: true for what production refuses.
        settings: what an operator may set for one integration there: key → what it does, in words.
        verified_on: ISO date on which the facts were last compared with `source`.
    """

    name: str
    title: str
    protocol: str
    adapter: str
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    userinfo_endpoint: str
    scope_separator: str
    pkce: str
    refresh: Refresh
    revocation_scope: str
    code_lifetime_s: int
    default_scopes: tuple[str, ...]
    capabilities: tuple[str, ...]
    policy_url: str
    verified_on: str
    source: str
    deep_link: str = ""
    development_only: bool = False
    signals: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)

    def can(self, capability: str) -> bool:
        """Whether the provider has it, be it under a condition. Raises KeyError for no capability at all."""
        if capability not in CAPABILITIES:
            raise KeyError(capability)
        return capability in self.capabilities

    def scopes_that_import(self, *categories: str) -> tuple[str, ...]:
        """The scopes that open any of these categories, in the entry's order."""
        return tuple(name for name, scope in self.scopes.items() if set(scope.imports) & set(categories))

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON types, for `providers list --json` and `/v1/providers`."""
        shown = asdict(self)
        del shown["adapter"]
        return cast("dict[str, Any]", _plain(shown))


_TEXTS = (
    "name",
    "title",
    "protocol",
    "adapter",
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "scope_separator",
    "pkce",
    "revocation_scope",
    "policy_url",
    "verified_on",
    "source",
)
_REQUIRED: Mapping[str, type] = {
    **dict.fromkeys(_TEXTS, str),
    "refresh": dict,
    "code_lifetime_s": int,
    "default_scopes": list,
    "capabilities": list,
}
_OPTIONAL: Mapping[str, type] = {
    "deep_link": str,
    "development_only": bool,
    "signals": list,
    "settings": dict,
    "scopes": dict,
    "conditions": dict,
    "lacks": dict,
}
_REFRESH_REQUIRED: Mapping[str, type] = {"model": str}
_REFRESH_OPTIONAL: Mapping[str, type] = dict.fromkeys(
    ("grace_s", "access_ttl_s", "refresh_ttl_s", "refresh_idle_ttl_s"), int
)
_SCOPE_REQUIRED: Mapping[str, type] = {"words": str}
_SCOPE_OPTIONAL: Mapping[str, type] = {"imports": list, "writes": list}


def load(folder: Path = _ENTRIES) -> Mapping[str, Entry]:
    """Every entry of a folder, by name. Raises CatalogueError."""
    entries = {path.stem: read_entry(path) for path in sorted(folder.glob("*.toml"))}
    if not entries:
        raise CatalogueError(f"{folder}: no entries. Install the package anew.")
    return entries


def read_entry(path: Path) -> Entry:
    """One entry, checked. Raises CatalogueError that names the file and the key."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path.name}: not readable as TOML: {error}") from error
    check = _Check(path.name)
    check.table("", raw, _REQUIRED, _OPTIONAL)
    entry = Entry(**{**raw, **_tables(check, raw)})
    _check_sense(check, path, entry)
    return entry


@cache
def _shipped() -> Mapping[str, Entry]:
    return load()


def names() -> tuple[str, ...]:
    """The names of all providers, sorted."""
    return tuple(sorted(_shipped()))


def entry(name: str) -> Entry:
    """The facts about one provider. Raises KeyError where no entry has that name."""
    return _shipped()[name]


@cache
def adapter(name: str) -> Adapter:
    """The adapter of a provider, one per process, imported when first asked for. Raises KeyError as `entry`.

    Adapters are safe to share between threads: what one keeps (key sets, metadata) it guards itself.
    """
    module, _, made_by = entry(name).adapter.partition(":")
    make = cast("Callable[[], Adapter]", getattr(import_module(module), made_by))
    return make()


class _Check:
    """Says what is wrong with an entry, by file and key."""

    def __init__(self, file: str) -> None:
        self.file = file

    def fail(self, key: str, what: str) -> CatalogueError:
        return CatalogueError(f"{self.file}: {key}: {what}")

    def table(
        self, prefix: str, raw: Mapping[str, Any], required: Mapping[str, type], optional: Mapping[str, type]
    ) -> None:
        for key in required:
            if key not in raw:
                raise self.fail(prefix + key, "missing. Add it.")
        for key, value in raw.items():
            kind = required.get(key) or optional.get(key)
            if kind is None:
                raise self.fail(prefix + key, "unknown key. Remove it or correct its spelling.")
            if type(value) is not kind:
                raise self.fail(prefix + key, f"must be {kind.__name__}, is {type(value).__name__}.")
            if isinstance(value, list) and not all(isinstance(part, str) for part in value):
                raise self.fail(prefix + key, "must be a list of text.")

    def one_of(self, key: str, value: str, allowed: tuple[str, ...] | Mapping[str, Any]) -> None:
        if value not in allowed:
            raise self.fail(key, f"{value!r} is none of {', '.join(allowed)}.")


def _tables(check: _Check, raw: Mapping[str, Any]) -> dict[str, Any]:
    check.table("refresh.", raw["refresh"], _REFRESH_REQUIRED, _REFRESH_OPTIONAL)
    for name, scope in raw.get("scopes", {}).items():
        if type(scope) is not dict:
            raise check.fail(f"scopes.{name}", "must be a table.")
        check.table(f"scopes.{name}.", scope, _SCOPE_REQUIRED, _SCOPE_OPTIONAL)
    words = {key: raw.get(key, {}) for key in ("conditions", "lacks")}
    for key, table in words.items():
        check.table(f"{key}.", table, {}, dict.fromkeys(CAPABILITIES, str))
    check.table("settings.", raw.get("settings", {}), {}, dict.fromkeys(raw.get("settings", {}), str))
    return {
        "refresh": Refresh(**raw["refresh"]),
        "scopes": {name: _scope(scope) for name, scope in raw.get("scopes", {}).items()},
        **words,
        **{key: tuple(raw.get(key, ())) for key in ("default_scopes", "capabilities", "signals")},
    }


def _scope(raw: Mapping[str, Any]) -> Scope:
    return Scope(raw["words"], tuple(raw.get("imports", ())), tuple(raw.get("writes", ())))


def _check_sense(check: _Check, path: Path, entry: Entry) -> None:
    if entry.name != path.stem:
        raise check.fail("name", f"must be {path.stem!r}, as the file is called.")
    check.one_of("protocol", entry.protocol, PROTOCOLS)
    check.one_of("pkce", entry.pkce, PKCE)
    check.one_of("refresh.model", entry.refresh.model, REFRESH_MODELS)
    check.one_of("revocation_scope", entry.revocation_scope, REVOCATION_SCOPES)
    if entry.adapter.count(":") != 1:
        raise check.fail("adapter", "must read package.module:Class.")
    for key in ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint", "policy_url"):
        value = getattr(entry, key)
        if value and not value.startswith("https://"):
            raise check.fail(key, "must be an https address, or empty.")
    for capability in entry.capabilities:
        check.one_of("capabilities", capability, CAPABILITIES)
    _check_words(check, entry)
    _check_scopes(check, entry)
    try:
        date.fromisoformat(entry.verified_on)
    except ValueError:
        raise check.fail("verified_on", "must be an ISO date.") from None


def _check_words(check: _Check, entry: Entry) -> None:
    for capability in CAPABILITIES:
        if (capability in entry.capabilities) == (capability in entry.lacks):
            raise check.fail(f"lacks.{capability}", "say in words what is lacking, and only what is lacking.")
    for capability in entry.conditions:
        if capability not in entry.capabilities:
            raise check.fail(f"conditions.{capability}", "a condition belongs to a capability that is there.")
    if bool(entry.signals) != ("signals" in entry.capabilities):
        raise check.fail("signals", "name the kinds of signal where, and only where, signals is a capability.")


def _check_scopes(check: _Check, entry: Entry) -> None:
    for name in entry.default_scopes:
        check.one_of("default_scopes", name, entry.scopes)
    for name, scope in entry.scopes.items():
        for category in scope.imports:
            check.one_of(f"scopes.{name}.imports", category, CATEGORIES)
        for group in scope.writes:
            check.one_of(f"scopes.{name}.writes", group, FIELD_GROUPS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
