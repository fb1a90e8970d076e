"""Whether the facts of an entry go together: addresses are https, words are sentences, capabilities have their scopes.

Each function looks at one side of an entry and raises a Complaint at the key that has to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import get_args

from providers.entries.addresses import check_endpoint, check_parameters, check_web_address, independent
from providers.entries.plain import check_plain
from providers.entries.reading import Complaint
from providers.entries.values import Capability, Entry

CAPABILITY_WORDS: tuple[str, ...] = get_args(Capability)

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ADAPTER = re.compile(r"[\w.]+:\w+")
_SOURCES = 2  # one may be wrong, or only say what the other says

# Whatever a capability imports or writes has to be opened by something a person can be asked for.
_IMPORTS: Mapping[str, frozenset[str]] = {
    "import_profile": frozenset({"profile", "contact"}),
    "import_contacts": frozenset({"people"}),
}


def check_entry(entry: Entry) -> None:
    """Every side in turn. Raises Complaint."""
    _check_names(entry)
    _check_addresses(entry)
    _check_words(entry)
    _check_scopes(entry)
    _check_capabilities(entry)
    _check_limits(entry)
    _check_origin(entry)
    if not entry.adapter:
        check_plain(entry)


def _check_names(entry: Entry) -> None:
    if not _NAME.fullmatch(entry.name):
        raise Complaint(("name",), "must be lower-case letters, digits and hyphens, a letter first, at most 40.")
    if not entry.title.strip():
        raise Complaint(("title",), "must say what people call it.")
    if entry.adapter and not _ADAPTER.fullmatch(entry.adapter):
        raise Complaint(("adapter",), "must read package.module:Class.")
    if "authorise" not in entry.capabilities:
        raise Complaint(("capabilities",), "authorise is missing; without it nothing can be connected there.")


def _check_addresses(entry: Entry) -> None:
    check_parameters(entry)
    for key in (
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "userinfo_endpoint",
        "pushed_authorization_request_endpoint",
        "introspection_endpoint",
    ):
        check_endpoint(entry, (key,), getattr(entry, key))
    check_endpoint(entry, ("issuer",), entry.issuer)
    check_endpoint(entry, ("refresh", "endpoint"), entry.refresh.endpoint)
    check_endpoint(entry, ("registration", "endpoint"), entry.registration.endpoint)
    if bool(entry.registration.endpoint) != bool(entry.registration.protocol):
        raise Complaint(("registration", "endpoint"), "says nothing without its protocol, and that nothing without it.")
    for number, also in enumerate(entry.profile.also if entry.profile else ()):
        check_endpoint(entry, ("profile", "also", str(number), "endpoint"), also.endpoint)
    for path, address in (
        (("policy_url",), entry.policy_url),
        (("deep_link",), entry.deep_link),
        (("registration", "url"), entry.registration.url),
    ):
        check_web_address(path, address)


def _check_words(entry: Entry) -> None:
    for word in CAPABILITY_WORDS:
        if (word in entry.capabilities) == (word in entry.lacks):
            raise Complaint(("lacks", word), "say in words what is lacking, and only what is lacking.")
    for word in entry.conditions:
        if word not in entry.capabilities:
            raise Complaint(("conditions", word), "a condition belongs to a capability that is there.")
    if bool(entry.signals) != ("signals" in entry.capabilities):
        raise Complaint(("signals",), "name the kinds of signal where, and only where, signals is a capability.")
    for path, words in _sentences(entry):
        if not words.strip().endswith((".", "?", "!")):
            raise Complaint(path, "must be a sentence, with its full stop.")


def _sentences(entry: Entry) -> Iterable[tuple[tuple[str, ...], str]]:
    for name in ("lacks", "conditions", "settings"):
        yield from (((name, key), words) for key, words in getattr(entry, name).items())
    yield from ((("documented_signals",), words) for words in entry.documented_signals)
    yield from ((("registration", "steps"), words) for words in entry.registration.steps)
    yield from ((("quirks", str(number), "words"), quirk.words) for number, quirk in enumerate(entry.quirks))
    yield from ((path, words) for path, words in (
        (("limits", "words"), entry.limits.words), (("registration", "words"), entry.registration.words),
    ) if words)  # fmt: skip


def _check_scopes(entry: Entry) -> None:
    if not entry.scope_separator or len(entry.scope_separator) > 1:
        raise Complaint(("scope_separator",), "must be one character.")
    for name, scope in entry.scopes.items():
        if not name or entry.scope_separator in name or not name.isprintable():
            raise Complaint(("scopes", name), "is no scope, or holds the separator of scopes.")
        if not scope.words.strip() or scope.words.endswith("."):
            raise Complaint(("scopes", name, "words"), "must say in a few words, without a full stop, what it opens.")
    for name in entry.default_scopes:
        if name not in entry.scopes:
            raise Complaint(("default_scopes",), f"{name!r} has no table [scopes.{name}] that says what it opens.")
    wanted = entry.refresh.needs_scope
    if wanted and "refresh" in entry.capabilities and wanted not in entry.default_scopes:
        raise Complaint(("refresh", "needs_scope"), f"{wanted!r} must be a default scope then.")


def _check_capabilities(entry: Entry) -> None:
    for word, categories in _IMPORTS.items():
        opened = {category for scope in entry.scopes.values() for category in scope.imports}
        if word in entry.capabilities and not categories & {*opened, *entry.imports_always}:
            wanted = " or ".join(sorted(categories))
            raise Complaint(("capabilities",), f"{word} without its scope: no scope imports {wanted}.")
    if "write_back" in entry.capabilities and not any(scope.writes for scope in entry.scopes.values()):
        raise Complaint(("capabilities",), "write_back without its scope: no scope writes anything.")


def _check_limits(entry: Entry) -> None:
    limits = entry.limits
    if bool(limits.reset_header) != bool(limits.reset_is):
        raise Complaint(("limits", "reset_header"), "says nothing without reset_is, and that nothing without it.")
    for name in (*limits.headers, limits.reset_header):
        if name != name.lower() or " " in name:
            raise Complaint(("limits", "headers"), f"{name!r} must be a header's name in lower case.")


def _check_origin(entry: Entry) -> None:
    _check_date(("verified_on",), entry.verified_on)
    for number, quirk in enumerate(entry.quirks):
        _check_date(("quirks", str(number), "on"), quirk.on)
        check_web_address(("quirks", str(number), "source"), quirk.source)
    if entry.development_only:
        return
    for address in entry.sources:
        check_web_address(("sources",), address)
    if len(independent(entry.sources)) < _SOURCES:
        raise Complaint(("sources",), "name two that are independent: other hosts, or other owners of repositories.")


def _check_date(path: tuple[str, ...], text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise Complaint(path, "must be an ISO date.") from None
