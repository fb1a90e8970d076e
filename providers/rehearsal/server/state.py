"""People, clients, grants, codes and tokens, in memory. One lock around all of it."""

from __future__ import annotations

import base64
import copy
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import KeySet

from providers.rehearsal.server.config import LIVE, Client, Config
from providers.rehearsal.server.oracle import Oracle
from providers.rehearsal.server.people import STARTING_PEOPLE, new_person, typed_person


class Refused(Exception):
    """An OAuth error with its code (RFC 6749 section 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


@dataclass(slots=True)
class Grant:
    """What one person granted to one client, once."""

    id: str
    client_id: str
    person: str
    scopes: tuple[str, ...]
    auth_time: int
    nonce: str = ""
    alive: bool = True


@dataclass(slots=True)
class Code:
    """An authorization code and what it is bound to."""

    grant: Grant
    redirect_uri: str
    challenge: str
    expires_at: int
    used: bool = False


@dataclass(slots=True)
class AccessToken:
    """An access token; dead when it is past, revoked, or its grant is dead."""

    grant: Grant
    expires_at: int
    revoked: bool = False


@dataclass(slots=True)
class RefreshToken:
    """A refresh token and when it was first used."""

    grant: Grant
    label: str
    first_used_at: int | None = None


@dataclass(slots=True)
class Book:
    """A person's address book: entries with the revision of their last change, deletions included."""

    entries: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    revision: int = 0

    def put(self, entry: Mapping[str, Any]) -> None:
        """Add or change one contact."""
        self.revision += 1
        self.entries[entry["id"]] = (self.revision, copy.deepcopy(dict(entry)))

    def delete(self, contact_id: str) -> None:
        """Leave a mark that the contact is gone."""
        self.revision += 1
        self.entries[contact_id] = (self.revision, {"id": contact_id, "gone": True})


@dataclass(slots=True)
class Profile:
    """A person's profile and its revision."""

    fields: dict[str, Any]
    revision: int = 1
    answers: dict[str, tuple[str, int, dict[str, Any]]] = field(default_factory=dict)  # idempotency key → …

    @property
    def etag(self) -> str:
        """The strong validator of this revision (RFC 9110 section 8.8.3)."""
        return f'"{self.fields["id"]}-{self.revision}"'


class State:
    """Everything this provider remembers. Hold `lock` around what must be seen as one."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.lock = threading.RLock()
        self.oracle = Oracle(config.now)
        self.clients = dict(config.clients)
        self.profiles: dict[str, Profile] = {}
        self.books: dict[str, Book] = {}
        self.codes: dict[str, Code] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.grants: dict[str, Grant] = {}
        self.offset_ms = 0
        self.keys = KeySet([config.new_key()])
        for person in (*STARTING_PEOPLE, *config.people):
            self.put_person(person)

    def now(self) -> int:
        """Ms since the epoch, moved by what `POST /_control/clock` asked."""
        return self.config.now() + self.offset_ms

    def put_person(self, values: Mapping[str, Any]) -> Profile:
        """Add a person, or change the named fields of one. `contacts` is a list, or {"put": [...], "delete": [...]}."""
        with self.lock:
            known = self.profiles.get(values["id"])
            contacts = values.get("contacts", [])
            named = {name: value for name, value in values.items() if name != "contacts"}
            if known is None:
                listed = contacts if isinstance(contacts, list) else contacts.get("put", [])
                fields, listed = new_person({**named, "contacts": listed}, self.now())
                known = self.profiles[fields["id"]] = Profile(fields)
                self.books[fields["id"]] = Book()
                contacts = {"put": listed}
            elif named.keys() - {"id"}:
                known.fields |= named
                known.revision += 1
            self._change_book(values["id"], contacts)
            return known

    def _change_book(self, person: str, contacts: Any) -> None:
        change = {"put": contacts} if isinstance(contacts, list) else contacts
        for entry in change.get("put", []):
            self.books[person].put(entry)
        for contact_id in change.get("delete", []):
            self.books[person].delete(contact_id)

    def person_named(self, name: str) -> str:
        """The id of who typed this name; a new person where nobody has it."""
        with self.lock:
            if name in self.profiles:
                return name
            return str(self.put_person(typed_person(name)).fields["id"])

    def client(self, client_id: str) -> Client | None:
        """A registered client, or the default for any that is not listed."""
        known = self.clients.get(client_id)
        if known is None and self.config.default_secret and client_id:
            return Client(self.config.default_secret)
        return known

    def change_settings(self, values: Mapping[str, Any]) -> None:
        """Change live settings. Raises ValueError for one that is unknown or of the wrong type."""
        for name, value in values.items():
            if name not in LIVE or not isinstance(value, LIVE[name]):
                raise ValueError(f"{name} is no live setting, or needs another type; live are {', '.join(LIVE)}.")
        for name, value in values.items():
            setattr(self.config, name, value)

    def new_code(self, grant: Grant, redirect_uri: str, challenge: str) -> str:
        """A fresh authorization code for this grant."""
        code = "rc_" + secrets.token_urlsafe(24)
        with self.lock:
            self.grants[grant.id] = grant
            self.codes[code] = Code(grant, redirect_uri, challenge, self.now() + self.config.code_s * 1000)
        return code

    def take_code(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """Use a code, once. A second use ends the grant (RFC 6749 section 4.1.2). Raises Refused."""
        with self.lock:
            held = self.codes.get(code)
            if held is None or held.grant.client_id != client_id:
                raise Refused("invalid_grant", "The code is not known here.")
            if held.used:
                held.grant.alive = False
                self.oracle.note("code_reuse", grant=held.grant.id)
                raise Refused("invalid_grant", "The code was used before.")
            held.used = True
            if self.now() >= held.expires_at or not held.grant.alive:
                raise Refused("invalid_grant", "The code is too old.")
            if held.redirect_uri != redirect_uri:
                raise Refused("invalid_grant", "The redirect URI is not the one that was asked with.")
            if s256(verifier) != held.challenge:
                raise Refused("invalid_grant", "The code verifier does not match.")
            return held.grant

    def new_access(self, grant: Grant) -> str:
        """A fresh access token."""
        token = "ra_" + secrets.token_urlsafe(24)
        with self.lock:
            self.access[token] = AccessToken(grant, self.now() + self.config.access_token_s * 1000)
        return token

    def new_refresh(self, grant: Grant) -> str:
        """A fresh refresh token."""
        token = "rr_" + secrets.token_urlsafe(24)
        with self.lock:
            label = f"{grant.id}.{sum(1 for held in self.refresh.values() if held.grant is grant) + 1}"
            self.refresh[token] = RefreshToken(grant, label)
            self.oracle.refresh_issued(label, grant.id)
        return token

    def use_refresh(self, token: str, client_id: str) -> tuple[Grant, str | None]:
        """Use a refresh token: its grant, and its replacement or None. Raises Refused.

        What a token that was used before is worth is `config.rotation`; beyond that its return ends the grant (RFC 9700
        section 4.14.2).
        """
        with self.lock:
            held = self.refresh.get(token)
            if held is None or held.grant.client_id != client_id:
                raise Refused("invalid_grant", "The refresh token is not known here.")
            used_before = held.first_used_at is not None
            self.oracle.refresh_used(held.label, client_id, again=used_before)
            if not held.grant.alive:
                raise Refused("invalid_grant", "The grant has ended.")
            if self.config.rotation == "none":
                held.first_used_at = held.first_used_at or self.now()
                return held.grant, None
            if used_before and not self._in_grace(held):
                held.grant.alive = False
                self.oracle.note("refresh_reuse", grant=held.grant.id, token=held.label)
                raise Refused("invalid_grant", "The refresh token was used before; the grant has been ended.")
            held.first_used_at = held.first_used_at or self.now()
            return held.grant, self.new_refresh(held.grant)

    def _in_grace(self, held: RefreshToken) -> bool:
        if self.config.rotation != "grace" or held.first_used_at is None:
            return False
        return self.now() < held.first_used_at + self.config.grace_s * 1000

    def live_access(self, token: str) -> AccessToken | None:
        """The access token, where it can still be used."""
        with self.lock:
            held = self.access.get(token)
            if held is None or held.revoked or not held.grant.alive or self.now() >= held.expires_at:
                return None
            return held

    def live_refresh(self, token: str) -> RefreshToken | None:
        """The refresh token, where it can still be used."""
        with self.lock:
            held = self.refresh.get(token)
            if held is None or not held.grant.alive:
                return None
            if held.first_used_at is None or self.config.rotation == "none" or self._in_grace(held):
                return held
            return None

    def revoke_token(self, token: str, client_id: str) -> None:
        """RFC 7009: a refresh token takes its grant along, an access token only itself. Unknown tokens are no error."""
        with self.lock:
            refresh, access = self.refresh.get(token), self.access.get(token)
            if refresh is not None and refresh.grant.client_id == client_id:
                refresh.grant.alive = False
            if access is not None and access.grant.client_id == client_id:
                access.revoked = True

    def end_grants(self, **wanted: str) -> list[Grant]:
        """End every live grant with these attributes (id, client_id, person); answers which."""
        with self.lock:
            ended = [
                grant
                for grant in self.grants.values()
                if grant.alive and all(getattr(grant, name) == value for name, value in wanted.items())
            ]
            for grant in ended:
                grant.alive = False
            return ended

    def live_tokens(self) -> list[dict[str, Any]]:
        """Every token that works now, in full: they are pretend, and tests look for them where they must not be."""
        with self.lock:
            found = [
                {"kind": "access", "token": token, "grant": held.grant.id, "person": held.grant.person}
                for token, held in self.access.items()
                if self.live_access(token)
            ]
            found += [
                {
                    "kind": "refresh",
                    "token": token,
                    "grant": held.grant.id,
                    "person": held.grant.person,
                    "label": held.label,
                }
                for token, held in self.refresh.items()
                if self.live_refresh(token)
            ]
            return found

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the old one stays published."""
        with self.lock:
            self.keys = KeySet([self.config.new_key(), *self.keys.keys])


def s256(verifier: str) -> str:
    """The challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
