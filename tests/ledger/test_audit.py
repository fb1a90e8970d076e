from __future__ import annotations

import pytest

from connector.ledger import Entry, Kind, Signer, append_all, checkpoint, sequence, verify
from connector.ledger.merkle import grow, hash_leaf
from connector.ledger.signer import new_private_key

TENANT = "ten_a"
SIGNER = Signer.of(new_private_key())
KEYS = {SIGNER.kid: SIGNER.public_key}
ORIGIN = "gateway.example/ledger"


@pytest.fixture
def ledger(store, clock):
    """Seven placed entries under a checkpoint, and one that waits."""
    for count in (4, 3, 1):
        with store.transaction() as tx:
            append_all(tx, [Entry(Kind.TOKEN_HANDOUT, TENANT, "p1", {"generation": n}) for n in range(count)])
            if count > 1:
                sequence(tx)
                checkpoint(tx, SIGNER, ORIGIN)
        clock.advance(1)
    return store


def report_on(store, keys=KEYS):
    with store.read() as tx:
        return verify(tx, keys)


def test_an_untouched_ledger_verifies(ledger):
    seen = []
    with ledger.read() as tx:
        report = verify(tx, KEYS, lambda done, total: seen.append((done, total)))
    assert report.ok
    assert (report.size, report.waiting, report.checkpoints, report.signed_to) == (7, 1, 2, 7)
    assert seen == [(7, 7)]


def test_an_empty_ledger_verifies(store):
    with store.transaction() as tx:
        assert checkpoint(tx, SIGNER, ORIGIN).splitlines()[1] == "0"
    assert report_on(store).ok


def test_a_ledger_of_many_pages_verifies(store, monkeypatch):
    monkeypatch.setattr("connector.ledger.audit.PAGE", 4)
    with store.transaction() as tx:
        append_all(tx, [Entry(Kind.USER_CREATED, TENANT) for _ in range(19)])
        sequence(tx)
        checkpoint(tx, SIGNER, ORIGIN)
        append_all(tx, [Entry(Kind.USER_CREATED, TENANT) for _ in range(9)])
    report = report_on(store)
    assert (report.problem, report.size, report.waiting) == (None, 19, 9)
    with store.transaction() as tx:
        tx.run("UPDATE ledger_nodes SET hash = :h WHERE level = 3 AND position = 1", h=b"x" * 32)
    assert report_on(store).problem.place == "node level=3 position=1"


TAMPERED = [
    ("UPDATE ledger_entries SET tenant_id = 'ten_b' WHERE tree_index = 2", "entry tree_index=2", "tenant_id"),
    ("UPDATE ledger_entries SET pseudonym = 'p2' WHERE tree_index = 2", "entry tree_index=2", "pseudonym"),
    ("UPDATE ledger_entries SET pseudonym = NULL WHERE tree_index = 2", "entry tree_index=2", "pseudonym"),
    ("UPDATE ledger_entries SET kind = 'refresh' WHERE tree_index = 2", "entry tree_index=2", "kind"),
    ("UPDATE ledger_entries SET at = at + 1 WHERE tree_index = 2", "entry tree_index=2", "at"),
    ("UPDATE ledger_entries SET entry = entry || ' ' WHERE tree_index = 2", "entry tree_index=2", "leaf_hash"),
    ("UPDATE ledger_entries SET leaf_hash = :x WHERE tree_index = 2", "entry tree_index=2", "leaf_hash"),
    ("UPDATE ledger_entries SET tree_index = NULL WHERE tree_index = 2", "entry tree_index=2", "missing"),
    ("UPDATE ledger_entries SET tree_index = 70 WHERE tree_index = 2", "entry tree_index=2", "missing"),
    ("UPDATE ledger_entries SET tree_index = -1 WHERE tree_index IS NULL", "entry tree_index=-1", "outside"),
    ("UPDATE ledger_entries SET tree_index = NULL WHERE tree_index = 6", "checkpoint size=7", "only 6 entries"),
    ("DELETE FROM ledger_entries WHERE tree_index = 6", "checkpoint size=7", "only 6 entries"),
    ("DELETE FROM ledger_entries WHERE tree_index = 0", "entry tree_index=0", "missing"),
    ("UPDATE ledger_entries SET at = at + 1 WHERE tree_index IS NULL", "waiting entry id=", "at"),
    ("UPDATE ledger_entries SET leaf_hash = :x WHERE tree_index IS NULL", "waiting entry id=", "leaf_hash"),
    ("UPDATE ledger_nodes SET hash = :x WHERE level = 1 AND position = 1", "node level=1 position=1", "children"),
    ("UPDATE ledger_nodes SET level = 5 WHERE level = 2", "node level=2 position=0", "missing"),
    ("UPDATE ledger_nodes SET position = 9 WHERE level = 1 AND position = 2", "node level=1 position=2", "missing"),
    ("DELETE FROM ledger_nodes WHERE level = 1 AND position = 0", "node level=1 position=0", "missing"),
    ("INSERT INTO ledger_nodes VALUES (1, 3, :x)", "node level=1 position=3", "outside"),
    ("INSERT INTO ledger_nodes VALUES (0, 0, :x)", "node level=0 position=0", "outside"),
    ("INSERT INTO ledger_nodes VALUES (1, -1, :x)", "node level=1 position=-1", "outside"),
    ("UPDATE ledger_checkpoints SET root = :x WHERE size = 4", "checkpoint size=4", "something else"),
    ("UPDATE ledger_checkpoints SET size = 3 WHERE size = 4", "checkpoint size=3", "something else"),
    ("UPDATE ledger_checkpoints SET note = 'x' WHERE size = 7", "checkpoint size=7", "note"),
]


@pytest.mark.parametrize(("sql", "place", "what"), TAMPERED)
def test_a_change_to_any_column_is_found_and_its_place_named(ledger, sql, place, what):
    with ledger.transaction() as tx:
        assert tx.run(sql, **({"x": b"\x00" * 32} if ":x" in sql else {})) == 1
    problem = report_on(ledger).problem
    assert problem is not None
    assert problem.place.startswith(place)
    assert what in problem.what


def test_two_entries_that_changed_places_are_found(ledger):
    with ledger.transaction() as tx:
        for old, new in ((1, 100), (2, 1), (100, 2)):
            tx.run("UPDATE ledger_entries SET tree_index = :new WHERE tree_index = :old", old=old, new=new)
    assert str(report_on(ledger).problem) == "node level=1 position=0: its hash is not that of its children"


def forge(tx):
    """Rewrite entry 2 with everything that hangs on it except the signatures."""
    row = tx.one("SELECT entry FROM ledger_entries WHERE tree_index = 2")
    text = row["entry"].replace('"generation":2', '"generation":8')
    leaf = hash_leaf(text.encode())
    tx.run("UPDATE ledger_entries SET entry = :text, leaf_hash = :leaf WHERE tree_index = 2", text=text, leaf=leaf)
    rows = tx.all("SELECT leaf_hash FROM ledger_entries WHERE tree_index IS NOT NULL ORDER BY tree_index")
    for (level, position), value in grow([], 0, [bytes(r["leaf_hash"]) for r in rows]):
        tx.run("UPDATE ledger_nodes SET hash = :h WHERE level = :l AND position = :p", h=value, l=level, p=position)


def test_a_whole_rewrite_is_betrayed_by_the_signed_checkpoint(ledger):
    with ledger.transaction() as tx:
        forge(tx)
    assert str(report_on(ledger).problem) == "checkpoint size=4: the entries are not those that were signed"


def test_without_checkpoints_a_whole_rewrite_passes(ledger):
    with ledger.transaction() as tx:
        forge(tx)
        tx.run("DELETE FROM ledger_checkpoints")
    report = report_on(ledger)
    assert report.ok
    assert report.signed_to == 0  # and the report says so


def test_checkpoints_signed_anew_by_another_key_are_found_with_the_true_key_and_only_with_it(ledger):
    thief = Signer.of(new_private_key())
    with ledger.transaction() as tx:
        forge(tx)
        tx.run("DELETE FROM ledger_checkpoints")
        checkpoint(tx, thief, ORIGIN)
    assert str(report_on(ledger).problem) == "checkpoint size=7: no given key signed it"
    assert report_on(ledger, None).ok
    assert report_on(ledger, None).signed_to == 0
