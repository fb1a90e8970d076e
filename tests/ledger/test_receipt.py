from __future__ import annotations

import base64
import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from connector.ledger import Entry, Kind, Signer, append, build, checkpoint, draft, public_keys_from_jwks, sequence
from connector.ledger.receipt import reopen
from connector.ledger.receipt_check import commitment, verify_file
from connector.ledger.signer import base64url
from connector.model.errors import NotFound
from connector.model.ids import new_id

RECEIPTS = Signer.of(b"\x01" * 32)
LEDGER = Signer.of(b"\x02" * 32)
KEYS = {RECEIPTS.kid: RECEIPTS.public_key, LEDGER.kid: LEDGER.public_key}
ORIGIN = "gateway.example/ledger"


def body(**more):
    return {"id": new_id("rcp"), "version": 1, "status": "trying", "kind": "revocation", "words": "revoked on …"} | more


def enter(tx, made):
    facts = {
        "receipt": made.body["id"],
        "receipt_version": made.body["version"],
        "status": made.body["status"],
        "commitment": made.commitment,
    }
    return append(tx, Entry(Kind.RECEIPT, "ten_a", "p1", facts))


def issue(store, made=None, neighbours=4):
    made = made or draft(body())
    with store.transaction() as tx:
        for _ in range(neighbours):
            append(tx, Entry(Kind.USER_CREATED, "ten_a"))
        entry_id = enter(tx, made)
        sequence(tx)
        checkpoint(tx, LEDGER, ORIGIN)
        return build(tx, made, entry_id, RECEIPTS, [LEDGER.public_jwk()])


@pytest.fixture
def file(sqlite_store):
    return issue(sqlite_store)


def test_a_receipt_is_checked_against_given_keys(store):
    verdict = verify_file(issue(store), KEYS)
    assert verdict.valid
    assert verdict.trusted
    assert verdict.body["status"] == "trying"
    assert verdict.entry["kind"] == "receipt"
    assert verdict.origin == ORIGIN
    assert verdict.kids == (RECEIPTS.kid, LEDGER.kid)
    assert [check.name for check in verdict.checks] == [
        "form", "keys", "receipt", "commitment", "checkpoint", "inclusion",
    ]  # fmt: skip


def test_without_given_keys_the_verdict_says_that_only_wholeness_was_shown(file):
    verdict = verify_file(file)
    assert verdict.valid
    assert not verdict.trusted
    assert "only against the keys inside the file" in verdict.checks[1].words


def test_a_receipt_goes_from_trying_to_final(store):
    first = draft(body())
    final = draft(body(version=2, status="final", supersedes=first.body["id"]))
    files = [issue(store, first), issue(store, final)]
    verdicts = [verify_file(data, KEYS) for data in files]
    assert [v.valid for v in verdicts] == [True, True]
    assert [v.body["status"] for v in verdicts] == ["trying", "final"]


def test_a_forger_with_keys_of_its_own_passes_without_given_keys_and_fails_with_them(sqlite_store):
    forged = draft(body(words="never revoked"))
    own = Signer.of(b"\x09" * 32)
    with sqlite_store.transaction() as tx:
        entry_id = enter(tx, forged)
        sequence(tx)
        checkpoint(tx, own, ORIGIN)
        data = build(tx, forged, entry_id, own, [])
    assert verify_file(data).valid
    assert verify_file(data, KEYS).failure.name == "receipt"


def test_a_key_of_another_value_under_a_trusted_name_is_refused(sqlite_store):
    made = draft(body())
    own = Signer(RECEIPTS.kid, b"\x09" * 32)
    with sqlite_store.transaction() as tx:
        entry_id = enter(tx, made)
        sequence(tx)
        checkpoint(tx, LEDGER, ORIGIN)
        data = build(tx, made, entry_id, own, [LEDGER.public_jwk()])
    assert verify_file(data, KEYS).failure.name == "keys"


def changed(file, path, value):
    parsed = json.loads(file)
    place = parsed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value(place[path[-1]]) if callable(value) else value
    return json.dumps(parsed).encode()


def resigned(file, change):
    """The receipt with another payload, signed with a key that is not trusted, or with header games."""
    parsed = json.loads(file)
    header, payload, signature = parsed["receipt"].split(".")
    header, payload, signature = change(header, payload, signature)
    parsed["receipt"] = f"{header}.{payload}.{signature}"
    return json.dumps(parsed).encode()


def flip(text):
    return ("A" if text[0] != "A" else "B") + text[1:]


NONE_HEADER = base64url(json.dumps({"alg": "none", "kid": RECEIPTS.kid, "typ": "receipt+jws"}).encode())
JWT_HEADER = base64url(json.dumps({"alg": "EdDSA", "kid": RECEIPTS.kid, "typ": "JWT"}).encode())


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (("format",), "account-connector-receipt/2", "form"),
        (("receipt",), "a.b", "receipt"),
        (("receipt",), "a.b.c", "receipt"),
        (("receipt",), flip, "receipt"),
        (("entry", "at"), lambda at: at + 1, "inclusion"),
        (("entry", "tenant"), "ten_b", "inclusion"),
        (("entry", "pseudonym"), "p2", "inclusion"),
        (("entry", "kind"), "revoked", "inclusion"),
        (("entry", "facts", "commitment"), "0" * 64, "commitment"),
        (("entry", "facts", "status"), "final", "commitment"),
        (("entry", "facts", "receipt_version"), 2, "commitment"),
        (("entry", "facts"), [], "commitment"),
        (("entry",), [], "form"),
        (("proof", "index"), lambda i: i - 1, "inclusion"),
        (("proof", "index"), True, "inclusion"),
        (("proof", "index"), -1, "inclusion"),
        (("proof", "size"), lambda n: n + 1, "inclusion"),
        (("proof", "hashes", 0), flip, "inclusion"),
        (("proof", "hashes", 0), 7, "inclusion"),
        (("proof", "hashes"), lambda h: h[:-1], "inclusion"),
        (("proof", "hashes"), lambda h: h * 70, "inclusion"),
        (("checkpoint",), lambda note: note.replace("\n5\n", "\n6\n"), "checkpoint"),
        (("checkpoint",), lambda note: note.replace("gateway", "gatewax"), "checkpoint"),
        (("checkpoint",), "", "checkpoint"),
        (("keys",), [{"kty": "RSA"}], "keys"),
        (("keys",), [7], "keys"),
    ],
)
def test_a_tampered_file_fails_and_names_the_place(file, path, value, name):
    verdict = verify_file(changed(file, path, value), KEYS)
    assert not verdict.valid
    assert verdict.failure.name == name
    assert verdict.body is None


@pytest.mark.parametrize(
    "change",
    [
        lambda h, p, s: (NONE_HEADER, p, s),
        lambda h, p, s: (NONE_HEADER, p, ""),
        lambda h, p, s: (JWT_HEADER, p, base64url(RECEIPTS.sign(f"{JWT_HEADER}.{p}".encode()))),
        lambda h, p, s: (h, flip(p), s),
        lambda h, p, s: (h, p, flip(s)),
        lambda h, p, s: (h, p, s + "="),
        lambda h, p, s: (h, p, base64url(Signer.of(b"\x09" * 32).sign(f"{h}.{p}".encode()))),
    ],
)
def test_a_receipt_signed_otherwise_is_refused(file, change):
    assert verify_file(resigned(file, change), KEYS).failure.name == "receipt"


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1, "format": 2}', b" " * 1_000_001])
def test_what_is_no_receipt_fails_by_its_form(data):
    assert verify_file(data, KEYS).failure.name == "form"


def test_a_file_with_a_part_too_many_or_too_few_fails_by_its_form(file):
    parsed = json.loads(file)
    for broken in ({**parsed, "note": "x"}, {k: v for k, v in parsed.items() if k != "proof"}):
        assert verify_file(json.dumps(broken).encode(), KEYS).failure.name == "form"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_change_of_one_character_inside_a_value_passes_and_none_raises(file, data):
    at = data.draw(st.integers(0, len(file) - 1))
    byte = data.draw(st.integers(0, 255))
    verdict = verify_file(file[:at] + bytes([byte]) + file[at + 1 :], KEYS)
    if verdict.valid:
        before, after = json.loads(file), json.loads(file[:at] + bytes([byte]) + file[at + 1 :])
        before.pop("keys")  # they were not what it was checked against
        after.pop("keys")
        assert before == after


def test_the_receipt_is_a_jws_that_another_library_verifies(file):
    parsed = json.loads(file)
    key = OKPKey.import_key(RECEIPTS.public_jwk())
    with pytest.warns(Warning, match="EdDSA"):
        found = jws.deserialize_compact(parsed["receipt"], key, algorithms=["EdDSA"])
    payload = json.loads(found.payload)
    assert payload["body"]["status"] == "trying"


def test_the_salt_keeps_a_guessed_body_from_being_confirmed_from_the_entry(file):
    parsed = json.loads(file)
    payload = parsed["receipt"].split(".")[1]
    true_body = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["body"]
    assert commitment(b"", true_body) != parsed["entry"]["facts"]["commitment"]
    assert draft(true_body).commitment != draft(true_body).commitment


def test_a_receipt_is_not_built_before_its_entry_is_signed(store):
    made = draft(body())
    with store.transaction() as tx:
        entry_id = enter(tx, made)
        with pytest.raises(NotFound) as waiting:
            build(tx, made, entry_id, RECEIPTS, [])
        assert waiting.value.code == "not_sequenced"
        sequence(tx)
        with pytest.raises(NotFound):
            build(tx, made, entry_id, RECEIPTS, [])
        checkpoint(tx, LEDGER, ORIGIN)
        assert verify_file(build(tx, made, entry_id, RECEIPTS, []), KEYS).valid


def test_a_receipt_is_not_built_on_an_entry_of_another(store):
    made, other = draft(body()), draft(body())
    with store.transaction() as tx:
        entry_id = enter(tx, other)
        sequence(tx)
        checkpoint(tx, LEDGER, ORIGIN)
        with pytest.raises(ValueError, match="does not commit"):
            build(tx, made, entry_id, RECEIPTS, [])


def test_a_draft_kept_sealed_comes_back_whole():
    made = draft(body(words="ü", list=[1, {"a": None}]))
    assert reopen(made.sealed_form()) == made
    assert reopen(made.sealed_form()).commitment == made.commitment


@pytest.mark.parametrize("wrong", [{"id": "x"}, {"id": "x", "version": 1, "status": "final", "when": object()}])
def test_a_draft_says_its_id_version_and_status_in_json(wrong):
    with pytest.raises(ValueError, match=r"receipt"):
        draft(wrong)


def test_public_keys_are_read_from_a_key_set():
    jwks = {"keys": [RECEIPTS.public_jwk(), {"kty": "RSA", "n": "x"}, LEDGER.public_jwk()]}
    assert public_keys_from_jwks(copy.deepcopy(jwks)) == KEYS
    with pytest.raises(ValueError, match="JWK set"):
        public_keys_from_jwks({})
