from __future__ import annotations

import threading

import pytest

from connector.ledger import (
    Entry,
    Kind,
    LedgerBroken,
    append,
    append_all,
    merkle,
    prove_consistency,
    prove_inclusion,
    sequence,
    size,
    tree,
    verify,
)
from connector.model.errors import NotFound

TENANT = "ten_a"


def fill(store, count, start=0):
    with store.transaction() as tx:
        return append_all(
            tx, [Entry(Kind.TOKEN_HANDOUT, TENANT, None, {"generation": start + n}) for n in range(count)]
        )


def sequenced(store, limit=1000):
    with store.transaction() as tx:
        return sequence(tx, limit)


def leaves(tx):
    rows = tx.all("SELECT leaf_hash FROM ledger_entries WHERE tree_index IS NOT NULL ORDER BY tree_index")
    return [bytes(row["leaf_hash"]) for row in rows]


def test_the_stored_tree_is_the_tree_of_the_leaves_whatever_the_batches(store):
    for count, limit in ((1, 1), (2, 5), (13, 4), (0, 9), (17, 100)):
        fill(store, count)
        while sequenced(store, limit):
            pass
    with store.read() as tx:
        hashes = leaves(tx)
        assert size(tx) == len(hashes) == 33
        for n in range(34):
            assert tree.root(tx, n) == merkle.root(hashes[:n])


def test_every_proof_from_stored_subtrees_is_the_pure_one_and_verifies(store):
    ids = fill(store, 21)
    sequenced(store)
    with store.read() as tx:
        hashes = leaves(tx)
        for total in (1, 2, 8, 20, 21):
            for index in range(total):
                proof = prove_inclusion(tx, ids[index], total)
                assert list(proof.hashes) == merkle.inclusion_proof(hashes[:total], index)
                assert merkle.verify_inclusion(proof.leaf, proof.index, proof.size, proof.hashes, tree.root(tx, total))
        for old in range(22):
            assert list(prove_consistency(tx, old, 21)) == merkle.consistency_proof(hashes, old)


def test_an_entry_without_a_place_has_no_proof(store):
    [entry_id] = fill(store, 1)
    with store.read() as tx:
        with pytest.raises(NotFound):
            prove_inclusion(tx, entry_id)
        with pytest.raises(NotFound):
            prove_inclusion(tx, 999)
        with pytest.raises(NotFound):
            prove_consistency(tx, 0, 1)


def test_a_proof_that_needs_a_missing_subtree_says_that_the_ledger_is_broken(store):
    ids = fill(store, 4)
    sequenced(store)
    with store.transaction() as tx:
        tx.run("DELETE FROM ledger_nodes WHERE level = 1 AND position = 1")
    with store.read() as tx, pytest.raises(LedgerBroken) as broken:
        prove_inclusion(tx, ids[0])
    assert broken.value.detail == "the subtree at level 1, position 1 is missing"


def test_a_crash_in_the_middle_of_a_batch_leaves_the_tree_as_it_was(store):
    fill(store, 10)
    sequenced(store, 5)

    class PowerCut(Exception):
        pass

    def crash():
        with store.transaction() as tx:
            sequence(tx, 3)
            raise PowerCut

    with pytest.raises(PowerCut):
        crash()
    with store.read() as tx:
        assert size(tx) == 5
        assert verify(tx).ok
    assert sequenced(store) == 5
    with store.read() as tx:
        report = verify(tx)
        assert (report.ok, report.size, report.waiting) == (True, 10, 0)


def test_a_crash_between_places_and_subtrees_cannot_be_committed_in_halves(store):
    fill(store, 4)
    twin = _CrashesAt(store, "INSERT INTO ledger_nodes")
    with pytest.raises(RuntimeError, match="crash"):
        twin.run()
    with store.read() as tx:
        assert size(tx) == 0
    assert sequenced(store) == 4


class _CrashesAt:
    def __init__(self, store, statement):
        self.store, self.statement = store, statement

    def run(self):
        with self.store.transaction() as tx:
            many = tx.many

            def crash(sql, rows):
                if sql.startswith(self.statement):
                    raise RuntimeError("crash")
                many(sql, rows)

            tx.many = crash
            sequence(tx)


def run_together(*actions):
    failures = []

    def guarded(action):
        try:
            action()
        except Exception as error:  # noqa: BLE001  shown by the test
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_two_sequencers_and_two_writers_at_once_make_one_whole_tree(store, open_another):
    stores = [store, open_another()]

    def write(own):
        for n in range(20):
            fill(own, 3, n)

    def place(own):
        for _ in range(40):
            sequenced(own, 7)

    assert run_together(*[lambda s=s: write(s) for s in stores], *[lambda s=s: place(s) for s in stores]) == []
    while sequenced(store):
        pass
    with store.read() as tx:
        report = verify(tx)
        assert (report.problem, report.size, report.waiting) == (None, 120, 0)


# SQLite has one writer at a time: there is no lock to switch off.
@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_without_the_lock_two_sequencers_collide(store, open_another, monkeypatch):
    monkeypatch.setattr(tree, "lock", lambda _tx: None)
    fill(store, 50)
    meet = threading.Barrier(2)

    def place(own):
        with own.transaction() as tx:
            asked = tx.one
            first = iter([True])

            def size_then_meet(sql, **params):
                row = asked(sql, **params)
                if next(first, False):
                    meet.wait(30)
                return row

            tx.one = size_then_meet
            sequence(tx, 50)

    another = open_another()
    assert run_together(lambda: place(store), lambda: place(another)) != []


def test_appending_reads_only_the_edge_of_the_tree(store):
    fill(store, 200)
    sequenced(store)
    fill(store, 1)
    with store.transaction() as tx:
        read = []
        every = tx.all

        def counted(sql, **params):
            rows = every(sql, **params)
            read.append(len(rows))
            return rows

        tx.all = counted
        sequence(tx)
    assert sum(read) <= 1 + 1 + (200).bit_count()


def test_an_entry_appended_and_placed_in_one_transaction_can_be_proven_there(store):
    with store.transaction() as tx:
        entry_id = append(tx, Entry(Kind.USER_CREATED, TENANT))
        sequence(tx)
        assert prove_inclusion(tx, entry_id).size == 1
