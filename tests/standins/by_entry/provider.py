"""The provider itself: authorization, tokens, userinfo, revocation, and every refusal that the entry promises."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from providers.entries.values import Entry
from providers.exchange import Request, Response
from tests.standins.by_entry.documents import SAMPLES, more, person, put
from tests.standins.by_entry.ending import end
from tests.standins.by_entry.refusing import Refused, as_json, once, read_body
from tests.standins.by_entry.registering import CLIENT_ID, CLIENT_SECRET, register
from tests.standins.openid import KEYS, b64, sign

REDIRECT_URI = "https://gateway.example/callback/int_1"
NOW = 1_767_225_600_000
SUBJECT = "person-1"
_LIFETIME_S = 3600
_KEY = KEYS["RS256"]
_JWKS = json.dumps({"keys": [_KEY.as_dict(private=False)]}).encode()


@dataclass
class Issued:
    """What was granted, from the code on."""

    params: dict[str, str]
    scopes: list[str]
    used: bool = False
    alive: bool = True


@dataclass
class Provider:
    """One provider. `faults`: answers that come instead, first in, first out, by endpoint (`token`, `userinfo` …)."""

    entry: Entry
    redirect_uri: str = REDIRECT_URI
    now: Callable[[], int] = lambda: NOW
    codes: dict[str, Issued] = field(default_factory=dict)
    access: dict[str, Issued] = field(default_factory=dict)
    refreshing: dict[str, Issued] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: dict[str, list[Response]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    # ---- addresses ---------------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, str]:
        """What the operator sets for this customer's host."""
        return {name: one.example for name, one in self.entry.parameters.items()}

    def address(self, template: str) -> str:
        """An address of the entry as this customer has it."""
        values = self.settings() | {"client_id": CLIENT_ID.replace(":", "%3A")}
        return re.sub(r"\{(\w+)\}", lambda found: values[found.group(1)], template)

    @property
    def issuer(self) -> str:
        return self.address(self.entry.issuer)

    # ---- the browser -------------------------------------------------------------------------------------------------

    def browse(self, url: str) -> dict[str, str]:
        """The person says yes at once; what the redirect brings back. Raises Refused."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}{parts.path}" != self.address(self.entry.authorization_endpoint):
            raise Refused("the browser is sent to another address than the authorization endpoint")
        params = once(parse_qsl(parts.query, keep_blank_values=True))
        if self.entry.pushed_authorization_request_endpoint and self._pushes():
            if set(params) != {self.entry.client_id_parameter, "request_uri"}:
                raise Refused("the authorization request was not pushed")
            params = self.pushed.pop(params["request_uri"])
        issued = self._authorized(params)
        code = secrets.token_urlsafe(16)
        self.codes[code] = issued
        return {"code": code, "state": params["state"]}

    def _pushes(self) -> bool:
        return self.entry.protocol == "oauth2"

    def _authorized(self, params: Mapping[str, str]) -> Issued:
        entry = self.entry
        expected = {
            "response_type": "code",
            entry.client_id_parameter: CLIENT_ID,
            "redirect_uri": self.redirect_uri,
            **self._filled(entry.authorization.parameters),
        }
        for name, value in expected.items():
            if params.get(name) != value and not (name == "prompt" and "prompt" in params):
                raise Refused(f"the authorization request has {name} = {params.get(name)!r}, not {value!r}")
        if not params.get("state"):
            raise Refused("the authorization request has no state")
        challenge = params.get("code_challenge", "")
        if entry.pkce == "required" and (not challenge or params.get("code_challenge_method") != "S256"):
            raise Refused("PKCE is required, and the request has no S256 challenge")
        if entry.pkce == "none" and challenge:
            raise Refused("PKCE is refused there, and the request has a challenge")
        text = params.get(entry.authorization.scope_parameter, "")
        scopes = [one for one in text.split(entry.scope_separator) if one]
        for scope in scopes:
            if scope not in entry.scopes:
                raise Refused(f"{scope!r} is no scope there; is the separator right?")
        return Issued(dict(params), scopes)

    def _filled(self, table: Mapping[str, str]) -> dict[str, str]:
        values = {"{client_id}": CLIENT_ID, "{redirect_uri}": self.redirect_uri}
        return {name: values.get(value, value) for name, value in table.items()}

    # ---- requests ----------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """The answer to one request. What the entry does not allow is refused, and why is kept in `complaints`."""
        self.requests.append(request)
        kind = self._kind(request)
        if self.faults.get(kind):
            return self.faults[kind].pop(0)
        handlers = {
            "token": self._token,
            "refresh": self._token,
            "par": self._par,
            "registration": lambda request: register(self, request),
            "revocation": lambda request: end(self, request),
            "userinfo": self._userinfo,
            "metadata": lambda _: as_json(200, self._metadata()),
            "jwks": lambda _: Response(200, {"content-type": "application/json"}, _JWKS),
        }
        try:
            if kind.startswith("also"):
                return self._also(request, int(kind[4:]))
            return handlers[kind](request)
        except Refused as refused:
            self.complaints.append(str(refused))
            return self.failure("invalid_request")

    def _kind(self, request: Request) -> str:
        parts = urlsplit(request.url)
        address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        entry = self.entry
        known = {
            self.address(entry.token_endpoint): "token",
            self.address(entry.refresh.endpoint or entry.token_endpoint): "refresh",
            self.address(entry.revocation_endpoint): "revocation",
            self.address(entry.userinfo_endpoint): "userinfo",
            self.address(entry.pushed_authorization_request_endpoint): "par",
            self.address(entry.registration.endpoint): "registration",
            f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration": "metadata",
            f"{self.issuer.removesuffix('/')}/jwks-of-the-stand-in": "jwks",
        }
        for number, also in enumerate(entry.profile.also if entry.profile else ()):
            known[self.address(also.endpoint)] = f"also{number}"
        if not entry.refresh.endpoint:
            known[self.address(entry.token_endpoint)] = "token"
        if address not in known:
            raise Refused(f"a request goes to {address}, which is no address of the entry")
        return known[address]

    def failure(self, code: str, status: int = 400, **headers: str) -> Response:
        """A failed answer in the provider's own shape."""
        errors = self.entry.errors
        document = put({}, errors.path, int(code) if code.isdecimal() else code)
        if errors.ok and errors.ok != errors.path:
            document = put(document, errors.ok, False)
        shown = 200 if errors.with_status_200 else status
        lower = {name.replace("_", "-"): value for name, value in headers.items()}
        return as_json(shown, document, **lower)

    # ---- tokens ------------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Response:
        fields = self._form(request, self.entry.token.body)
        if not self.client_known(request, fields):
            return self.failure("invalid_client", 401)
        self.has(request.headers, self.entry.token.headers)
        if fields.get("grant_type") == "authorization_code":
            return self._by_code(fields)
        if fields.get("grant_type") == "refresh_token":
            return self._by_refresh(fields)
        raise Refused(f"the grant type is {fields.get('grant_type')!r}")

    def _by_code(self, fields: Mapping[str, str]) -> Response:
        self.has(fields, self.entry.token.parameters)
        issued = self.codes.get(fields.get("code", ""))
        if issued is None or issued.used:
            if issued is not None:
                issued.alive = False
            return self.failure("invalid_grant")
        if fields.get("redirect_uri") != issued.params["redirect_uri"]:
            raise Refused("the redirect URI of the token request is not that of the authorization request")
        challenge = issued.params.get("code_challenge")
        verifier = fields.get("code_verifier")
        if challenge and b64(hashlib.sha256((verifier or "").encode()).digest()) != challenge:
            return self.failure("invalid_grant")
        if self.entry.pkce == "none" and verifier:
            raise Refused("PKCE is refused there, and the token request has a verifier")
        issued.used = True
        return self._granted(issued, nonce=issued.params.get("nonce"))

    def _by_refresh(self, fields: Mapping[str, str]) -> Response:
        self.has(fields, self.entry.refresh.parameters)
        token = fields.get("refresh_token", "")
        issued = self.refreshing.get(token)
        if issued is None or not issued.alive:
            return self.failure("invalid_grant")
        if self.entry.refresh.model == "rotating":
            del self.refreshing[token]
        return self._granted(issued, again=True)

    def _granted(self, issued: Issued, *, nonce: str | None = None, again: bool = False) -> Response:
        entry = self.entry
        access = f"issued-access-{secrets.token_urlsafe(16)}"
        self.access[access] = issued
        plain: dict[str, Any] = {"access_token": access, "expires_in": _LIFETIME_S}
        if issued.scopes:
            plain["scope"] = (entry.token.scope_separator or entry.scope_separator).join(issued.scopes)
        if "refresh" in entry.capabilities and (not again or entry.refresh.model == "rotating"):
            plain["refresh_token"] = f"issued-refresh-{secrets.token_urlsafe(16)}"
            self.refreshing[plain["refresh_token"]] = issued
        if entry.protocol == "openid":
            plain["id_token"] = self._id_token(access, nonce)
        document: Any = {}
        for name, value in plain.items():
            document = put(document, entry.token.fields.get(name, name), value)  # type: ignore[call-overload]
        if kind := next(iter(entry.token.token_types), ""):
            document["token_type"] = kind.title()
        if entry.errors.ok:
            document = put(document, entry.errors.ok, entry.errors.ok != entry.errors.path or 0)
        if entry.profile is not None and entry.profile.source == "token":
            document = _merged(document, person(entry.profile, SUBJECT))
        as_form = entry.token.answer == "form" or (entry.token.answer == "json_or_form" and not again)
        return _form(document) if as_form else as_json(200, document)

    def _id_token(self, access: str, nonce: str | None) -> str:
        digest = hashlib.sha256(access.encode()).digest()
        made = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": CLIENT_ID,
            "exp": self.now() // 1000 + 300,
            "iat": self.now() // 1000,
            "at_hash": b64(digest[:16]),
            **({"nonce": nonce} if nonce else {}),
        }
        return sign(made)

    def _metadata(self) -> dict[str, Any]:
        entry = self.entry
        made = {
            "issuer": self.issuer,
            "authorization_endpoint": self.address(entry.authorization_endpoint),
            "token_endpoint": self.address(entry.token_endpoint),
            "userinfo_endpoint": self.address(entry.userinfo_endpoint),
            "revocation_endpoint": self.address(entry.revocation_endpoint),
            "jwks_uri": f"{self.issuer.removesuffix('/')}/jwks-of-the-stand-in",
        }
        return {name: value for name, value in made.items() if value}

    # ---- the client --------------------------------------------------------------------------------------------------

    def client_known(self, request: Request, fields: Mapping[str, str]) -> bool:
        """Whether it is ours, by exactly one of the methods that the entry lists (RFC 6749 section 2.3)."""
        entry = self.entry
        basic = request.headers.get("Authorization", "")
        name, secret = fields.get(entry.client_id_parameter), fields.get(entry.client_secret_parameter)
        methods = entry.token.authentication or ("client_secret_basic", "client_secret_post")
        if basic and secret is not None:
            raise Refused("the client authenticates twice")
        if basic.startswith("Basic "):
            if "client_secret_basic" not in methods:
                raise Refused("the client authenticates by Basic, which is not taken there")
            given, _, text = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
            return (unquote(given), unquote(text)) == (CLIENT_ID, CLIENT_SECRET)
        if secret is not None:
            if "client_secret_post" not in methods:
                raise Refused("the client authenticates in the body, which is not taken there")
            return (name, secret) == (CLIENT_ID, CLIENT_SECRET)
        if "none" not in methods:
            raise Refused("the client does not authenticate")
        return name == CLIENT_ID

    def _form(self, request: Request, kind: str) -> dict[str, str]:
        if request.method != "POST":
            raise Refused(f"{request.method} where POST is wanted")
        return read_body(request, kind)

    def own_credentials(self) -> dict[str, str]:
        """The client's id and secret as fields of a body."""
        return {self.entry.client_id_parameter: CLIENT_ID, self.entry.client_secret_parameter: CLIENT_SECRET}

    def has(self, given: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """Every constant of the entry is there. Raises Refused."""
        for name, value in self._filled(wanted).items():
            if given.get(name) != value:
                raise Refused(f"{name} is {given.get(name)!r}, not {value!r}")

    def _par(self, request: Request) -> Response:
        fields = self._form(request, self.entry.token.body)
        if not self.client_known(request, fields):
            return self.failure("invalid_client", 401)
        fields.pop(self.entry.client_secret_parameter, None)
        self._authorized(fields)
        uri = f"urn:ietf:params:oauth:request_uri:{len(self.pushed)}"
        self.pushed[uri] = fields
        return as_json(201, {"request_uri": uri, "expires_in": 60})

    # ---- the person --------------------------------------------------------------------------------------------------

    def bearer(self, request: Request, header: str, scheme: str) -> Issued | None:
        """What the access token was issued for. Raises Refused where it is not sent as it should be."""
        said = request.headers.get(header, "")
        if scheme and not said.startswith(f"{scheme} "):
            raise Refused(f"the token is not sent as {scheme} in {header}")
        return self.access.get(said.removeprefix(f"{scheme} ") if scheme else said)

    def _userinfo(self, request: Request) -> Response:
        profile = self.entry.profile
        if profile is None:
            if self._alive(self.bearer(request, "Authorization", "Bearer")):
                standard = ("name", "given_name", "family_name", "picture", "email", "email_verified", "locale")
                return as_json(200, {"sub": SUBJECT, **{name: SAMPLES[name] for name in standard}})
            return as_json(401, {"error": "invalid_token"})
        if request.method != profile.method:
            raise Refused(f"{request.method} where {profile.method} is wanted")
        issued = self.bearer(request, profile.token_header, profile.scheme)
        self.has(request.headers, profile.headers)
        if profile.query:
            if json.loads(request.body or b"{}") != {"query": profile.query}:
                raise Refused("the query is another")
        elif profile.method == "POST":
            self.has(read_body(request, "form"), profile.parameters)
        else:
            self.has(once(parse_qsl(urlsplit(request.url).query)), profile.parameters)
        return as_json(200, person(profile, SUBJECT)) if self._alive(issued) else self.dead_token()

    def dead_token(self) -> Response:
        """How userinfo says that a token is dead."""
        statuses = self.entry.errors.gone_statuses
        code = next(iter(self.entry.errors.gone), "invalid_token")
        return self.failure(code, statuses[0] if statuses else 401)

    def _also(self, request: Request, number: int) -> Response:
        profile = self.entry.profile
        assert profile is not None
        also = profile.also[number]
        issued = self.bearer(request, profile.token_header, profile.scheme)
        self.has(request.headers, profile.headers)
        self.has(once(parse_qsl(urlsplit(request.url).query)), also.parameters)
        if not self._alive(issued):
            return self.dead_token()
        if also.scope and issued is not None and also.scope not in issued.scopes:
            return self.failure("insufficient_scope", 403)
        return as_json(200, more(also))

    @staticmethod
    def _alive(issued: Issued | None) -> bool:
        return issued is not None and issued.alive


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**other, **one, **{name: _merged(one[name], other[name]) for name in one if name in other}}
    return one


def _form(value: Mapping[str, Any]) -> Response:
    body = urlencode({name: str(part) for name, part in value.items()}).encode()
    return Response(200, {"content-type": "application/x-www-form-urlencoded"}, body)
