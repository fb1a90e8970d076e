"""Which kind of answer a path gives where something goes wrong: OAuth JSON, problem details, or a page."""

from __future__ import annotations

from enum import Enum


class Surface(Enum):
    """Who reads the answer."""

    OAUTH = "oauth"  # RFC 6749 section 5.2
    API = "api"  # RFC 9457
    PAGE = "page"  # a person in a browser


_PAGES = ("/oauth/authorize", "/callback", "/portal", "/deletions", "/docs", "/static", "/mail")


def surface_of(path: str) -> Surface:
    """The surface of a path."""
    if any(path == page or path.startswith(page + "/") for page in _PAGES):
        return Surface.PAGE
    return Surface.OAUTH if path.startswith("/oauth/") else Surface.API
