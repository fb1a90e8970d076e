"""What the page says before anybody goes to a provider, as values; and the fingerprint of exactly that.

Whoever accepted a notice accepted this fingerprint: when any of it changes, the page is shown again.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import rfc8785

from connector.authorizations import Authorization, Kind
from connector.clients import Client, Integration
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.flows.provider_terms import terms_under
from connector.model.errors import Misconfigured
from connector.model.tags import Account, Category, Choice, Link, Source, Standing, Tags, Use
from connector.model.tags import Notice as NoticeState
from providers import catalogue
from providers.catalogue import Entry

LANGUAGE = "en"
CATEGORIES_OF = {"profile": (Category.PROFILE, Category.CONTACT), "contacts": (Category.PEOPLE,)}
_TITLES = {"profile": "Your profile", "contacts": "Your contacts"}
PUSH_TITLES = {
    "name": "Name",
    "emails": "E-mail addresses",
    "phones": "Phone numbers",
    "addresses": "Postal addresses",
    "links": "Links and online accounts",
    "work": "Work: organisations and titles",
    "about": "About you",
    "picture": "Picture",
}
_CLAIMS = {"profile": "Name and picture", "email": "E-mail address"}


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One thing that will be imported: the word of the request, a title, and what it holds, in words."""

    word: str
    title: str
    holds: tuple[str, ...]
    kept_days: int


@dataclass(frozen=True, slots=True)
class PushLine:
    """One field group that the person may switch on."""

    group: str
    title: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Everything that the page shows, and nothing of the person.

    Attributes:
        app: the client's name.
        provider, provider_policy_url: who it comes from, and their own policy ("" where they name none).
        claims: what the app learns of the person by the sign-in itself, in words.
        policy_version, policy_sha256: under which version.
        asks_age: whether the person must say that they are old enough.
        scopes: asked for at the provider, in its words.
        hash: SHA-256 over all of the above, hex.
    """

    kind: str
    app: str
    client_id: str
    integration_id: str
    provider: str
    provider_policy_url: str
    controller: str
    contact: str
    policy_version: str
    policy_sha256: str
    claims: tuple[str, ...]
    imports: tuple[ImportLine, ...]
    push: tuple[PushLine, ...]
    asks_age: bool
    scopes: tuple[str, ...]
    hash: str = ""

    @property
    def import_words(self) -> tuple[str, ...]:
        """The words of what is imported."""
        return tuple(line.word for line in self.imports)

    @property
    def push_groups(self) -> tuple[str, ...]:
        """The groups that are offered."""
        return tuple(line.group for line in self.push)


@dataclass(frozen=True, slots=True)
class Picker:
    """Which account to use, where the request left it open: (id, title) each."""

    app: str
    choices: tuple[tuple[str, str], ...]


def notice_of(
    gateway: Gateway,
    client: Client,
    whole: Integrated,
    authorization: Authorization,
    at: int,
    *,
    granted: tuple[str, ...] | None = None,
) -> Notice:
    """The notice for this request, by the policy version in effect at `at` (ms).

    `granted`: the scopes that a connection holds, where nothing is asked for at the provider.

    Raises:
        Misconfigured: no version of the policy is in effect.
    """
    version = gateway.policy.in_effect(at)
    if version is None:
        raise Misconfigured("no_policy", "No version of the privacy policy is in effect; see: connector policy check.")
    request, entry = authorization.request, whole.entry
    imports = _imported_words(gateway, whole.integration, request.imports, at)
    claims = tuple(_CLAIMS[scope] for scope in request.scopes if scope in _CLAIMS)
    asked = asked_scopes(entry, whole.integration, request.provider_scopes, imports, request.scopes)
    scopes = asked if granted is None else granted
    controller = gateway.settings.policy.controller
    notice = Notice(
        kind=authorization.kind.value,
        app=client.name,
        client_id=client.id,
        integration_id=whole.integration.id,
        provider=entry.title,
        provider_policy_url=entry.policy_url,
        controller=controller.name,
        contact=controller.contact,
        policy_version=version.name,
        policy_sha256=version.sha256,
        claims=claims,
        imports=tuple(_line(gateway, entry, scopes, word) for word in imports),
        push=_push_lines(entry, scopes, request.offer_push),
        asks_age=authorization.kind is Kind.SIGN_IN,
        scopes=scopes,
    )
    return replace(notice, hash=_fingerprint(notice))


_ALWAYS_OPEN = "What your account shows to every app that you connect"  # where no scope opens it


def asked_scopes(
    entry: Entry, integration: Integration, more: tuple[str, ...], imports: tuple[str, ...], claims: tuple[str, ...]
) -> tuple[str, ...]:
    """What to ask for at the provider: the registered scopes, without those that only open what is not imported."""
    wanted = {category.value for word in imports for category in CATEGORIES_OF[word]}
    if {"profile", "email"} & set(claims):
        wanted |= {Category.PROFILE.value, Category.CONTACT.value}
    registered = integration.scopes or entry.default_scopes
    kept = [scope for scope in registered if _is_wanted(entry, scope, wanted)]
    return tuple(dict.fromkeys([*kept, *more]))


def _is_wanted(entry: Entry, scope: str, wanted: set[str]) -> bool:
    facts = entry.scopes.get(scope)
    return facts is None or not facts.imports or bool(facts.writes) or bool(wanted & set(facts.imports))


def _imported_words(
    gateway: Gateway, integration: Integration, narrowed: tuple[str, ...] | None, at: int
) -> tuple[str, ...]:
    words = [word for word in integration.imports if narrowed is None or word in narrowed]
    return tuple(word for word in words if may_collect(gateway, word, at, integration.provider))


def may_collect(gateway: Gateway, word: str, at: int, provider: str) -> bool:
    """Whether the policy, and the provider's terms, let anything of this kind come in from somebody who agrees."""
    scopes = tuple(catalogue.entry(provider).scopes)
    standing = Standing(Account.OPEN, Link.CONNECTED, Choice.GIVEN, NoticeState.CLEAR)
    use = Use.of("collect", "us", "service")
    decisions = [
        gateway.policy.decide(
            use,
            Tags(category, Source.IMPORTED),
            standing,
            at,
            terms=terms_under(gateway.policy, provider, scopes, category),
        )
        for category in CATEGORIES_OF[word]
    ]
    return any(decision.allowed for decision in decisions)


def _line(gateway: Gateway, entry: Entry, scopes: tuple[str, ...], word: str) -> ImportLine:
    categories = {category.value for category in CATEGORIES_OF[word]}
    facts = [entry.scopes[scope] for scope in scopes if scope in entry.scopes]
    holds = tuple(each.words for each in facts if categories & set(each.imports))
    if categories & entry.opens() and not holds:
        holds = (_ALWAYS_OPEN,)
    retention = gateway.settings.policy.retention
    kept = retention.people if word == "contacts" else min(retention.profile, retention.contact)
    return ImportLine(word, _TITLES[word], holds, kept.days)


def _push_lines(entry: Entry, scopes: tuple[str, ...], offered: tuple[str, ...]) -> tuple[PushLine, ...]:
    writable = {group for scope in scopes if scope in entry.scopes for group in entry.scopes[scope].writes}
    return tuple(PushLine(group, PUSH_TITLES[group]) for group in offered if group in writable)


def _fingerprint(notice: Notice) -> str:
    document = {"language": LANGUAGE, **_listed(asdict(notice))}
    return hashlib.sha256(rfc8785.dumps(cast("Any", document))).hexdigest()


def _listed(value: object) -> dict[str, object]:
    def plain(part: object) -> object:
        if isinstance(part, dict):
            return {name: plain(each) for name, each in part.items()}
        return [plain(each) for each in part] if isinstance(part, tuple | list) else part

    found = plain(value)
    return found if isinstance(found, dict) else {}
