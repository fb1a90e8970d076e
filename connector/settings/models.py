"""The settings, section by section.

The description of a field is what errors and `docs/settings.md` say of it.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from connector.settings.durations import Duration
from connector.settings.key_sources import VaultSettings
from connector.settings.mail import SmtpSettings
from connector.settings.recipients import Affiliate, Agent
from connector.settings.refreshing import RefreshSettings
from connector.settings.sections import SECRET, Section, Words, listed


def _origin(url: str) -> str:
    parts = urlsplit(url)
    _ = parts.port  # a port that is no number is found out only when asked for
    plain = not (parts.path.rstrip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ValueError("write scheme and host only, such as https://connect.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _address(bind: str) -> str:
    host, colon, port = bind.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 65_536):  # noqa: PLR2004 - ports have 16 bits
        raise ValueError("write host and port, such as 127.0.0.1:8080")
    return bind


def _network(cidr: str) -> str:
    try:
        return str(ipaddress.ip_network(cidr))
    except ValueError as error:
        raise ValueError("write addresses or networks, such as 10.0.0.0/8") from error


def _database(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("write sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME")
    return url


def _redis(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("write redis://HOST:PORT/0, rediss://… or unix:///SOCKET")
    return url


Address = Annotated[str, AfterValidator(_address)]


class ServerSettings(Section):
    """Who the gateway is to the outside, and where it listens."""

    mode: Literal["production", "development"] = Field(
        default="production", description="What is allowed: development accepts http, loopback and Rehearsal."
    )
    public_url: Annotated[str, AfterValidator(_origin)] = Field(
        description="The gateway's own origin as browsers and apps see it; also its issuer."
    )
    bind: Address = Field(default="127.0.0.1:8080", description="Where the public listener binds, host:port.")
    admin_bind: Address | None = Field(
        default=None, description="Where metrics and operator pages are served, host:port; absent: nowhere."
    )
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(listed)] = Field(
        default=(), description="Networks whose X-Forwarded-… headers are believed."
    )


class DatabaseSettings(Section):
    """The authority for everything that is kept."""

    url: Annotated[str, AfterValidator(_database)] = Field(
        default="sqlite:///connector.db",
        repr=False,
        json_schema_extra=SECRET,
        description="SQLite file or PostgreSQL database; a relative file lies beside the settings file.",
    )


class RedisSettings(Section):
    """A helper for wake-ups, shared limits and cache invalidation. Losing it loses nothing."""

    url: Annotated[str, AfterValidator(_redis)] | None = Field(
        default=None, repr=False, json_schema_extra=SECRET, description="Where Redis listens; absent: no Redis."
    )


class ControllerSettings(Section):
    """Who answers for the data. Notices and receipts carry these words (ISO/IEC TS 27560, party fields)."""

    name: Words = Field(description="Who is responsible for the data.")
    postal_address: Words = Field(description="The postal address of who is responsible.")
    contact: Words = Field(description="Where people write with questions: an e-mail address or a URL.")
    jurisdiction: Words = Field(description="Whose law applies, such as a country.")


class Retention(Section):
    """How long values are kept, by category, and how long a connection may lie dormant."""

    profile: Duration = Field(description="How long names, pictures and birthdays are kept.")
    contact: Duration = Field(description="How long a person's own addresses and numbers are kept.")
    people: Duration = Field(description="How long entries about other people are kept.")
    note: Duration = Field(description="How long notes are kept.")
    credential: Duration = Field(description="How long a provider's tokens are kept without use.")
    device: Duration = Field(description="How long browser and network facts are kept.")
    usage: Duration = Field(description="How long usage facts are kept before only aggregates remain.")
    revoked_by_provider: Duration = Field(
        description="How long a connection that its provider ended waits until its keys are destroyed."
    )
    needs_reauth: Duration = Field(
        description="How long a connection that only its person can mend waits until its keys are destroyed."
    )
    child: Duration = Field(
        default=timedelta(days=365),
        description="The most that anything of a child with a parent's verified consent is kept.",
    )
    child_account: Duration = Field(
        default=timedelta(days=4_749),
        description="How long the keyed hash of a refused child's account is kept: until they cannot be one any more.",
    )


class NoticeWindows(Section):
    """How long a notice stands before what it announces may happen."""

    transfer: Duration = Field(description="Notice before data moves to an acquirer (clause 3c).")
    sharing: Duration = Field(description="Notice before a new sharing with third parties (clause 3e).")
    changes: Duration = Field(
        default=timedelta(days=30),
        description="How long a wider policy version is announced before it takes effect (clause 7).",
    )


class PolicySettings(Section):
    """The blanks that the policy's text leaves open."""

    directory: Path | None = Field(
        default=None, description="A folder of policy versions; absent: the versions that ship with the product."
    )
    text: Path | None = Field(
        default=None,
        description="The policy's own text, for rules that quote it: a file, or a folder of VERSION.txt; absent: none.",
    )
    export_window: Duration = Field(
        default=timedelta(days=7),
        description="How long imported data stays open to its owner's export after revocation.",
    )
    aggregate_threshold: Annotated[int, Field(ge=2)] = Field(
        description="The smallest group that an aggregate may speak of."
    )
    controller: ControllerSettings
    retention: Retention
    notice_windows: NoticeWindows


class EgressSettings(Section):
    """Bounds on every outbound request."""

    deadline_s: Annotated[float, Field(gt=0, le=300)] = Field(
        default=20.0, description="Seconds that a whole exchange with a provider may take."
    )
    max_bytes: Annotated[int, Field(ge=1_024, le=268_435_456)] = Field(
        default=4_194_304, description="Bytes that an answer may have, before and after decompression."
    )


class LogSettings(Section):
    """Structured lines on stdout."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is logged.")
    format: Literal["json", "text"] = Field(default="json", description="One JSON object a line, or text for people.")


class FacebookSettings(Section):
    """What changes at Facebook more often than the code."""

    graph_version: Annotated[str, Field(pattern=r"^v\d{1,3}\.\d{1,2}$")] = Field(
        default="v25.0", description="The Graph API version that every request to Facebook names, such as v25.0."
    )


class ProviderSettings(Section):
    """Per provider, what an operator may have to turn before a release does."""

    facebook: FacebookSettings = FacebookSettings()


class Settings(Section):
    """Everything an operator may set."""

    server: ServerSettings
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    vault: VaultSettings = VaultSettings()
    policy: PolicySettings
    refresh: RefreshSettings = RefreshSettings()
    egress: EgressSettings = EgressSettings()
    log: LogSettings = LogSettings()
    providers: ProviderSettings = ProviderSettings()
    smtp: SmtpSettings = SmtpSettings()
    agents: tuple[Agent, ...] = Field(
        default=(), description="[[agents]]: who works for us and may get named fields for that (clause 3b)."
    )
    affiliates: tuple[Affiliate, ...] = Field(
        default=(), description="[[affiliates]]: whom we are affiliated with, and what they may get (clauses 3a, 3e)."
    )

    @property
    def is_development(self) -> bool:
        """Whether plain http, loopback and Rehearsal are allowed, and said loudly."""
        return self.server.mode == "development"
