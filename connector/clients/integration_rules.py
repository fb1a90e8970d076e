"""What may be registered as an integration: every rule in one place, each refusal with the way to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from connector.clients import words
from connector.clients.uris import is_loopback
from connector.model.errors import BadInput
from providers import catalogue
from providers.entries.addresses import fits
from providers.secret import Secret

MIN_SYNC_S = 300
MAX_CREDENTIAL = 4096
MAX_SETTING = 256
STAND_IN = "base_url"  # in development a provider of one address may be played by another


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration as somebody asks for it.

    Attributes:
        name: "" for the provider's own name.
        id: where it is known beforehand, because an app was registered with its callback address; else "".
        issuer: needed where the provider has no issuer of its own (generic OpenID Connect, Rehearsal); else "".
        scopes: None for the provider's default ones.
        sync_every_s: seconds between scheduled imports; None for none.
        settings: for the adapter, such as {"page_id": "2001"}; the provider's entry in the catalogue names the keys.
    """

    tenant_id: str
    provider: str
    client_id: str
    client_secret: Secret
    name: str = ""
    issuer: str = ""
    scopes: tuple[str, ...] | None = None
    imports: tuple[str, ...] = ("profile",)
    sync_every_s: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    id: str = ""


def checked(new: NewIntegration, *, development: bool) -> NewIntegration:
    """The same with defaults filled in and every rule held.

    Raises:
        BadInput: a rule is broken; the hint says how to mend it.
    """
    entry = _entry(new.provider)
    if entry.development_only and not development:
        raise BadInput(
            "development_only",
            f'{entry.title} is for development; set server.mode = "development", or use a real provider.',
        )
    _refuse_credentials(new)
    _refuse_settings(new, entry, development=development)
    if new.sync_every_s is not None and new.sync_every_s < MIN_SYNC_S:
        raise BadInput("bad_sync_every", f"Imports run at most every {MIN_SYNC_S} seconds; choose a longer time.")
    return replace(
        new,
        name=words.name_of(new.name or new.provider, "integration"),
        issuer=_issuer(new, entry, development=development),
        scopes=_scopes(tuple(entry.default_scopes) if new.scopes is None else new.scopes),
        imports=words.known(new.imports, words.IMPORTS, "import"),
    )


def _entry(provider: str) -> catalogue.Entry:
    if provider not in catalogue.names():
        raise BadInput("unknown_provider", f"{provider!r} is no known provider; {catalogue.nearest(provider)}.")
    return catalogue.entry(provider)


def _refuse_credentials(new: NewIntegration) -> None:
    for what, text in (("client id", new.client_id), ("client secret", new.client_secret.reveal())):
        if not text or len(text) > MAX_CREDENTIAL or not text.isprintable():
            raise BadInput(
                f"bad_{what.replace(' ', '_')}",
                f"The {what} must be the provider's own, in printable characters on one line.",
            )


def _refuse_settings(new: NewIntegration, entry: catalogue.Entry, *, development: bool) -> None:
    stand_in = {STAND_IN} if development and entry.issuer else set()
    for key, value in new.settings.items():
        if key not in {*entry.settings, *stand_in}:
            known = f"use one of: {', '.join(sorted(entry.settings))}." if entry.settings else "it has none."
            raise BadInput("unknown_setting", f"{key!r} is no setting of {entry.title}; {known}")
        if not value or len(value) > MAX_SETTING or not value.isprintable():
            raise BadInput(
                "bad_setting", f"The setting {key} needs 1 to {MAX_SETTING} printable characters on one line."
            )
    for key, one in entry.parameters.items():
        if not fits(one, new.settings.get(key, one.default)):
            what = "is part of its addresses; set it" if key not in new.settings else "does not fit; it must read"
            raise BadInput("bad_setting", f"{entry.title}: {key} {what} as --setting {key}={one.example}. {one.words}")


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    for scope in scopes:
        if not scope or not scope.isascii() or not scope.isprintable() or " " in scope:
            raise BadInput("bad_scope", f"{scope!r} is no scope; write each in printable ASCII without spaces.")
    return tuple(dict.fromkeys(scopes))


def _issuer(new: NewIntegration, entry: catalogue.Entry, *, development: bool) -> str:
    if entry.issuer:
        if new.issuer not in {"", entry.issuer}:
            raise BadInput("bad_issuer", f"{entry.title} has its own issuer; leave out --issuer.")
        return ""
    parts = urlsplit(new.issuer)
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadInput(
            "bad_issuer", f"{entry.title} needs --issuer with the provider's own URL, such as https://id.example.org."
        )
    loopback = is_loopback(parts.hostname)
    if development and parts.scheme == "http" and loopback:
        return new.issuer
    if parts.scheme != "https" or (loopback and not development):
        raise BadInput(
            "bad_issuer",
            "The issuer must begin with https:// and name a public host; development mode takes http on loopback.",
        )
    return new.issuer
