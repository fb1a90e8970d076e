"""The closed words of clients: scopes, types, ways to authenticate, kinds of import."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from connector.model.errors import BadInput

PERSON_SCOPES = ("openid", "profile", "email", "contacts")
API_SCOPES = (
    "connections:read",
    "connections:revoke",
    "connections:adopt",
    "tokens:exchange",
    "imports:run",
    "records:read",
    "records:write",
    "changes:read",
    "deliveries:read",
    "portal:open",
    "users:export",
    "users:delete",
    "events:read",
)
SCOPES = PERSON_SCOPES + API_SCOPES
# What a client gets that asks for nothing by name. Handing out provider tokens is a worker's job, and a worker's alone;
# moving connections in is done once, by whoever was given that by name.
WEB_SCOPES = tuple(scope for scope in SCOPES if scope not in {"tokens:exchange", "connections:adopt", "events:read"})
WORKER_SCOPES = ("tokens:exchange",)

CLIENT_TYPES = ("web", "worker")
WEB_PURPOSES = ("account", "service")
WORKER_PURPOSES = ("service",)
AUTHENTICATIONS = ("client_secret_basic", "private_key_jwt")
IMPORTS = ("profile", "contacts")

MAX_NAME = 100


def name_of(written: str, what: str) -> str:
    """A name as it may be kept: printable, without space around it, at most `MAX_NAME` characters.

    Raises:
        BadInput: it is not.
    """
    if not written or written != written.strip() or not written.isprintable() or len(written) > MAX_NAME:
        raise BadInput(
            "bad_name", f"The {what}'s name needs 1 to {MAX_NAME} printable characters, no space around them."
        )
    return written


def known(words: Iterable[str], allowed: tuple[str, ...], what: str) -> tuple[str, ...]:
    """The words without repeats, in the order of `allowed`.

    Raises:
        BadInput: a word is none of `allowed`; the hint lists them.
    """
    asked = set(words)
    strangers = sorted(asked - set(allowed))
    if strangers:
        raise BadInput(
            f"unknown_{what}", f"{' '.join(strangers)!r} is no known {what}; use some of: {' '.join(allowed)}."
        )
    return tuple(word for word in allowed if word in asked)


def to_text(words: Iterable[str]) -> str:
    """A list of words as it is stored."""
    return json.dumps(list(words), separators=(",", ":"))


@lru_cache(maxsize=4096)
def from_text(text: str) -> tuple[str, ...]:
    """A stored list of words. Remembered: the same few lists are read with every request."""
    return tuple(json.loads(text))
