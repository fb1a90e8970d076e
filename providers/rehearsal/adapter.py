"""The adapter for Rehearsal: OpenID Connect, and its own profile, contacts, writes and signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from providers.capabilities import (
    Grant,
    Item,
    Page,
    ProfileChange,
    Registration,
    Signal,
    SignalRequest,
    WriteOutcome,
)
from providers.errors import ProviderError
from providers.exchange import LARGE, Exchange, Response, get, send_json
from providers.oauth2 import error_code, read, resource_failure, send_once
from providers.oidc import OpenIDConnect
from providers.rehearsal import signals
from providers.rehearsal.profile import NO_PLACE, contact_item, fields_of, patched, profile_item

WRITE_SCOPE = "profile:write"
GROUPS = frozenset({"name", "emails", "phones", "addresses", "links", "work", "about"})

# What opens each field to be written: the profile is read first, and a field that cannot be read cannot be merged.
_OPENED_BY: Mapping[str, str] = {"mail": "email", "phones": "phone", "places": "address"}
_GROUP_SCOPE: Mapping[str, str] = {"emails": "email", "phones": "phone", "addresses": "address"}
_GONE = 410
_UNPROCESSABLE = 422


class Rehearsal(OpenIDConnect):
    """Every capability there is. The issuer is the registration's, loopback http included in development."""

    name = "rehearsal"
    reads_before_writing: Literal[True] = True
    signal_kinds = tuple(signals.KINDS)

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """The profile as one item, from `GET /me`."""
        me = yield from self._me(registration, grant)
        return Page((profile_item(me.json(), categories),))

    def contacts(
        self, registration: Registration, grant: Grant, *, cursor: str | None, sync_cursor: str | None
    ) -> Exchange[Page]:
        """One page. A cursor of ours says whether its run is a delta, then Rehearsal's own cursor."""
        delta = cursor.startswith("d:") if cursor is not None else sync_cursor is not None
        params = {"cursor": cursor[2:]} if cursor is not None else {"changed_since": sync_cursor or ""}
        sent = {name: value for name, value in params.items() if value}
        url = f"{self.issuer(registration)}/contacts"
        response = yield from read(get(url, sent, bearer=grant.access_token, max_bytes=LARGE))
        if response.status == _GONE or error_code(response) == "invalid_cursor":
            raise ProviderError("garbage", "sync_expired", "Rehearsal cannot say what changed since. Read all again.")
        if not response.ok:
            raise resource_failure(response)
        return _page(response.json(), delta=delta)

    def writable(self, registration: Registration, grant: Grant) -> frozenset[str]:  # noqa: ARG002  the grant decides
        """With `profile:write`: every group, as far as the grant can also read it."""
        granted = grant.scopes or ()
        if WRITE_SCOPE not in granted:
            return frozenset()
        return frozenset(group for group in GROUPS if _GROUP_SCOPE.get(group, "profile") in granted)

    def preview(self, registration: Registration, change: ProfileChange) -> tuple[Mapping[str, Any], ...]:
        """The read and the write; lists are merged into what is read, and what does not differ is left out."""
        body = patched({}, change.values)
        url = f"{self.issuer(registration)}/me"
        if not body:
            return ()
        return ({"method": "GET", "url": url, "body": None}, {"method": "PATCH", "url": url, "body": body})

    def write(self, registration: Registration, grant: Grant, change: ProfileChange) -> Exchange[WriteOutcome]:
        """Read with the ETag, merge, and write what differs under If-Match and an Idempotency-Key, once."""
        fields = fields_of(change.values)
        refused = {pointer: NO_PLACE for pointer in change.values if pointer not in fields}
        if not fields:
            return WriteOutcome(refused=refused)
        _check_reach(grant, fields)
        before = yield from self._me(registration, grant)
        me = before.json()
        body = {
            name: value for name, value in patched(me, change.values).items() if (me.get(name) or "") != (value or "")
        }
        if body:
            yield from self._patch(registration, grant, before, body, change.idempotency_key)
        written = tuple(pointer for pointer, name in fields.items() if _touches(name, body))
        return WriteOutcome(written, refused, tuple(pointer for pointer in fields if pointer not in written))

    def signal(self, registration: Registration, request: SignalRequest, *, now: int) -> Signal:
        """See `signals.signal`."""
        return signals.signal(registration, request, now)

    def _me(self, registration: Registration, grant: Grant) -> Exchange[Response]:
        response = yield from read(get(f"{self.issuer(registration)}/me", bearer=grant.access_token))
        if not response.ok:
            raise resource_failure(response)
        return response

    def _patch(
        self, registration: Registration, grant: Grant, before: Response, body: Mapping[str, Any], key: str
    ) -> Exchange[None]:
        etag = before.headers.get("etag", "")
        if not etag:
            raise ProviderError("garbage", "no_etag", "Rehearsal gave no ETag, so nothing is written over unseen.")
        headers = {"If-Match": etag, **({"Idempotency-Key": key} if key else {})}
        request = send_json(
            "PATCH", f"{self.issuer(registration)}/me", body, bearer=grant.access_token, headers=headers
        )
        response = yield from send_once(request)
        if response.status == _UNPROCESSABLE and error_code(response) == "idempotency_key_reused":
            raise ProviderError("conflict", "idempotency_key_reused", "This change was sent before in another form.")
        if not response.ok:
            raise resource_failure(response)


def _page(answer: Mapping[str, Any], *, delta: bool) -> Page:
    rows, following, sync = answer.get("people"), answer.get("next"), answer.get("sync")
    if not isinstance(rows, list) or not isinstance(following, str | None):
        raise ProviderError("garbage", "not_a_page", "Rehearsal's page of contacts cannot be read.")
    return Page(
        tuple(item for item in map(_item, rows) if item),
        next_cursor=f"{'d' if delta else 'f'}:{following}" if following else None,
        sync_cursor=sync if isinstance(sync, str) and not following else None,
        full=not delta,
    )


def _item(row: Any) -> Item | None:
    """One contact; nothing where there is no id to know it by again."""
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
        return None
    return contact_item(row, row["id"])


def _check_reach(grant: Grant, fields: Mapping[str, str]) -> None:
    """A list that the grant cannot read must not be written: what is there would be lost."""
    if grant.scopes is None:
        return
    needed = {WRITE_SCOPE, *(_OPENED_BY.get(name, "profile") for name in fields.values())}
    if not needed <= set(grant.scopes):
        raise ProviderError(
            "insufficient_scope", "insufficient_scope", "The grant does not reach what would be written."
        )


def _touches(name: str, body: Mapping[str, Any]) -> bool:
    names = ("display_name", "given", "family") if name == "display_name" else (name,)
    return any(part in body for part in names)
