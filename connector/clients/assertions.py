"""Client authentication by a signed assertion: private_key_jwt (RFC 7523, OpenID Connect Core section 9).

The library parses and verifies one signature; which algorithms, keys, audience and times are good is said here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from connector.clients.json_text import strict_object
from connector.model.errors import BadInput, Unauthenticated
from connector.storage import Transaction

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# RS256 is left out: PKCS#1 v1.5 signatures have no place in a profile that can choose (FAPI 2.0 section 5.4).
SIGNING_ALGORITHMS = ("ES256", "PS256", "Ed25519", "EdDSA")
MAX_LENGTH = 8_192
LEEWAY_S = 30
MAX_LIFETIME_S = 600
MAX_JTI = 255
MIN_RSA_BITS = 2048
_TYPES = {None, "JWT", "client-authentication+jwt"}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


Key = OctKey | RSAKey | ECKey | OKPKey  # as the library's key sets are typed; _strong lets no OctKey through


class _Allowed(JWSRegistry):
    """Exactly our algorithms. EdDSA, the older name of Ed25519, is what most clients still write."""

    def get_alg(self, name: str) -> Any:
        if name not in SIGNING_ALGORITHMS:
            raise JoseError("algorithm is not allowed")
        return self.algorithms[name]


_REGISTRY = _Allowed(algorithms=SIGNING_ALGORITHMS)


def client_keys(jwks: str) -> KeySet:
    """The public keys in a JWK set (RFC 7517): P-256, RSA of at least 2048 bits, or Ed25519, for signatures.

    Raises:
        BadInput: no keys, a private or symmetric key, a key that is too weak or not for signing, a `kid` used twice.
    """
    try:
        listed = strict_object(jwks).get("keys")
        keys: list[Key] = [_key(entry) for entry in listed] if isinstance(listed, list) else []
    except (ValueError, JoseError) as error:
        raise BadInput("bad_jwks", f"The JWK set cannot be used: {_sentence(error)}.") from error
    kids = [key.kid for key in keys if key.kid is not None]
    if not keys or len(set(kids)) != len(kids) or (len(keys) > 1 and len(kids) != len(keys)):
        raise BadInput("bad_jwks", "The JWK set needs one key, or several that each have a kid of their own.")
    return KeySet(keys)


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") if type(error) is ValueError else "one of its keys cannot be read"


def _key(entry: Any) -> RSAKey | ECKey | OKPKey:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kid", ""), str):
        raise ValueError("each key is an object, its kid text")  # noqa: TRY004  one kind of complaint for a whole set
    if _PRIVATE & entry.keys():
        raise ValueError("it holds a private or symmetric key; register the public half only")
    if entry.get("use", "sig") != "sig":
        raise ValueError('a key is for encryption; register keys with "use": "sig"')
    return _strong(dict(entry))


def _strong(entry: dict[str, Any]) -> RSAKey | ECKey | OKPKey:
    kind, curve = entry.get("kty"), entry.get("crv")
    if kind == "EC" and curve == "P-256":
        return ECKey.import_key(entry)
    if kind == "OKP" and curve == "Ed25519":
        return OKPKey.import_key(entry)
    if kind == "RSA":
        _refuse_short(entry.get("n"))
        return RSAKey.import_key(entry)
    raise ValueError("keys are P-256, Ed25519 or RSA")


def _refuse_short(modulus: object) -> None:
    octets = len(modulus) * 3 // 4 if isinstance(modulus, str) else 0
    if octets * 8 < MIN_RSA_BITS:
        raise ValueError(f"an RSA key has fewer than {MIN_RSA_BITS} bits")


def check_assertion(tx: Transaction, assertion: str, *, client_id: str, jwks: str, audiences: Collection[str]) -> None:
    """Nothing, if the assertion proves that the client itself asks, here, now, and for the first time.

    Raises:
        Unauthenticated: in every other case, with the same words for all of them.
    """
    try:
        token = jwt.decode(assertion, client_keys(jwks), algorithms=SIGNING_ALGORITHMS, registry=_REGISTRY)
    except (JoseError, ValueError, BadInput, RecursionError) as error:
        raise refused(f"assertion does not verify: {type(error).__name__}") from None
    now_s = tx.now() // 1000
    problem = _problem(token.header, token.claims, client_id=client_id, audiences=audiences, now_s=now_s)
    if problem:
        raise refused(problem)
    _use_once(tx, client_id, token.claims)


def refused(detail: str) -> Unauthenticated:
    """The one answer to every failed client authentication; `detail` is for the log."""
    return Unauthenticated("invalid_client", "Client authentication failed.", detail=detail)


def _problem(
    header: Mapping[str, Any], claims: Mapping[str, Any], *, client_id: str, audiences: Collection[str], now_s: int
) -> str:
    if header.get("typ") not in _TYPES or "crit" in header or "b64" in header:
        return "header of another kind of token"
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "iss and sub are not the client"
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not named or any(not isinstance(one, str) or one not in audiences for one in named):
        return "audience is not this gateway"
    return _problem_in_time(claims, now_s)


def _problem_in_time(claims: Mapping[str, Any], now_s: int) -> str:
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if claims.get(name) is not None}
    if "exp" not in times or any(type(value) not in {int, float} for value in times.values()):
        return "times are missing or no numbers"
    if not now_s - LEEWAY_S < times["exp"] <= now_s + MAX_LIFETIME_S + LEEWAY_S:
        return "expired, or valid for too long"
    if max(times.get("nbf", 0), times.get("iat", 0)) > now_s + LEEWAY_S:
        return "not valid yet"
    jti = claims.get("jti")
    return "" if isinstance(jti, str) and 0 < len(jti) <= MAX_JTI else "no jti"


def _use_once(tx: Transaction, client_id: str, claims: Mapping[str, Any]) -> None:
    digest = hashlib.sha256(f"{client_id}\0{claims['jti']}".encode("utf-8", "surrogatepass")).digest()
    first = tx.run(
        "INSERT INTO client_assertions (hash, expires_at) VALUES (:hash, :until) ON CONFLICT (hash) DO NOTHING",
        hash=digest,
        until=int((claims["exp"] + LEEWAY_S + 1) * 1000),
    )
    if not first:
        raise refused("assertion was used before")
