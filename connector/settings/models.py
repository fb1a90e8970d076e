"""The settings, section by section.

The description of a field is what errors and `docs/settings.md` say of it.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from connector.settings.durations import Duration

# A field marked so may hold a password: it is left out of reprs, and may come from a file named by `…_FILE`.
SECRET: JsonDict = {"secret": True}


def _listed(value: object) -> object:
    """An environment variable carries a list as words parted by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


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


def _key_source(kek: str) -> str:
    kind, _, rest = kek.partition(":")
    if kind not in {"file", "env"} or not rest:
        raise ValueError("write file:PATH or env:NAME")
    return kek


Words = Annotated[str, Field(min_length=1, max_length=500)]
Address = Annotated[str, AfterValidator(_address)]


class Section(BaseModel):
    """What all sections share: frozen, no unknown keys, no input shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


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
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_listed)] = Field(
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


class VaultSettings(Section):
    """Where the key comes from that wraps all others."""

    kek: Annotated[str, AfterValidator(_key_source)] = Field(
        default="file:keys/kek.json",
        description="The key that wraps all others: file:PATH (only its owner may read it) or env:NAME.",
    )
    outside: Path | None = Field(
        default=None,
        description="A folder for what a backup must not bring back: destroyed keys; absent: beside the key file.",
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


class NoticeWindows(Section):
    """How long a notice stands before what it announces may happen."""

    transfer: Duration = Field(description="Notice before data moves to an acquirer (clause 3c).")
    sharing: Duration = Field(description="Notice before a new sharing with third parties (clause 3e).")


class PolicySettings(Section):
    """The blanks that the policy's text leaves open."""

    directory: Path | None = Field(
        default=None, description="A folder of policy versions; absent: the versions that ship with the product."
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
    egress: EgressSettings = EgressSettings()
    log: LogSettings = LogSettings()
    providers: ProviderSettings = ProviderSettings()

    @property
    def is_development(self) -> bool:
        """Whether plain http, loopback and Rehearsal are allowed, and said loudly."""
        return self.server.mode == "development"
