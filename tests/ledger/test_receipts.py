from __future__ import annotations

import pytest

from connector.ledger import keep, newest, of_person, versions
from connector.ledger.receipts import by_id
from connector.model.errors import Conflict
from connector.model.ids import new_id


def kept(tx, version, status="trying", about="rvk_1", **more):
    fields = {"sealed": b"x", "key_epoch": 1} | more
    return keep(
        tx,
        id=new_id("rcp"),
        tenant_id="ten_a",
        sub="usr_a",
        kind="revocation",
        about=about,
        version=version,
        status=status,
        ledger_entry_id=version,
        **fields,
    )


def test_versions_follow_each_other_until_the_final_one(store):
    with store.transaction() as tx:
        first = kept(tx, 1)
        second = kept(tx, 2, "final")
        for version in (2, 3, 4):
            with pytest.raises(Conflict):
                kept(tx, version)
    with store.read() as tx:
        assert newest(tx, "rvk_1") == second
        assert versions(tx, "rvk_1") == [first, second]
        assert by_id(tx, "ten_a", first.id) == first
        assert by_id(tx, "ten_b", first.id) is None
        assert newest(tx, "rvk_2") is None


def test_a_first_version_is_the_first(store):
    with store.transaction() as tx, pytest.raises(Conflict):
        kept(tx, 2)


def test_a_persons_receipts_come_newest_first(store, clock):
    with store.transaction() as tx:
        old = kept(tx, 1, about="rvk_1")
    clock.advance(1)
    with store.transaction() as tx:
        new = kept(tx, 1, about="rvk_2", sealed=None, body="{}", key_epoch=None)
    with store.read() as tx:
        assert of_person(tx, "ten_a", "usr_a") == [new, old]
        assert of_person(tx, "ten_b", "usr_a") == []


@pytest.mark.parametrize("more", [{"body": "{}"}, {"sealed": None}])
def test_a_receipt_is_kept_sealed_or_open_and_not_both(store, more):
    with store.transaction() as tx, pytest.raises(ValueError, match="sealed or open"):
        kept(tx, 1, **more)
