"""The cookies that browsers on our pages hold: one per flow under way, one for the notices they have accepted.

In production each is `__Host-`, Secure, HttpOnly and Lax. In development there is no TLS, and browsers send a cookie to
every port of a host, so the port stands in the name instead.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from flask import request
from werkzeug import Response

from connector.flows.signup_link import Browser
from connector.flows.signup_link.accepted import KEPT, with_mark
from connector.flows.signup_link.arriving import INTERACTION_S
from connector.http.context import gateway

ACCEPTED_S = 180 * 24 * 3600
MAX_LENGTH = 4096
_SameSite = Literal["Lax", "Strict"]


def this_browser() -> Browser:
    """What the browser that asks holds of ours."""
    return Browser(secret_of=_flow_secret, accepted=_accepted(), gpc=says_gpc())


def says_gpc() -> bool:
    """Whether the browser says Global Privacy Control (the header Sec-GPC, W3C)."""
    return request.headers.get("Sec-GPC") == "1"


def bind_flow(answer: Response, authorization_id: str, secret: str) -> None:
    """Give the browser the cookie of a flow that it has begun."""
    _set(answer, _flow_name(authorization_id), secret, lifetime_s=INTERACTION_S)


def release_flow(answer: Response, authorization_id: str) -> None:
    """Take the cookie of a flow back: it is spent."""
    _set(answer, _flow_name(authorization_id), "", lifetime_s=0)


def remember_acceptance(answer: Response, mark: str) -> None:
    """Let the browser remember that this notice was accepted."""
    _set(answer, _name("gw_notices"), ".".join(with_mark(_accepted(), mark)), lifetime_s=ACCEPTED_S)


def host_cookie(name: str) -> str:
    """A cookie's name in this mode: `__Host-` in production, with the port in development."""
    return _name(name)


def cookie_attributes(lifetime_s: int, same_site: _SameSite = "Lax") -> dict[str, Any]:
    """The attributes that every cookie of ours has."""
    return {
        "max_age": lifetime_s,
        "path": "/",
        "secure": not gateway().settings.is_development,
        "httponly": True,
        "samesite": same_site,
    }


def _accepted() -> tuple[str, ...]:
    held = request.cookies.get(_name("gw_notices"), "")
    if len(held) > MAX_LENGTH or not held.isascii():
        return ()
    return tuple(word for word in held.split(".") if word)[:KEPT]


def _flow_secret(authorization_id: str) -> str:
    return request.cookies.get(_flow_name(authorization_id), "")


def _flow_name(authorization_id: str) -> str:
    return f"{_name('gw_flow')}_{authorization_id.removeprefix('azn_')}"


def _name(base: str) -> str:
    settings = gateway().settings
    if not settings.is_development:
        return f"__Host-{base}"
    return f"{base}_{urlsplit(settings.server.public_url).port or 80}"


def _set(answer: Response, name: str, value: str, *, lifetime_s: int) -> None:
    answer.set_cookie(name, value, **cookie_attributes(lifetime_s))
