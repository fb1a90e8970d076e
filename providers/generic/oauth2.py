"""Plain OAuth 2.0, as an entry describes it: code, tokens, account, profile, the end of a grant.

Sources: RFC 6749, RFC 6750, RFC 7009, RFC 7636, RFC 9126; what differs, differs in the entry. Tokens never stand in a
URL: an entry that would need that is refused when it is read.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from providers.capabilities import Account, Ask, Callback, Grant, Page, Registration, Revoked
from providers.entries.plain import SPOKEN
from providers.entries.values import Entry, Profile, Revocation
from providers.errors import ProviderError
from providers.exchange import SMALL, Exchange, Request, basic_authorization, get, with_params
from providers.generic.addresses import constants, endpoint, issuer
from providers.generic.answers import error_of, read_resource, read_token_answer
from providers.generic.claims import card_of, claims_of, subject_of
from providers.generic.paths import at
from providers.oauth2 import (
    TokenAnswer,
    authorization_params,
    check_iss,
    code_fields,
    read,
    refresh_fields,
    request_tokens,
    token_failure,
    token_text,
)
from providers.secret import Secret

Fields = list[tuple[str, str]]

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_MAX_PROFILE = SMALL * 4


class PlainOAuth2:
    """Speaks as one entry says. Holds nothing but the entry."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def issuer(self, registration: Registration) -> str:
        """The entry's, with a customer's own host where it has one."""
        return issuer(self.entry, registration)

    # ---- authorises ------------------------------------------------------------------------------------------------

    def authorization_url(self, registration: Registration, ask: Ask) -> Exchange[str]:
        """Where to send the browser; pushed first (RFC 9126) where the entry names an endpoint for it."""
        address = self._endpoint(registration, self.entry.authorization_endpoint)
        params = self._params(registration, ask)
        if not self.entry.pushed_authorization_request_endpoint:
            return with_params(address, params)
        pushed = self._endpoint(registration, self.entry.pushed_authorization_request_endpoint)
        response = yield from read(self._client_request(registration, pushed, params))
        if not response.ok:
            raise token_failure(response, reader=lambda answer: read_token_answer(self.entry, answer))
        uri = token_text(response.json().get("request_uri"))
        if uri is None:
            raise ProviderError("garbage", "request_uri_missing", "The provider took the request but did not name it.")
        own = [(self.entry.client_id_parameter, registration.client_id), ("request_uri", uri.reveal())]
        return with_params(address, own)

    def _params(self, registration: Registration, ask: Ask) -> Fields:
        names = {"client_id": self.entry.client_id_parameter, "scope": self.entry.authorization.scope_parameter}
        left_out = {"code_challenge", "code_challenge_method"} if self.entry.pkce == "none" else set()
        standard = authorization_params(registration, ask, separator=self.entry.scope_separator)
        return [
            *((names.get(name, name), value) for name, value in standard if name not in left_out),
            *constants(self.entry.authorization.parameters, registration),
        ]

    def check_callback(self, registration: Registration, iss: str | None) -> Exchange[None]:
        """Plain OAuth 2.0 need not send `iss` (RFC 9207); one that is there must be its own."""
        yield from ()
        check_iss(self.issuer(registration), iss)

    def redeem(self, registration: Registration, callback: Callback, ask: Ask, *, now: int) -> Exchange[Grant]:
        """Exchange the code, once. Where the token answer names the account, it is kept with the grant."""
        check_iss(self.issuer(registration), callback.iss)
        left_out = {"code_verifier"} if self.entry.pkce == "none" else set()
        fields = [field for field in code_fields(registration, callback, ask) if field[0] not in left_out]
        fields += constants(self.entry.token.parameters, registration)
        answer = yield from self._tokens(registration, self.entry.token_endpoint, fields, now)
        profile = self._profile()
        if profile.source == "userinfo":
            return answer.grant()
        named = {"iss": self.issuer(registration), "sub": subject_of(profile, answer.fields)}
        return answer.grant(id_claims={**claims_of(profile.claims, at(answer.fields, profile.root)), **named})

    def account(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """Whose grant it is: by the token answer where that names the account, else by userinfo."""
        if self._profile().source == "userinfo":
            return (yield from self.whose(registration, grant))
        claims = {name: value for name, value in grant.id_claims.items() if name not in {"iss", "sub"}}
        subject = grant.id_claims.get("sub")
        if not isinstance(subject, str):
            raise ProviderError("mismatch", "account_unknown", "Nobody knows whose account this is. Start again.")
        return Account(self.issuer(registration), subject, claims)

    def whose(self, registration: Registration, grant: Grant) -> Exchange[Account]:
        """Whose access token it is, by userinfo alone."""
        if self._profile().source != "userinfo":
            raise ProviderError("unsupported", "no_userinfo", "This provider does not say whose an access token is.")
        answer, claims = yield from self._read_person(registration, grant)
        birthdate = claims.get("birthdate")
        subject = subject_of(self._profile(), answer)
        return Account(self.issuer(registration), subject, claims, birthdate if isinstance(birthdate, str) else "")

    # ---- refreshes, revokes, reads -----------------------------------------------------------------------------------

    def refresh(self, registration: Registration, grant: Grant, *, now: int) -> Exchange[Grant]:
        """Refresh once; the old refresh token stays where no new one comes."""
        fields = [*refresh_fields(grant), *constants(self.entry.refresh.parameters, registration)]
        address = self.entry.refresh.endpoint or self.entry.token_endpoint
        answer = yield from self._tokens(registration, address, fields, now)
        return answer.grant(keep=grant)

    def revoke(self, registration: Registration, grant: Grant) -> Exchange[Revoked]:
        """End the grant as the entry says. Idempotent: what is gone already is said so.

        Raises:
            ProviderError: sorted; a lost answer is try_later, as the call may be repeated.
        """
        outcomes = []
        for token, kind in _to_revoke(self.entry.revocation, grant):
            request = self._revocation(registration, grant, token, kind)
            outcomes.append((yield from self._end(request)))
        return Revoked("confirmed" if "confirmed" in outcomes else "already_gone")

    def profile(self, registration: Registration, grant: Grant, categories: frozenset[str]) -> Exchange[Page]:
        """The person's profile as one card, if it is about the account that signed in."""
        answer, claims = yield from self._read_person(registration, grant)
        known = grant.id_claims.get("sub")
        subject = subject_of(self._profile(), answer)
        if isinstance(known, str) and not hmac.compare_digest(known.encode(), subject.encode()):
            raise ProviderError(
                "mismatch", "userinfo_subject", "The profile is another account's than the one that signed in."
            )
        return Page((card_of(self._profile(), at(answer, self._profile().root), claims, categories),))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _endpoint(self, registration: Registration, address: str) -> str:
        return endpoint(self.entry, registration, address)

    def _profile(self) -> Profile:
        if self.entry.profile is None:
            raise ProviderError("unsupported", "no_profile", "This provider does not say whose an access token is.")
        return self.entry.profile

    def _tokens(self, registration: Registration, address: str, fields: Fields, now: int) -> Exchange[TokenAnswer]:
        request = self._client_request(registration, self._endpoint(registration, address), fields)
        separators = self.entry.token.scope_separator or self.entry.scope_separator
        return (
            yield from request_tokens(
                request, now=now, separators=separators, reader=lambda answer: read_token_answer(self.entry, answer)
            )
        )

    def _client_request(self, registration: Registration, address: str, fields: Sequence[tuple[str, str]]) -> Request:
        """A request with the client's authentication (RFC 6749 section 2.3.1), sent once."""
        method = next(one for one in self.entry.token.authentication if one in SPOKEN)
        headers = dict(constants(self.entry.token.headers, registration))
        sent = list(fields)
        if method == "client_secret_basic":
            headers["Authorization"] = basic_authorization(registration.client_id, registration.client_secret)
        elif not any(name == self.entry.client_id_parameter for name, _ in sent):
            sent.append((self.entry.client_id_parameter, registration.client_id))
        if method == "client_secret_post":
            sent.append((self.entry.client_secret_parameter, registration.client_secret.reveal()))
        return _with_body("POST", address, sent, self.entry.token.body, headers)

    def _revocation(self, registration: Registration, grant: Grant, token: Secret, kind: str) -> Request:
        way = self.entry.revocation
        address = self._endpoint(registration, self.entry.revocation_endpoint)
        fields: Fields = [(way.token_parameter, token.reveal())] if way.token_parameter else []
        if way.token_parameter and way.token_type_hint:
            fields.append(("token_type_hint", kind))
        fields += constants(way.parameters, registration)
        headers = dict(constants(self.entry.token.headers, registration))
        if way.authentication == "bearer":
            headers["Authorization"] = f"Bearer {grant.access_token.reveal()}"
        elif way.authentication == "client_in_body":
            fields.append((self.entry.client_id_parameter, registration.client_id))
            fields.append((self.entry.client_secret_parameter, registration.client_secret.reveal()))
        elif way.authentication == "client":
            plain = self._client_request(registration, address, fields)
            if way.method == "POST" and way.body == self.entry.token.body:
                return plain
            headers |= {name: value for name, value in plain.headers.items() if name == "Authorization"}
            if "Authorization" not in headers:
                fields.append((self.entry.client_id_parameter, registration.client_id))
                fields.append((self.entry.client_secret_parameter, registration.client_secret.reveal()))
        return _with_body(way.method, address, fields, way.body, headers)

    def _end(self, request: Request) -> Exchange[str]:
        way = self.entry.revocation
        response = yield from read(request)
        if response.status in way.gone_statuses:
            return "already_gone"
        try:
            code = error_of(self.entry.errors, response.json())
        except ProviderError:
            code = None  # an empty answer, or a page: the status says it
        if code is not None and code in {*way.gone_errors, *self.entry.errors.gone}:
            return "already_gone"
        if response.ok and code is None:
            return "confirmed"
        raise token_failure(response, reader=lambda answer: read_token_answer(self.entry, answer))

    def _read_person(self, registration: Registration, grant: Grant) -> Exchange[tuple[dict[str, Any], dict[str, Any]]]:
        profile = self._profile()
        answer = yield from self._read(registration, grant, profile, self.entry.userinfo_endpoint)
        claims = claims_of(profile.claims, at(answer, profile.root))
        for also in profile.also:
            if also.scope and grant.scopes is not None and also.scope not in grant.scopes:
                continue
            asked = replace(profile, method="GET", query="", parameters=also.parameters)
            try:
                more = yield from self._read(registration, grant, asked, also.endpoint)
            except ProviderError as error:
                if error.kind != "insufficient_scope":
                    raise
                continue  # the person left this out; the rest is theirs to use all the same
            claims |= claims_of(also.claims, at(more, also.root))
        return answer, claims

    def _read(
        self, registration: Registration, grant: Grant, profile: Profile, address: str
    ) -> Exchange[dict[str, Any]]:
        token = grant.access_token.reveal()
        headers = {
            **dict(constants(profile.headers, registration)),
            profile.token_header: f"{profile.scheme} {token}" if profile.scheme else token,
        }
        url, params = self._endpoint(registration, address), constants(profile.parameters, registration)
        if profile.method == "GET":
            request = get(url, params, headers=headers, max_bytes=_MAX_PROFILE)
        elif profile.query:
            body = json.dumps({"query": profile.query}, separators=(",", ":")).encode()
            sent = {"Accept": _JSON, "Content-Type": _JSON, **headers}
            request = Request("POST", with_params(url, params), sent, body, max_bytes=_MAX_PROFILE)
        else:
            request = replace(_with_body("POST", url, params, "form", headers), max_bytes=_MAX_PROFILE, once=False)
        return read_resource(self.entry, (yield from read(request)))


def _to_revoke(way: Revocation, grant: Grant) -> list[tuple[Secret, str]]:
    """The tokens to send, and what each is. Without a refresh token the access token stands for the grant."""
    access, refresh = (grant.access_token, "access_token"), (grant.refresh_token, "refresh_token")
    held = [(token, kind) for token, kind in (refresh, access) if token]
    if way.token == "each":  # noqa: S105  a word of the entry
        return held
    wanted = access if way.token == "access" else held[0]  # noqa: S105
    return [(wanted[0] or grant.access_token, wanted[1])]


def _with_body(method: str, address: str, fields: Fields, form: str, headers: dict[str, str]) -> Request:
    sent = {"Accept": _JSON, **headers}
    if form == "none":
        return Request(method, address, sent, None, once=True)
    body = urlencode(fields) if form == "form" else json.dumps(dict(fields), separators=(",", ":"))
    sent["Content-Type"] = _FORM if form == "form" else _JSON
    return Request(method, address, sent, body.encode(), once=True)
