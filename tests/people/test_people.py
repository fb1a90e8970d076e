from __future__ import annotations

from pathlib import Path

import pytest

from connector import people
from connector.model.errors import Misconfigured
from connector.model.tags import Age
from connector.people import NewIdentity
from connector.storage import Store
from connector.storage.errors import UniqueViolation
from tests.clock import ManualClock
from tests.rooms_vault import TENANT, make_vault
from vault import KeyDestroyed, Vault

ADA = NewIdentity("int_1", "rehearsal", "https://provider.example", "ada")


@pytest.fixture
def vault(tmp_path: Path, store: Store, clock: ManualClock) -> Vault:
    return make_vault(tmp_path, store, clock)


def test_an_account_is_found_again_by_its_exact_bytes_alone(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        user = people.create_user(tx, vault, TENANT)
        identity = people.link_identity(tx, vault, user, ADA)
        assert people.find_identity(tx, vault, TENANT, ADA) == identity
        for other in (
            NewIdentity("int_2", "rehearsal", ADA.issuer, ADA.subject),
            NewIdentity("int_1", "rehearsal", ADA.issuer + "/", ADA.subject),
            NewIdentity("int_1", "rehearsal", ADA.issuer, "Ada"),
            NewIdentity("int_1", "rehearsal", ADA.issuer, "ada "),
            NewIdentity("int_1", "rehearsal", ADA.issuer + "a", "da"),
        ):
            assert people.find_identity(tx, vault, TENANT, other) is None


def test_the_subject_is_nowhere_in_the_row_and_opens_under_the_persons_key(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        user = people.create_user(tx, vault, TENANT)
        account = NewIdentity("int_1", "rehearsal", ADA.issuer, "canary-subject")
        identity = people.link_identity(tx, vault, user, account)
        row = dict(tx.one("SELECT * FROM identities") or {})
        assert not any(
            b"canary-subject" in bytes(value) for value in row.values() if isinstance(value, bytes | memoryview)
        )
        assert people.subject_of(tx, vault, identity) == "canary-subject"
        vault.destroy(tx, user.owner)
        with pytest.raises(KeyDestroyed):
            people.subject_of(tx, vault, identity)


def test_one_account_stands_for_one_person(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        people.link_identity(tx, vault, people.create_user(tx, vault, TENANT), ADA)
    with pytest.raises(UniqueViolation), store.transaction() as tx:
        people.link_identity(tx, vault, people.create_user(tx, vault, TENANT), ADA)


def test_an_unlinked_account_may_stand_for_somebody_else(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        first = people.create_user(tx, vault, TENANT)
        people.unlink(tx, vault, people.link_identity(tx, vault, first, ADA))
        assert people.find_identity(tx, vault, TENANT, ADA) is None
        assert people.identities_of(tx, vault, TENANT, first.sub) == []
        second = people.create_user(tx, vault, TENANT)
        people.link_identity(tx, vault, second, ADA)
        assert [each.sub for each in people.identities_of(tx, vault, TENANT, second.sub)] == [second.sub]


def test_an_identity_that_was_given_to_another_user_is_not_believed(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        people.link_identity(tx, vault, people.create_user(tx, vault, TENANT), ADA)
        mallory = people.create_user(tx, vault, TENANT)
        tx.run("UPDATE identities SET sub = :sub", sub=mallory.sub)
        with pytest.raises(Misconfigured):
            people.find_identity(tx, vault, TENANT, ADA)


def test_a_visit_never_goes_back(store: Store, vault: Vault, clock: ManualClock) -> None:
    with store.transaction() as tx:
        user = people.create_user(tx, vault, TENANT)
    clock.set_wall(clock.now() - 60_000)
    with store.transaction() as tx:
        assert people.visit(tx, vault, user).last_visit_at == user.last_visit_at
    clock.advance(hours=1)
    with store.transaction() as tx:
        assert people.visit(tx, vault, user).last_visit_at > user.last_visit_at


def test_another_tenants_user_is_not_found(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        user = people.create_user(tx, vault, TENANT, age=Age.CHILD_PARENT_OK)
        assert people.find_user(tx, vault, "ten_other", user.sub) is None
        found = people.find_user(tx, vault, TENANT, user.sub)
        assert found == user


def test_a_refused_account_is_remembered_as_a_hash(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        assert not people.is_refused(tx, vault, TENANT, ADA)
        people.remember_refused(tx, vault, TENANT, ADA)
        people.remember_refused(tx, vault, TENANT, ADA)
        assert people.is_refused(tx, vault, TENANT, ADA)
        row = dict(tx.one("SELECT * FROM refused_accounts") or {})
        assert {name for name, value in row.items() if value is not None} == {
            "tenant_id",
            "integration_id",
            "subject_index",
            "created_at",
        }
        assert len(bytes(row["subject_index"])) == 32
