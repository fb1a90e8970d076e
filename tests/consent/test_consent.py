from __future__ import annotations

from pathlib import Path

import pytest

from connector import consent, people
from connector.consent import Direction, Given, Notice, Party, Process
from connector.model.tags import Choice
from connector.people import User
from connector.storage import Store, Transaction
from tests.clock import ManualClock
from tests.rooms_vault import TENANT, make_vault
from vault import KeyDestroyed, Vault

CONNECTION = "con_" + "a" * 26


@pytest.fixture
def vault(tmp_path: Path, store: Store, clock: ManualClock) -> Vault:
    return make_vault(tmp_path, store, clock)


@pytest.fixture
def user(store: Store, vault: Vault) -> User:
    with store.transaction() as tx:
        return people.create_user(tx, vault, TENANT)


def given(tx: Transaction, user: User, group: str = "emails", *, opened: tuple[str, ...] = ("push",)) -> Given:
    consent_id, supersedes = consent.new_consent_id(tx, CONNECTION, Direction.PUSH, group)
    fingerprint = consent.fingerprint(direction="push", field_group=group, provider="rehearsal", opened=opened)
    record = consent.new_record(
        record_id=consent_id,
        pseudonym=user.pseudonym or "",
        notice=Notice("2019-03-11", "a" * 64, "b" * 64, "en", ("provider_policy_link",)),
        process=[
            Process(
                ("push", "provider", "sync"), "rehearsal", ("contact",), ("/emails",), "given", "3a", "P365D", ("R",)
            )
        ],
        parties=[Party("controller", "We", "1 Street", "we@example.org")],
        jurisdiction="SE",
        withdraw_url="https://gateway.example/portal",
        scopes={"requested": ["openid"], "granted": ["openid"]},
        fingerprint=fingerprint,
        supersedes=supersedes,
    )
    return Given(
        consent_id, TENANT, user.sub, CONNECTION, "int_1", Direction.PUSH, group, "2019-03-11", fingerprint, record
    )


def choice(tx: Transaction, vault: Vault, group: str = "emails") -> Choice:
    return consent.standing(tx, vault, CONNECTION, Direction.PUSH, group)


def test_what_was_never_asked_is_no_choice(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        assert choice(tx, vault) is Choice.NONE
        consent.give(tx, vault, given(tx, user))
        assert choice(tx, vault) is Choice.GIVEN
        assert choice(tx, vault, "phones") is Choice.NONE


def test_a_withdrawal_counts_at_once_and_twice_is_once(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        kept = consent.give(tx, vault, given(tx, user))
        consent.withdraw(tx, vault, kept, by="subject", method="portal")
        consent.withdraw(tx, vault, kept, by="subject", method="portal")
        assert choice(tx, vault) is Choice.WITHDRAWN
        events = [event["state"] for event in consent.record_of(tx, vault, kept)["events"]]
    assert events == ["ConsentGiven", "ConsentWithdrawn"]


def test_giving_again_renews_under_the_same_id_and_names_what_it_supersedes(
    store: Store, vault: Vault, user: User
) -> None:
    with store.transaction() as tx:
        first = consent.give(tx, vault, given(tx, user))
        consent.withdraw(tx, vault, first, by="subject", method="portal")
        second = consent.give(tx, vault, given(tx, user))
        record = consent.record_of(tx, vault, second)
    assert second.id == first.id
    assert second.generation == 2
    assert record["supersedes"] == f"{first.id}/1"
    states = [event["state"] for event in record["events"]]
    assert states == ["ConsentGiven", "ConsentWithdrawn", "RenewedConsentGiven"]


def test_a_choice_that_was_changed_in_the_database_counts_as_none(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        kept = consent.give(tx, vault, given(tx, user))
        consent.withdraw(tx, vault, kept, by="subject", method="portal")
        tx.run("UPDATE consents SET choice = 'given'")
        assert choice(tx, vault) is Choice.NONE
        assert consent.of_user(tx, vault, TENANT, user.sub) == []
        assert consent.find(tx, vault, TENANT, kept.id) is None


def test_the_record_has_the_sections_of_the_standard(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        kept = consent.give(tx, vault, given(tx, user))
        record = consent.record_of(tx, vault, kept)
    assert {"schema", "id", "subject", "notice", "process", "parties", "events", "fingerprint"} <= set(record)
    assert record["subject"] == user.pseudonym
    assert record["parties"][0]["postal"] == "1 Street"
    assert record["fingerprint"] == kept.fingerprint.hex()
    assert record["events"][0]["at"].endswith("Z")


def test_the_record_is_gone_with_the_persons_key(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        kept = consent.give(tx, vault, given(tx, user))
        vault.destroy(tx, user.owner)
        with pytest.raises(KeyDestroyed):
            consent.record_of(tx, vault, kept)


def test_the_fingerprint_follows_what_is_opened_and_not_its_order(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        one = given(tx, user, opened=("a", "b")).fingerprint
        assert one == given(tx, user, opened=("b", "a")).fingerprint
        assert one != given(tx, user, opened=("a", "b", "c")).fingerprint
        assert one != given(tx, user, "phones", opened=("a", "b")).fingerprint


def test_a_refusal_is_no_choice_and_leaves_its_event(store: Store, vault: Vault, user: User) -> None:
    with store.transaction() as tx:
        kept = consent.refuse(tx, vault, given(tx, user))
        assert choice(tx, vault) is Choice.NONE
        assert consent.record_of(tx, vault, kept)["events"][0]["state"] == "ConsentRefused"
        assert consent.of_connection(tx, vault, CONNECTION) == [kept]
