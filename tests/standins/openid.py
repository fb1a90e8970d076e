"""A small OpenID provider with real keys, which can be told to go wrong.

Serves WSGI (`loopback_server(op)`), or answers requests in this process (`drive(exchange, op)`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from providers.exchange import Exchange, NetworkFailure, Request, Response

T = TypeVar("T")
Answer = tuple[int, dict[str, str], bytes]

CLIENT_ID = "client:1"  # a colon, so that a Basic header without form-encoding shows
CLIENT_SECRET = "s3cret/+ % long enough for a key"
REDIRECT_URI = "https://gateway.example/callback/int_1"
NOW = 1_767_225_600_000

_RSA = [RSAKey.generate_key(2048, {"kid": f"rsa{number}", "use": "sig"}) for number in (1, 2)]
_EC = ECKey.generate_key("P-256", {"kid": "ec1", "use": "sig"})
_ED = OKPKey.generate_key("Ed25519", {"kid": "ed1", "use": "sig"})
KEYS = {"RS256": _RSA[0], "PS256": _RSA[0], "ES256": _EC, "EdDSA": _ED}
OTHER_RSA = _RSA[1]


class AnyAlgorithm(JWSRegistry):
    """Signs by whatever it is told."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def sign(claims: Mapping[str, Any] | bytes, *, alg: str = "RS256", key: Any = None, header: Mapping[str, Any] | None = None) -> str:  # noqa: E501  # fmt: skip
    """A compact JWS; `header` adds to or, by None, takes from the usual one."""
    key = KEYS.get(alg) if key is None else key
    whole = {"alg": alg, "typ": "JWT", **({"kid": key.kid} if getattr(key, "kid", None) else {}), **(header or {})}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    shown = {name: value for name, value in whole.items() if value is not None}
    if alg not in AnyAlgorithm.algorithms or alg == "none":
        return ".".join([b64(json.dumps(shown).encode()), b64(payload), ""])
    signed = b64(json.dumps(shown).encode()) + "." + b64(payload)
    model = AnyAlgorithm.algorithms[alg]
    return signed + "." + b64(model.sign(signed.encode(), key))


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class OpenIDProvider:
    """One provider.

    Faults are set as attributes:
        metadata: changes to the metadata (None removes). claims, userinfo: changes to ID token claims and userinfo.
        alg, key, header: how ID tokens are signed. jwks: keys published. token: changes to the token answer.
        replies: path → a whole answer instead. down: paths that do not answer at all.
    """

    issuer: str = "https://op.example.com"
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    now: int = NOW
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    alg: str = "RS256"
    key: Any = None
    jwks: list[Any] = field(default_factory=lambda: [_RSA[0], _EC, _ED])
    replies: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    subject: str = "person-1"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The provider as a WSGI application."""
        stream: io.BufferedIOBase = environ["wsgi.input"]
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        status, out, answer = self.handle(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, body)
        start_response(f"{status} X", [*out.items(), ("Content-Length", str(len(answer)))])
        return [answer]

    def answer(self, request: Request) -> Response:
        """The answer to one request, in this process. Raises NetworkFailure where it is down."""
        parts = urlsplit(request.url)
        if parts.path in self.down:
            raise NetworkFailure("no", "connect_failed")
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, out, body = self.handle(request.method, parts.path, headers, request.body or b"")
        return Response(status, {name.lower(): value for name, value in out.items()}, body)

    def requests(self, path: str) -> list[dict[str, str]]:
        """The forms of the requests that came to a path."""
        return [form for _, seen, _, form in self.seen if seen == path]

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request."""
        form = dict(parse_qsl(body.decode()))
        self.seen.append((method, path, headers, form))
        if path in self.before:
            self.before[path]()
        if path in self.replies:
            reply = self.replies[path]
            return reply() if callable(reply) else reply
        if path == "/.well-known/openid-configuration":
            return _json(200, self._metadata())
        if path == "/jwks":
            return _json(200, {"keys": [_shown(key) for key in self.jwks]})
        if path == "/userinfo":
            return self._userinfo(headers)
        if not self._knows(headers, form):
            return _json(401, {"error": "invalid_client"})
        handlers = {"/token": self._token, "/par": self._par, "/revoke": self._revoke}
        return handlers[path](form) if path in handlers else _json(404, {})

    def authorize(self, url: str) -> str:
        """The browser's part: the person says yes at once. Returns the code."""
        query = dict(parse_qsl(urlsplit(url).query))
        if "request_uri" in query:
            query = self.pushed.pop(query["request_uri"])
        code = secrets.token_urlsafe()
        self.codes[code] = query
        return code

    def id_token(self, access_token: str, nonce: str | None = None, **claims: Any) -> str:
        """An ID token as it would be given now."""
        seconds = self.now // 1000
        size = hashlib.sha512 if self.alg == "EdDSA" else hashlib.sha256
        digest = size(access_token.encode()).digest()
        made = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.client_id,
            "exp": seconds + 300,
            "iat": seconds,
            "nonce": nonce,
            "at_hash": b64(digest[: len(digest) // 2]),
            **claims,
            **self.claims,
        }
        shown = {name: value for name, value in made.items() if value is not None}
        return sign(shown, alg=self.alg, key=self.key, header=self.header)

    def _metadata(self) -> dict[str, Any]:
        base = self.issuer
        made = {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "userinfo_endpoint": f"{base}/userinfo",
            "revocation_endpoint": f"{base}/revoke",
            **self.metadata,
        }
        return {name: value for name, value in made.items() if value is not None}

    def _knows(self, headers: Mapping[str, str], form: Mapping[str, str]) -> bool:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(credentials).decode().partition(":")
            given = (unquote(name), unquote(secret))
        return given == (self.client_id, self.client_secret)

    def _token(self, form: dict[str, str]) -> Answer:
        nonce = None
        if form["grant_type"] == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
                return _json(400, {"error": "invalid_grant"})
            nonce = asked.get("nonce")
        elif form["refresh_token"] in self.revoked:
            return _json(400, {"error": "invalid_grant"})
        access = secrets.token_urlsafe()
        made = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": 3600,
            "refresh_token": secrets.token_urlsafe(),
            "id_token": self.id_token(access, nonce),
            "scope": "openid profile email",
            **self.token,
        }
        return _json(200, {name: value for name, value in made.items() if value is not None})

    def _userinfo(self, headers: Mapping[str, str]) -> Answer:
        if not headers.get("authorization", "").startswith("Bearer "):
            return _json(401, {})
        made = {"sub": self.subject, "name": "Ada Lovelace", "email": "ada@example.com", **self.userinfo}
        return _json(200, {name: value for name, value in made.items() if value is not None})

    def _par(self, form: dict[str, str]) -> Answer:
        uri = f"urn:request:{len(self.pushed)}"
        self.pushed[uri] = form
        return _json(201, {"request_uri": uri, "expires_in": 60})

    def _revoke(self, form: dict[str, str]) -> Answer:
        self.revoked.append(form["token"])
        return 200, {}, b""


def drive(exchange: Exchange[T], op: OpenIDProvider) -> T:
    """Drive an exchange against a provider in this process."""
    try:
        request = next(exchange)
        while True:
            try:
                response = op.answer(request)
            except NetworkFailure as failure:
                request = exchange.throw(failure)
            else:
                request = exchange.send(response)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _json(status: int, value: Any) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _shown(key: Any) -> Any:
    return key.as_dict(private=False) if hasattr(key, "as_dict") else key
