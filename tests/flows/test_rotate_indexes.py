"""Index keys are replaced while people sign in: whoever is known stays known, in every phase and after every crash."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connector import people
from connector.connections import sharing_grant
from connector.flows import rotate_indexes
from connector.flows.rotate_indexes import INDEXED
from connector.flows.rotate_keys import rotate
from connector.flows.rotation_parts import Outcome, Parts
from connector.flows.verify_vault import verify_vault
from connector.model.errors import Misconfigured
from connector.people import NewIdentity, identities
from connector.people.identities import Identity
from connector.records.storing import IncomingCard, Into, Tally, store_cards
from connector.storage import Store
from connector.storage.errors import UniqueViolation
from connector.storage.schema import metadata
from tests.clock import ManualClock
from tests.rooms_vault import TENANT, make_vault
from tests.signing_up import Town
from vault import DataKey, FileKeySource, Owner, Vault
from vault.jobs import PHASES, open_job

PHASES_OF_INDEXES = tuple(phase for phase in PHASES if phase != "done")


def account(name: str, integration: str = "int_1") -> NewIdentity:
    return NewIdentity(integration, "rehearsal", "https://provider.example", name)


@dataclass
class Index:
    """A tenant whose accounts, refused accounts and imported cards are found by blind indexes."""

    store: Store
    folder: Path
    clock: ManualClock
    subs: dict[str, str] = field(default_factory=dict)

    def vault(self) -> Vault:
        """As another process would have it."""
        return Vault(FileKeySource(self.folder / "kek.json"), now=self.clock.now)

    def rotate(self, tell: Any = None, store: Store | None = None) -> Outcome:
        source = FileKeySource(self.folder / "kek.json")
        parts = Parts(store or self.store, self.vault(), source, "test", tell or (lambda *_: None))
        return rotate(parts, "indexes")

    def link(self, name: str) -> None:
        with self.store.transaction() as tx:
            vault = self.vault()
            user = people.create_user(tx, vault, TENANT)
            people.link_identity(tx, vault, user, account(name))
        self.subs[name] = user.sub

    def refuse(self, name: str) -> None:
        with self.store.transaction() as tx:
            people.remember_refused(tx, self.vault(), TENANT, account(name))

    def found(self, name: str, store: Store | None = None) -> str | None:
        with (store or self.store).read() as tx:
            identity = people.find_identity(tx, self.vault(), TENANT, account(name))
        return None if identity is None else identity.sub

    def refused(self, name: str) -> bool:
        with self.store.read() as tx:
            return people.is_refused(tx, self.vault(), TENANT, account(name))

    def imported(self, *names: str) -> Tally:
        with self.store.transaction() as tx:
            vault = self.vault()
            key = vault.key(tx, Owner(TENANT, "connection_data", "con_1"))
            into = Into("usr_1", "contact", "idn_1", key, 1)
            return store_cards(tx, vault, into, [IncomingCard(name) for name in names])

    def cards(self) -> int:
        return len(self.rows("cards"))

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.store.read() as tx:
            return [dict(row) for row in tx.all(f"SELECT * FROM {table}")]

    def stored(self) -> set[bytes]:
        return {bytes(row[place.column]) for place in INDEXED for row in self.rows(place.table)}


@pytest.fixture
def index(tmp_path: Path, store: Store, clock: ManualClock) -> Index:
    vault = make_vault(tmp_path, store, clock)
    made = Index(store, tmp_path, clock)
    with store.transaction() as tx:
        vault.create_key(tx, Owner(TENANT, "connection_data", "con_1"))
    for name in ("ada", "grace", "joan"):
        made.link(name)
    made.refuse("child")
    made.imported("c1", "c2", "c3")
    with store.transaction() as tx:
        tx.run("UPDATE cards SET deleted_at = 1, deleted_by = 'person' WHERE id = (SELECT MIN(id) FROM cards)")
    return made


# The whole way --------------------------------------------------------------------------------------


def test_every_stored_index_is_replaced_and_everybody_is_found_again(index: Index) -> None:
    before = index.stored()
    for _ in range(2):
        outcome = index.rotate()
        assert (outcome.finished, outcome.job.done, outcome.job.failed) == (True, 7, 0)
        assert index.stored() & before == set()
        assert {name: index.found(name) for name in index.subs} == index.subs
        assert index.refused("child")
        assert not index.refused("ada")
        assert index.found("nobody") is None
        before |= index.stored()
    assert all(row[place.beside] is None for place in INDEXED for row in index.rows(place.table))
    keys = [
        (row["purpose"], row["retired_at"] is None) for row in index.rows("tenant_keys") if "index" in row["purpose"]
    ]
    assert sorted(keys) == [("index", False), ("index_layer", False), ("index_layer", True)]
    assert index.rotate().job.done == 7


def test_the_older_key_alone_tells_nothing_about_what_is_stored(index: Index) -> None:
    with index.store.read() as tx:
        older = index.vault().indexes(tx, TENANT)
        assert identities.subject_index(older, account("ada")).now in index.stored()
    index.rotate()
    assert identities.subject_index(older, account("ada")).now not in index.stored()


def test_an_account_whose_name_was_forgotten_is_still_seen_to_be_the_same(town: Town) -> None:
    """Of an erased person only the index is kept, so that a grant which a new connection shares is spared."""
    from connector import connections  # noqa: PLC0415  only here

    gateway, tenant = town.gateway, town.house.tenant.id
    first = town.sign_up("ada")
    with gateway.store.transaction() as tx:
        for identity in people.identities_of(tx, gateway.vault, tenant, first["claims"]["sub"]):
            people.unlink(tx, gateway.vault, identity)
            people.blank(tx, identity)
    second = town.sign_up("ada")
    assert second["claims"]["sub"] != first["claims"]["sub"]

    def sharing() -> list[str]:
        with gateway.store.read() as tx:
            ended = connections.find(tx, gateway.vault, tenant, first["connection"])
            assert ended is not None
            return [one.id for one in sharing_grant(tx, gateway.vault, ended)]

    seen: list[list[str]] = []
    source = FileKeySource(town.house.folder / "kek.json")
    rotate(Parts(gateway.store, gateway.vault, source, "test", lambda *_: seen.append(sharing())), "indexes")
    assert [*seen, sharing()] == [[second["connection"]]] * (len(seen) + 1)


def test_people_sign_in_and_up_in_every_phase(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotate_indexes, "BATCH", 1)
    ada = town.sign_up("ada")["claims"]["sub"]
    newcomers = iter(("grace", "bystander", "lin", "noor", "sam"))
    at: list[str] = []
    state = town.rehearsal.extensions["rehearsal"]

    def tell(phase: str, *_: int) -> None:
        assert town.sign_up("ada")["claims"]["sub"] == ada, phase
        if phase not in at:
            at.append(phase)
            name = state.person_named(next(newcomers))
            first = town.sign_up(name)["claims"]["sub"]
            assert town.sign_up(name)["claims"]["sub"] == first

    source = FileKeySource(town.house.folder / "kek.json")
    vault = Vault(source, now=town.gateway.clock.now)  # the command's own process
    assert rotate(Parts(town.gateway.store, vault, source, "test", tell), "indexes").finished
    assert set(at) == set(PHASES_OF_INDEXES)
    assert town.sign_up("ada")["claims"]["sub"] == ada
    assert town.how_many("identities", "users") == {"identities": 6, "users": 6}
    assert verify_vault(town.gateway.store, town.gateway.vault, town.gateway.clock).broken == 0


def everything_holds(index: Index, phase: str) -> None:
    assert {name: index.found(name) for name in index.subs} == index.subs, phase
    assert index.refused("child"), phase
    tally = index.imported("c1", "c2", "c3")
    assert (index.cards(), tally.refused) == (3, 1), phase  # none twice, and what the person deleted stays so


@pytest.mark.parametrize("batch", [1, 500])
def test_what_is_written_and_looked_up_in_any_phase_is_found_in_every_later_one(
    index: Index, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_indexes, "BATCH", batch)
    told: list[str] = []

    def tell(phase: str, *_: int) -> None:
        if told.count(phase) < 2:
            everything_holds(index, phase)
            told.append(phase)
            index.link(f"linked-{len(told)}")
            index.refuse(f"refused-{len(told)}")
            with pytest.raises(UniqueViolation):
                index.link("ada")

    assert index.rotate(tell).finished
    assert set(told) == set(PHASES_OF_INDEXES)
    everything_holds(index, "after")
    assert all(index.refused(f"refused-{number}") for number in range(1, len(told) + 1))
    assert len(index.rows("identities")) == 3 + len(told)


def test_an_account_is_unlinked_in_any_phase_and_its_row_keeps_its_seal(index: Index) -> None:
    names = iter(list(index.subs))
    gone: list[str] = []

    def tell(phase: str, *_: int) -> None:
        if phase in {"verify", "promote", "retire"} and len(gone) < 3:
            gone.append(next(names))
            with index.store.transaction() as tx:
                identity = people.find_identity(tx, index.vault(), TENANT, account(gone[-1]))
                assert identity is not None
                people.unlink(tx, index.vault(), identity)

    assert index.rotate(tell).finished
    assert [index.found(name) for name in gone] == [None] * 3
    with index.store.read() as tx:
        for name in gone:
            assert len(people.unlinked_of(tx, index.vault(), TENANT, index.subs[name])) == 1  # checks the seal


# Cut off, and two at once ---------------------------------------------------------------------------


class _CutOff(Exception):
    pass


@pytest.mark.parametrize("phase", PHASES_OF_INDEXES)
@pytest.mark.parametrize("number", [1, 3])
def test_whoever_comes_next_goes_on_from_any_phase(
    index: Index, phase: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_indexes, "BATCH", 1)
    told = [0]

    def tell(now: str, *_: int) -> None:
        told[0] += now == phase
        if told[0] == number:
            raise _CutOff

    try:
        index.rotate(tell)
    except _CutOff:
        with index.store.read() as tx:
            job = open_job(tx, "indexes")
        assert job is not None
        everything_holds(index, phase)
        assert index.rotate().job.id == job.id
    everything_holds(index, "after")
    assert len([row for row in index.rows("tenant_keys") if row["purpose"] == "index_layer"]) == 1


def test_two_runners_harm_nothing(
    index: Index, open_another: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_indexes, "BATCH", 2)
    for number in range(20):
        index.link(f"more-{number}")
    problems: list[BaseException] = []

    def run(store: Store) -> None:
        try:
            for _ in range(2):
                assert index.rotate(store=store).finished
        except BaseException as error:  # noqa: BLE001  it is looked at below
            problems.append(error)

    threads = [threading.Thread(target=run, args=(open_another(index.clock),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    everything_holds(index, "after")
    assert all(row[place.beside] is None for place in INDEXED for row in index.rows(place.table))


def test_whoever_writes_by_the_older_key_is_waited_for(index: Index, open_another: Callable[..., Store]) -> None:
    """A sign-up that read the keys before there was a newer one must not be left behind by it."""
    other, vault = open_another(index.clock), index.vault()
    running = threading.Thread(target=lambda: index.rotate(store=other))
    with index.store.transaction() as tx:
        user = people.create_user(tx, vault, TENANT)
        people.link_identity(tx, vault, user, account("late"))
        running.start()
        running.join(0.5)
        assert running.is_alive()
    running.join()
    assert index.found("late") == user.sub


def test_a_look_up_between_two_statements_of_which_the_keys_change_looks_again(index: Index) -> None:
    """Outside a transaction a whole rotation may pass between reading the keys and reading the row."""
    index.link("torn")
    vault = index.vault()
    read: Any = Vault.indexes
    turned: list[bool] = []

    class Torn(Vault):
        def indexes(self, tx: Any, tenant: str) -> Any:
            found = read(self, tx, tenant)
            if not turned:
                turned.append(True)
                index.rotate()
            return found

    torn = Torn(FileKeySource(index.folder / "kek.json"), now=index.clock.now)
    with index.store.read() as tx:
        found = people.find_identity(tx, torn, TENANT, account("torn"))
    assert found is not None
    assert found.sub == index.subs["torn"]
    assert vault is not torn


# Somebody who can write to the database ---------------------------------------------------------------


def planted(index: Index) -> Identity | None:
    """Mallory writes the index of her own account beside Ada's, while both are looked up; whom is she then?"""
    index.link("mallory")

    def tell(phase: str, *_: int) -> None:
        if phase == "verify":
            with index.store.transaction() as tx:
                theirs = tx.one("SELECT * FROM identities WHERE sub = :sub", sub=index.subs["mallory"]) or {}
                tx.run("DELETE FROM identities WHERE sub = :sub", sub=index.subs["mallory"])
                tx.run(
                    "UPDATE identities SET subject_index_next = :planted, seal_next = :seal WHERE sub = :ada",
                    planted=bytes(theirs["subject_index_next"]),
                    seal=bytes(theirs["seal_next"]),
                    ada=index.subs["ada"],
                )
            raise _CutOff

    with pytest.raises(_CutOff):
        index.rotate(tell)
    with index.store.read() as tx:
        return people.find_identity(tx, index.vault(), TENANT, account("mallory"))


def test_an_index_planted_beside_another_one_leads_to_nobody_and_stops_the_rotation(index: Index) -> None:
    with pytest.raises(Misconfigured, match="does not carry its seal"):
        planted(index)
    with pytest.raises(Misconfigured, match="not what the newer key makes"):
        index.rotate()


def test_twin_without_row_seals_the_planted_index_makes_mallory_ada(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DataKey, "check_row", lambda *_: None)
    found = planted(index)
    assert found is not None
    assert found.sub == index.subs["ada"]


def test_a_row_that_was_altered_gets_no_fresh_seal_from_a_rotation(index: Index) -> None:
    index.link("mallory")
    with index.store.transaction() as tx:
        tx.run("UPDATE identities SET sub = :a WHERE sub = :b", a=index.subs["ada"], b=index.subs["mallory"])
    with pytest.raises(Misconfigured, match="1 indexes are in rows without their seal"):
        index.rotate()
    assert [row["seal_next"] for row in index.rows("identities")].count(None) == 1
    with index.store.transaction() as tx:
        tx.run("UPDATE identities SET sub = :b WHERE seal_next IS NULL", b=index.subs["mallory"])
    assert index.rotate().finished
    assert index.found("mallory") == index.subs["mallory"]


# What an index is over --------------------------------------------------------------------------------


CRAFTED = (  # what somebody might assert at an integration of their own, to meet an account of another one
    NewIdentity("int_2", "rehearsal", "https://provider.example", "ada"),
    NewIdentity("int_2", "rehearsal", "1https://provider.example", "ada"),
    NewIdentity("int_1https://", "rehearsal", "provider.example", "ada"),
    NewIdentity("int_1", "rehearsal", "https://provider.examplea", "da"),
    NewIdentity("int_1", "rehearsal", "", "https://provider.exampleada"),
)


@pytest.mark.parametrize("crafted", CRAFTED, ids=lambda one: f"{one.integration_id} {one.issuer} {one.subject}")
def test_nothing_asserted_at_one_integration_meets_an_index_of_another(index: Index, crafted: NewIdentity) -> None:
    for _ in range(2):
        with index.store.read() as tx:
            made = identities.subject_index(index.vault().indexes(tx, TENANT), crafted).now
        assert made not in index.stored()
        index.rotate()


def test_twin_with_parts_run_together_they_meet(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault import blind_index  # noqa: PLC0415  only the twin reaches in

    monkeypatch.setattr(blind_index, "lp", lambda *parts: b"".join(parts))
    monkeypatch.setattr(identities, "found_by_account", _by_index_alone)
    index.link("run-together")
    with index.store.read() as tx:
        near = NewIdentity("int_1h", "rehearsal", "ttps://provider.example", "run-together")
        found = people.find_identity(tx, index.vault(), TENANT, near)
    assert found is not None
    assert found.sub == index.subs["run-together"]


def _by_index_alone(tx: Any, vault: Vault, tenant: str, named: NewIdentity, select: str) -> Any:
    made = identities.subject_index(vault.indexes(tx, tenant), named)
    return tx.one(f"{select} subject_index = :now", now=made.now), made


def test_every_column_of_blind_indexes_is_known_to_the_rotation_and_has_one_beside_it() -> None:
    columns = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_index") and str(column.type) == "BLOB"
    }
    assert columns == {(place.table, place.column) for place in INDEXED}
    for place in INDEXED:
        assert place.beside in metadata.tables[place.table].columns


def test_many_rows_go_through_in_batches(index: Index) -> None:
    with index.store.transaction() as tx:
        now = [
            {"tenant": TENANT, "index": os.urandom(32), "integration": f"int_{number}"}
            for number in range(2 * rotate_indexes.BATCH + 1)
        ]
        tx.many(
            "INSERT INTO refused_accounts (tenant_id, integration_id, subject_index, created_at)"
            " VALUES (:tenant, :integration, :index, 1)",
            now,
        )
    heard: list[tuple[str, int, int]] = []
    assert index.rotate(lambda *one: heard.append(one)).job.done == len(now) + 7
    rewrap = [(done, total) for phase, done, total in heard if phase == "rewrap"]
    assert rewrap[-1] == (len(now) + 7, len(now) + 7)
    assert [done for done, _ in rewrap] == sorted(done for done, _ in rewrap)
    assert replace(index).found("ada") == index.subs["ada"]
