"""ID tokens (OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725): what is taken, and everything that is not.

joserfc parses and computes. Which algorithm, key, issuer, audience, time and nonce is right is said here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from providers.errors import ProviderError
from providers.oidc.keys import KNOWN_ALGORITHMS, MAX_KID, KeySet
from providers.secret import Secret

ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")
LEEWAY_S = 60
MAX_AGE_S = 24 * 3600  # an ID token from a code exchange was made just now; a day is patience enough
MAX_SUBJECT = 255
OUT_OF_TIME = frozenset({"expired", "issued_at_refused", "not_yet_valid"})
_MAX_AUDIENCES = 20
_PARTS = 3
_TYPES = frozenset({"", "jwt", "application/jwt"})
_REFUSED_HEADERS = ("crit", "b64", "zip", "enc", "cty")
_HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}
_HINT = "The ID token is not one that this sign-in can be trusted with. Start again; if it stays, tell the operator."
_SUBJECT = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was taken apart, its signature not yet checked."""

    text: Secret
    alg: str
    kid: str | None
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say. `nonce` and `access_token` None: not compared. `now` in ms."""

    issuer: str
    client_id: str
    now: int
    nonce: Secret | None = None
    access_token: Secret | None = None
    max_age: int | None = None


class _Registry(JWSRegistry):
    """The algorithms that were allowed, without opinion: the opinion is `ALGORITHMS` and the operator's."""

    max_header_length = 8 * 1024

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def refuse(code: str) -> ProviderError:
    """The failure of a token that is not taken."""
    return ProviderError("mismatch", code, _HINT)


def allowed_algorithms(setting: str) -> tuple[str, ...]:
    """The algorithms of an operator's setting (`"RS256 ES256"`), or the default.

    Raises:
        ProviderError: misconfigured, for an algorithm that cannot be allowed.
    """
    names = tuple(setting.replace(",", " ").split()) or ALGORITHMS
    unknown = [name for name in names if name not in KNOWN_ALGORITHMS]
    if unknown:
        raise ProviderError(
            "misconfigured", "algorithms", f"Only {', '.join(sorted(KNOWN_ALGORITHMS))} can be allowed for ID tokens."
        )
    return names


def take_apart(text: Secret, algorithms: Collection[str] = ALGORITHMS) -> Token:
    """Read header and claims of a compact JWS, strictly. Keys named or carried in the header are never looked at.

    Raises:
        ProviderError: mismatch.
    """
    parts = text.reveal().split(".")
    if len(parts) != _PARTS:
        raise refuse("id_token_unreadable")
    header, claims = (_json(part) for part in parts[:2])
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(alg, str) or alg not in algorithms or alg not in KNOWN_ALGORITHMS:
        raise refuse("algorithm_refused")
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise refuse("type_refused")
    if any(name in header for name in _REFUSED_HEADERS):
        raise refuse("header_refused")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID or not kid.isprintable()):
        raise refuse("kid_refused")
    return Token(text, alg, kid, claims)


def check_signature(token: Token, keys: KeySet) -> bool:
    """Whether one of the set's keys signed it; False where the set has no key for it, so that it may be fetched anew.

    Raises:
        ProviderError: mismatch, where the key is there and the signature is not its own.
    """
    candidates = keys.candidates(token.kid, token.alg)
    if not candidates:
        return False
    # only what we took apart is shown to the library: a header such as jwk or x5c stays unread
    registry = _Registry(algorithms=[token.alg], strict_check_header=False)
    for candidate in candidates:
        try:
            jws.deserialize_compact(token.text.reveal(), candidate.key, registry=registry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return True
    raise refuse("signature_wrong")


def check_claims(token: Token, expected: Expected) -> None:
    """Every rule about what the claims say. Raises ProviderError(mismatch) at the first that does not hold.

    The times come last: a code of OUT_OF_TIME says that all else is right.
    """
    claims = token.claims
    if claims.get("iss") != expected.issuer:
        raise refuse("issuer_mismatch")
    check_subject(claims.get("sub"))
    _check_audience(claims, expected.client_id)
    if "events" in claims:
        raise refuse("type_refused")  # a logout token or another event, not a sign-in
    if expected.nonce is not None:
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(_utf8(nonce), _utf8(expected.nonce.reveal())):
            raise refuse("nonce_mismatch")
    if "at_hash" in claims and expected.access_token is not None:
        _check_at_hash(claims["at_hash"], expected.access_token, token.alg)
    _check_times(claims, expected)


def check_subject(subject: Any) -> str:
    """A subject as OpenID Connect allows it: 1 to 255 ASCII characters. Raises ProviderError(mismatch)."""
    if not isinstance(subject, str) or len(subject) > MAX_SUBJECT or not _SUBJECT.fullmatch(subject):
        raise refuse("subject_unusable")
    return subject


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or len(listed) > _MAX_AUDIENCES or client_id not in listed:
        raise refuse("audience_mismatch")
    if not all(isinstance(one, str) for one in listed):
        raise refuse("audience_mismatch")
    if len(set(listed)) > 1 and "azp" not in claims:
        raise refuse("authorized_party_missing")
    if "azp" in claims and claims["azp"] != client_id:
        raise refuse("authorized_party_mismatch")


def _check_times(claims: Mapping[str, Any], expected: Expected) -> None:
    now = expected.now / 1000
    if _moment(claims, "exp") <= now - LEEWAY_S:
        raise refuse("expired")
    if not now - MAX_AGE_S <= _moment(claims, "iat") <= now + LEEWAY_S:
        raise refuse("issued_at_refused")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY_S:
        raise refuse("not_yet_valid")
    if expected.max_age is not None and _moment(claims, "auth_time") < now - expected.max_age - LEEWAY_S:
        raise refuse("authentication_too_old")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:  # noqa: PLR2004  year 5138
        raise refuse(f"{name}_unusable")
    return float(value)


def _check_at_hash(value: Any, access_token: Secret, alg: str) -> None:
    name = _HASHES.get(alg[-3:], "sha512")  # Ed25519 signs with SHA-512
    digest = hashlib.new(name, _utf8(access_token.reveal())).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(value, str) or not hmac.compare_digest(_utf8(value), expected):
        raise refuse("at_hash_mismatch")


def _json(part: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise refuse("id_token_unreadable") from None
    if not isinstance(value, dict):
        raise refuse("id_token_unreadable")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name repeats")
    return value


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
