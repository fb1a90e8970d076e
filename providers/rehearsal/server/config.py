"""What a Rehearsal server is started with."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from joserfc.jwk import RSAKey

Rotation = Literal["strict", "grace", "none"]

SCOPES: Mapping[str, str] = {
    "openid": "Know who you are here",
    "profile": "See your name, birthday, picture, links, work and what you say about yourself",
    "email": "See your e-mail addresses",
    "phone": "See your phone numbers",
    "address": "See your postal addresses",
    "contacts": "See your address book",
    "profile:write": "Change your profile",
    "offline_access": "Keep access while you are away",
}


@dataclass(frozen=True, slots=True)
class Client:
    """An app that is registered here.

    Attributes:
        secret: its client secret; also the key of the signals sent to it.
        redirect_uris: exact callbacks; empty: any http(s) address.
        signal_urls: signal kind → where to post it.
    """

    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...] = ()
    signal_urls: Mapping[str, str] = field(default_factory=dict)


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def _generated_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(8)}, private=True)


@dataclass(slots=True)
class Config:
    """How this provider behaves. Fields marked (live) can be changed by `POST /_control/settings`.

    Attributes:
        issuer: issuer URL; "" takes it from each request's host.
        clients: registered apps. An app that is not listed is accepted with `default_secret`.
        default_secret: the secret of every app that is not listed; "" refuses such apps.
        access_token_s: lifetime of access tokens in seconds (live).
        code_s: lifetime of authorization codes in seconds (live).
        rotation: what a used refresh token is worth (live). strict: nothing, and its return ends the grant; grace: it
            works for `grace_s` more; none: it is never replaced.
        grace_s: seconds (live).
        always_refresh: whether refresh tokens come without `offline_access` (live).
        page_size: contacts on a page (live).
        sync_s: how long a sync cursor of contacts is good, in seconds (live).
        auto_approve: whether the page is skipped, and all that is asked granted to `login_hint` or the first (live).
        people: further people, in the shape of `people.STARTING_PEOPLE`.
        faults: fault rules, see `faults`.
        control: whether /_control is served.
        now: ms since the epoch. sleep: seconds.
        new_key: makes the key that ID tokens are signed with; making one takes a tenth of a second.
    """

    issuer: str = ""
    clients: dict[str, Client] = field(default_factory=dict)
    default_secret: str = field(default="rehearsal-secret", repr=False)
    access_token_s: int = 300
    code_s: int = 60
    rotation: Rotation = "strict"
    grace_s: float = 30
    always_refresh: bool = True
    page_size: int = 50
    sync_s: int = 7 * 86_400
    auto_approve: bool = False
    people: Sequence[Mapping[str, Any]] = ()
    faults: Sequence[Mapping[str, Any]] = ()
    control: bool = True
    now: Callable[[], int] = _wall_clock
    sleep: Callable[[float], Any] = field(default_factory=lambda: threading.Event().wait)
    new_key: Callable[[], RSAKey] = _generated_key


LIVE: Mapping[str, type] = {
    "access_token_s": int,
    "code_s": int,
    "rotation": str,
    "grace_s": int,
    "always_refresh": bool,
    "page_size": int,
    "sync_s": int,
    "auto_approve": bool,
}
