"""What a provider, or whoever answers in its place, says of a person in a sign-up: C1 to C7, at the application.

Rehearsal's own signer is replaced by the attacker's; the checks of each single claim and header are tried elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc.jwk import KeySet as RehearsalKeys
from joserfc.jwk import RSAKey

from providers import catalogue
from providers.oidc import OpenIDConnect, adapter, id_token, metadata
from providers.oidc.keys import KeySet, PublicKey, read_key_set
from providers.rehearsal.server import oauth
from providers.secret import Secret
from tests.signing_up import NOTHING_MADE, Town
from tests.standins.rehearsal_key import shared_key

Claims = dict[str, Any]
Forge = Callable[[Claims], str]


@cache
def mallory_s_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "mallory"}, private=True)


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def compact(header: dict[str, Any], claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """A JWS of any header whatever; a library would refuse to write most of these."""
    text = ".".join(part(json.dumps(each).encode()) for each in (header, claims))
    return f"{text}.{part(sign(text.encode()))}"


def rs256(key: RSAKey) -> Callable[[bytes], bytes]:
    private: Any = key.private_key
    return lambda text: bytes(private.sign(text, padding.PKCS1v15(), hashes.SHA256()))


def by(key: RSAKey, **header: Any) -> Forge:
    """Signed by this key, under the name of Rehearsal's own, with these headers."""
    return lambda claims: compact({"alg": "RS256", "kid": "shared", **header}, claims, rs256(key))


def claims_in(token: str) -> Claims:
    return read(token.split(".")[1])


def header_of(token: Secret) -> Claims:
    return read(token.reveal().split(".")[0])


def read(encoded: str) -> Claims:
    return dict(json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))))


def told(street: Town, monkeypatch: pytest.MonkeyPatch, forge: Forge) -> Any:
    """The app's answer, where the provider's ID token was forged out of the honest one's claims."""
    with monkeypatch.context() as patch:
        honest = oauth._id_token
        patch.setattr(oauth, "_id_token", lambda grant, access: forge(claims_in(honest(grant, access))))
        started = street.start()
        return street.redeem(street.to_app(street.browser(), started.query), started)


def assert_refused(street: Town, monkeypatch: pytest.MonkeyPatch, *forges: Forge) -> None:
    """Each of these tokens is taken for what it is, and leaves nothing behind."""
    for number, forge in enumerate(forges):
        answer = told(street, monkeypatch, forge)
        assert (answer.status_code, answer.json["code"]) == (400, "provider_mismatch"), number
    assert street.how_many(*NOTHING_MADE) == NOTHING_MADE


# C1: algorithms ---------------------------------------------------------------------------------------


def unsigned(claims: Claims) -> str:
    said = {name: value for name, value in claims.items() if name != "at_hash"}  # whose hash, the algorithm would say
    return compact({"alg": "none"}, said, lambda _text: b"")


def by_the_public_key(claims: Claims) -> str:
    public = shared_key().as_pem(private=False)
    return compact({"alg": "HS256", "kid": "shared"}, claims, lambda text: hmac.digest(public, text, hashlib.sha256))


def test_c1_a_token_that_chooses_its_own_algorithm_signs_nobody_in(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_refused(street, monkeypatch, unsigned, by_the_public_key)


def test_c1_twin_a_library_that_obeys_the_header_takes_an_unsigned_token(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_the_header(text: Secret, _algorithms: Any) -> id_token.Token:
        return id_token.Token(text, header_of(text)["alg"], None, claims_in(text.reveal()))

    monkeypatch.setattr(adapter, "take_apart", by_the_header)
    monkeypatch.setattr(adapter, "check_signature", lambda token, _keys: token.alg == "none")
    assert told(street, monkeypatch, unsigned).status_code == 200


# C2: keys ---------------------------------------------------------------------------------------------

JWK = mallory_s_key().as_dict(private=False)
BROUGHT = [{"jwk": JWK}, {"jku": "https://evil.example/jwks"}, {"x5u": "http://169.254.169.254/"}]


def test_c2_a_key_that_the_token_brings_signs_nobody_in_and_is_not_fetched(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_refused(street, monkeypatch, *(by(mallory_s_key(), **header) for header in BROUGHT))
    assert all(one.url.startswith(f"{street.house.integration.issuer}/") for one in street.egress.requests)


def test_c2_twin_with_the_key_of_the_header_anybody_s_signature_is_good(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(token: Any, _keys: KeySet) -> bool:
        brought = header_of(token.text)["jwk"] | {"kid": token.kid}
        return id_token.check_signature(token, read_key_set({"keys": [brought]}))

    monkeypatch.setattr(adapter, "check_signature", trusting)
    assert told(street, monkeypatch, by(mallory_s_key(), jwk=JWK)).status_code == 200


# C3: key ids ------------------------------------------------------------------------------------------


UPLOADED = "../uploads/picture"


KEY_IDS = [UPLOADED, "' OR 1=1 --", "__proto__", "Shared", "shared ", "x" * 10_000, 7, ["shared"], "sha\x00red"]


def test_c3_a_key_id_that_is_not_exactly_a_key_s_finds_none(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(street, monkeypatch, *(by(shared_key(), kid=kid) for kid in KEY_IDS))


def test_c3_twin_with_keys_kept_as_files_a_key_id_is_a_way_to_another_folder(
    street: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "picture").write_text(json.dumps({"keys": [JWK]}))

    def from_files(_set: KeySet, kid: str | None, _alg: str) -> tuple[PublicKey, ...]:
        return read_key_set(json.loads((tmp_path / "keys" / str(kid)).read_text())).keys

    monkeypatch.setattr(KeySet, "candidates", from_files)
    assert told(street, monkeypatch, by(mallory_s_key(), kid=UPLOADED)).status_code == 200


# C4: headers that change the meaning ----------------------------------------------------------------------


OF_ANOTHER_KIND = [
    {"typ": "at+jwt"},
    {"typ": "logout+jwt"},
    {"crit": ["x"]},
    {"b64": False},
    {"zip": "DEF"},
    {"cty": "JWT"},
]


def test_c4_a_token_of_another_kind_signs_nobody_in_though_its_signature_is_good(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_refused(street, monkeypatch, *(by(shared_key(), **header) for header in OF_ANOTHER_KIND))


def test_c4_twin_without_looking_at_the_type_an_access_token_signs_in(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_token, "_TYPES", id_token._TYPES | {"at+jwt"})
    assert told(street, monkeypatch, by(shared_key(), typ="at+jwt")).status_code == 200


def test_c4_twin_without_the_refused_headers_what_changes_the_meaning_is_passed_over(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_token, "_REFUSED_HEADERS", ())
    assert told(street, monkeypatch, by(shared_key(), zip="DEF", cty="JWT")).status_code == 200


# C5: key sets and their rotation ------------------------------------------------------------------------


def flooded(street: Town, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the key set was fetched for four tokens, each with a key id of its own that nobody knows."""
    for number in range(4):
        told(street, monkeypatch, by(mallory_s_key(), kid=f"unknown-{number}"))
    return len(street.egress.asked("/jwks"))


def test_c5_a_flood_of_unknown_key_ids_is_one_more_fetch(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flooded(street, monkeypatch) == 2


def test_c5_twin_without_the_pause_each_unknown_key_id_is_a_fetch(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "REFETCH_MS", 0)
    assert flooded(street, monkeypatch) == 5


def with_a_key_that_was_withdrawn(street: Town, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The provider's key was stolen and replaced an hour ago; the thief signs with it."""
    moment = [0]
    known: Any = catalogue.adapter("rehearsal")
    monkeypatch.setattr(known._cache, "_now", lambda: moment[0])
    assert told(street, monkeypatch, by(shared_key())).status_code == 200
    fresh = RSAKey.import_key(mallory_s_key().as_dict(private=True) | {"kid": "fresh"})
    street.rehearsal.extensions["rehearsal"].keys = RehearsalKeys([fresh])
    moment[0] = 3600 * 1000
    return told(street, monkeypatch, by(shared_key()))


def test_c5_a_key_that_was_withdrawn_signs_nobody_in_after_an_hour(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_a_key_that_was_withdrawn(street, monkeypatch).json["code"] == "provider_mismatch"


def test_c5_twin_with_keys_that_are_kept_for_good_the_stolen_one_stays_good(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "TTL_MS", 10**15)
    assert with_a_key_that_was_withdrawn(street, monkeypatch).status_code == 200


# C6: claims; C7: none at all ------------------------------------------------------------------------------

WRONG = [{"aud": "another-app"}, {"iss": "https://evil.example"}, {"exp": 1}, {"nonce": "x"}, {"sub": "x" * 256}]


def changed(change: Claims) -> Forge:
    return lambda claims: by(shared_key())(claims | change)


def test_c6_a_token_that_says_something_else_signs_nobody_in(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(street, monkeypatch, *map(changed, WRONG))


def test_c6_twin_without_the_claims_a_token_that_another_app_was_given_signs_in(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "check_claims", lambda _token, _expected: None)
    assert told(street, monkeypatch, changed({"aud": "another-app", "nonce": "x"})).status_code == 200


def test_c7_an_answer_without_an_id_token_signs_nobody_in(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(street, monkeypatch, lambda _claims: "")


def test_c7_twin_where_the_profile_is_enough_nothing_ties_the_answer_to_the_request(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_profile(self: Any, registration: Any, callback: Any, ask: Any, *, now: int) -> Any:
        said = yield from self.metadata(registration)
        answer = yield from self._tokens(registration, said, adapter.code_fields(registration, callback, ask), now)
        whose = yield from self.whose(registration, answer.grant())
        return answer.grant(id_claims={"iss": whose.issuer, "sub": whose.subject})

    monkeypatch.setattr(OpenIDConnect, "redeem", by_profile)
    assert told(street, monkeypatch, lambda _claims: "").status_code == 200
