"""A value opens only where, and as what, it was sealed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model.tags import Category, Source, Tags
from connector.records.values import NewValue, Origin, SealedValue, open_value, sealed_row, stored_from
from vault import Address, FileKeySource, Owner, Vault, VaultError

TAGS = Tags(Category.CONTACT, Source.IMPORTED)
ORIGIN = Origin("2019-03-11", provider="rehearsal", connection="con_a", field="mail", consent="cns_a")
NEW = NewValue("/emails/m1", {"address": "ada@example.org"}, TAGS, ORIGIN)


@pytest.fixture
def key(store, clock, tmp_path):
    vault = Vault(FileKeySource.create(tmp_path / "kek.json"), now=clock.now)
    with store.transaction() as tx:
        vault.create_tenant(tx, "ten_a")
        return vault.create_key(tx, Owner("ten_a", "connection_data", "con_a"))


@pytest.fixture
def sealed(key) -> SealedValue:
    return stored_from([sealed_row(key, "usr_a", "crd_a", NEW, 3, 0)])[0]


def test_a_value_opens_in_its_place(key, sealed):
    assert open_value(key, sealed) == {"address": "ada@example.org"}


@pytest.mark.parametrize(
    "change",
    [
        {"sub": "usr_b"},
        {"card_id": "crd_b"},
        {"pointer": "/emails/m2"},
        {"generation": 2},
        {"tags": Tags(Category.PROFILE, Source.IMPORTED)},
        {"tags": Tags(Category.CONTACT, Source.GIVEN)},
        {"origin": replace(ORIGIN, provider="google")},
        {"origin": replace(ORIGIN, consent="cns_b")},
        {"owner": Owner("ten_a", "connection_data", "con_b")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_moved_or_relabelled_value_does_not_open(key, sealed, change):
    with pytest.raises((VaultError, ValueError)):
        open_value(key, replace(sealed, **change))


def test_twin_a_seal_that_binds_no_tags_and_no_person_opens_wherever_it_is_put(key, sealed):
    loose = Address("ten_a", "connection_data", "con_a", "rehearsal", "records")
    blob = key.seal(loose, b'{"address":"ada@example.org"}', generation=3)
    moved = replace(sealed, sub="usr_b", tags=Tags(Category.CONTACT, Source.GIVEN), sealed=blob)
    assert key.open(loose, moved.sealed, generation=moved.generation)


@pytest.mark.parametrize("column", ["tags", "origin"])
def test_a_row_that_cannot_be_read_is_left_out(key, column):
    good = sealed_row(key, "usr_a", "crd_a", NEW, 1, 0)
    assert len(stored_from([good, {**good, column: "nonsense"}])) == 1


def test_nothing_of_a_value_is_in_its_repr(sealed):
    assert "ada@" not in repr(NEW)
    assert "sealed=" not in repr(sealed)
