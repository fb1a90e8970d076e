from __future__ import annotations

import base64

import pytest

from connector.ledger import (
    Entry,
    Kind,
    LedgerBroken,
    Signer,
    append_all,
    checkpoint,
    latest_checkpoint,
    sequence,
    tree,
)
from connector.ledger.checkpoints import latest_note
from connector.ledger.note import parse_checkpoint, sign_checkpoint, signed_by, verifier_key
from connector.ledger.signer import new_private_key, public_key_of

ORIGIN = "gateway.example/ledger"
SIGNER = Signer("k1", bytes(range(32)))
KEYS = {"k1": SIGNER.public_key}


def grow(store, count):
    with store.transaction() as tx:
        append_all(tx, [Entry(Kind.USER_CREATED, "ten_a") for _ in range(count)])
        sequence(tx)


def test_a_checkpoint_states_origin_size_and_root_and_is_signed(store):
    grow(store, 5)
    with store.transaction() as tx:
        note = checkpoint(tx, SIGNER, ORIGIN)
        top = tree.root(tx, 5)
    origin, size, root, gap, mark, end = note.split("\n")
    assert (origin, size, root, gap, end) == (ORIGIN, "5", base64.b64encode(top).decode(), "", "")
    assert mark.startswith(f"\N{EM DASH} {ORIGIN} ")
    assert signed_by(parse_checkpoint(note), KEYS) == "k1"


def test_a_tree_that_has_not_grown_keeps_its_checkpoint(store, clock):
    grow(store, 2)
    with store.transaction() as tx:
        first = checkpoint(tx, SIGNER, ORIGIN)
    clock.advance(60)
    with store.transaction() as tx:
        assert checkpoint(tx, Signer("k2", b"\x07" * 32), ORIGIN) == first
    grow(store, 1)
    with store.transaction() as tx:
        assert checkpoint(tx, SIGNER, ORIGIN) != first
        assert latest_checkpoint(tx).size == 3
        assert parse_checkpoint(latest_note(tx)).size == 3


def test_nothing_is_signed_that_contradicts_the_last_checkpoint(store):
    grow(store, 4)
    with store.transaction() as tx:
        checkpoint(tx, SIGNER, ORIGIN)
        tx.run("UPDATE ledger_nodes SET hash = :x WHERE level = 2", x=b"\x00" * 32)
    grow(store, 1)
    with store.transaction() as tx, pytest.raises(LedgerBroken) as broken:
        checkpoint(tx, SIGNER, ORIGIN)
    assert broken.value.detail == "the first 4 entries are not those that were signed"


def test_nothing_is_signed_over_a_tree_that_was_cut(store):
    grow(store, 4)
    with store.transaction() as tx:
        checkpoint(tx, SIGNER, ORIGIN)
        tx.run("DELETE FROM ledger_entries WHERE tree_index = 3")
    with store.transaction() as tx, pytest.raises(LedgerBroken) as broken:
        checkpoint(tx, SIGNER, ORIGIN)
    assert broken.value.detail == "the last checkpoint signed 4 entries, there are 3"


@pytest.mark.parametrize(
    ("note", "detail"), [("x", "signed note"), (sign_checkpoint(ORIGIN, 9, bytes(32), SIGNER), "states 9")]
)
def test_a_checkpoint_that_cannot_be_read_stops_the_next(store, note, detail):
    grow(store, 1)
    with store.transaction() as tx:
        checkpoint(tx, SIGNER, ORIGIN)
        tx.run("UPDATE ledger_checkpoints SET note = :note", note=note)
    with store.transaction() as tx, pytest.raises(LedgerBroken) as broken:
        checkpoint(tx, SIGNER, ORIGIN)
    assert detail in broken.value.detail


def test_the_verifier_key_has_the_form_that_note_tools_take():
    # The example key of c2sp.org/signed-note is PeterNeumann; its hash is in the text of the specification.
    name, public = "PeterNeumann", base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    assert verifier_key(name, public) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_a_note_is_refused_when_text_size_root_or_signature_change():
    note = sign_checkpoint(ORIGIN, 5, bytes(32), SIGNER)
    for old, new in (("\n5\n", "\n6\n"), ("gateway", "gatewax"), ("AAAA", "AAAB")):
        changed = parse_checkpoint(note.replace(old, new, 1))
        assert signed_by(changed, KEYS) is None
    assert signed_by(parse_checkpoint(note), {"other": Signer("other", b"\x01" * 32).public_key}) is None


@pytest.mark.parametrize(
    "note",
    [
        "",
        "a\n1\n\n",
        f"{ORIGIN}\n05\n{base64.b64encode(bytes(32)).decode()}\n\n\N{EM DASH} a AAAA\n",
        f"{ORIGIN}\n5\nAAAA\n\n\N{EM DASH} a AAAA\n",
        f"{ORIGIN}\n5\n{base64.b64encode(bytes(32)).decode()}\n\nno dash\n",
        f"{ORIGIN}\nfive\n{base64.b64encode(bytes(32)).decode()}\n\n\N{EM DASH} a AAAA\n",
        f"{ORIGIN}\n5\n\N{SNOWMAN}\n\n\N{EM DASH} a AAAA\n",
    ],
)
def test_a_malformed_note_is_refused(note):
    with pytest.raises(ValueError, match=r".+"):
        parse_checkpoint(note)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb"])
def test_an_origin_is_a_key_name(origin):
    with pytest.raises(ValueError, match="origin"):
        sign_checkpoint(origin, 0, bytes(32), SIGNER)


def test_a_signer_shows_its_public_half_alone():
    private = new_private_key()
    signer = Signer.of(private)
    assert public_key_of(signer.public_jwk()) == (signer.kid, signer.public_key)
    assert private.hex() not in repr(signer)
    assert repr(signer) == f"Signer({signer.kid!r})"
    for bad in ({"kty": "RSA"}, signer.public_jwk() | {"d": "x"}, signer.public_jwk() | {"x": "AAAA"}):
        with pytest.raises(ValueError, match=r".+"):
            public_key_of(bad)
