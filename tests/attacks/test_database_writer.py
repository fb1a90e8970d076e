"""Somebody who can write to the database, but has no key: what they change is noticed before it grants anything.

Each attack runs twice: against the gateway, where nothing comes of it, and against its twin that checks no row seals,
where it succeeds. So it is the seal, and nothing else, that stands in the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector import authorizations, connections, consent, people
from connector.clients import access_token_of, find_client, find_integration
from connector.clients.authentication import Presented, authenticate
from connector.consent import Direction
from connector.flows import revoke, stances
from connector.flows.fresh_token import Wanted, fresh_token
from connector.inbox import Toward
from connector.model.errors import ConnectorError
from connector.model.ids import new_id
from connector.model.states import Ended
from connector.model.tags import Age, Choice, Notice, Purpose
from connector.people import NewIdentity, NewLink, consume_link, make_link, open_session
from connector.records import values
from connector.storage import Store
from connector.tokens import rows as token_rows
from providers.secret import Secret
from tests.clock import ManualClock
from tests.signing_up import Town, make_town
from tests.unguarded import unguarded
from vault import CommitmentMismatch, DataKey, Owner, TagMismatch

EVIL = "https://evil.example/callback"
KNOWN = "known-to-mallory"
BEARER = "gwat_known-to-mallory"


def sha(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass
class Scene:
    """Ada has connected an account, Mallory is a user too and can write to the database."""

    town: Town
    ada: str
    mallory: str
    connection: str

    def write(self, sql: str, **values: Any) -> None:
        """As somebody who may change the schema too, so that what holds is the seal and not a trigger."""
        store = self.town.gateway.store
        with unguarded(store), store.transaction() as tx:
            assert tx.run(sql, **values) > 0

    def read(self, look: Callable[..., Any]) -> Any:
        with self.town.gateway.store.read() as tx:
            return look(tx, self.town.gateway.vault)

    def value(self, sql: str, **values: Any) -> Any:
        with self.town.gateway.store.read() as tx:
            row = tx.one(sql, **values)
        assert row is not None
        return row["v"]

    def person(self, act: Callable[..., Any]) -> Any:
        """Something with Ada's row as the gateway reads it."""
        vault = self.town.gateway.vault
        with self.town.gateway.store.transaction() as tx:
            user = people.find_user(tx, vault, self.town.house.tenant.id, self.ada)
            assert user is not None
            return act(tx, vault, user)

    def token(self, *scopes: str) -> Any:
        wanted = Wanted(self.connection, Purpose.SERVICE, scopes=scopes)
        return fresh_token(self.town.gateway, self.town.house.worker, wanted)


@pytest.fixture
def scene(tmp_path: Path, store: Store, clock: ManualClock) -> Scene:
    town = make_town(tmp_path, store, clock)
    ada, mallory = (town.sign_up(person)["claims"] for person in ("ada", "bystander"))
    return Scene(town, ada["sub"], mallory["sub"], ada["connection"])


# Attacks: what is written, and then what comes of it: something true where it succeeded --------------


def un_revoke(scene: Scene) -> Any:
    revoke.revoke(scene.town.gateway, scene.town.house.tenant.id, scene.connection, by=Ended.PERSON)
    scene.write(
        "UPDATE connections SET state = 'active', revoked_at = NULL, ended_by = NULL WHERE id = :id",
        id=scene.connection,
    )
    return scene.token().access_token


def widen_scopes(scene: Scene) -> Any:
    scene.write("UPDATE connections SET granted_scopes = '[\"everything\"]' WHERE id = :id", id=scene.connection)
    return scene.token("everything").access_token


def stretch_a_token(scene: Scene) -> Any:
    scene.write("UPDATE connections SET expires_at = expires_at + 999999999 WHERE id = :id", id=scene.connection)
    scene.town.gateway.clock.sleep(7_200)
    return scene.token().access_token


def outlive_the_access_period(scene: Scene) -> Any:
    scene.write("UPDATE connections SET reauth_by = 9999999999999 WHERE id = :id", id=scene.connection)
    return scene.token().access_token


def move_a_connection_to_another_person(scene: Scene) -> Any:
    scene.write("UPDATE connections SET sub = :sub WHERE id = :id", sub=scene.mallory, id=scene.connection)
    found = scene.read(lambda tx, vault: connections.of_user(tx, vault, scene.town.house.tenant.id, scene.mallory))
    return scene.connection in {one.id for one in found}


def move_a_connection_to_another_tenant(scene: Scene) -> Any:
    rival = scene.town.house.other_tenant.id
    scene.write("UPDATE connections SET tenant_id = :rival WHERE id = :id", rival=rival, id=scene.connection)
    return scene.read(lambda tx, vault: connections.find(tx, vault, rival, scene.connection))


def redirect_an_integration(scene: Scene) -> Any:
    integration = scene.town.house.integration
    scene.write("UPDATE integrations SET issuer = 'https://evil.example' WHERE id = :id", id=integration.id)
    found = scene.read(lambda tx, vault: find_integration(tx, vault, integration.tenant_id, integration.id))
    return found.issuer == "https://evil.example"


def let_an_integration_import_more(scene: Scene) -> Any:
    integration = scene.town.house.integration
    scene.write("UPDATE integrations SET scopes = '[\"everything\"]' WHERE id = :id", id=integration.id)
    found = scene.read(lambda tx, vault: find_integration(tx, vault, integration.tenant_id, integration.id))
    return found.scopes == ("everything",)


def add_a_client_secret(scene: Scene) -> Any:
    web = scene.town.house.web
    scene.write(
        "INSERT INTO client_secrets (id, client_id, hash, created_at, expires_at, seal)"
        " SELECT 'sec_mallory', client_id, :hash, created_at, NULL, seal FROM client_secrets WHERE client_id = :id",
        hash=sha(KNOWN),
        id=web.id,
    )
    return scene.read(lambda tx, vault: authenticate(tx, vault, Presented(web.id, Secret(KNOWN)), audiences=()))


def let_a_secret_live_on(scene: Scene) -> Any:
    web, worker = scene.town.house.web, scene.town.house.worker
    scene.write("UPDATE client_secrets SET client_id = :web WHERE client_id = :worker", web=web.id, worker=worker.id)
    shown = Presented(web.id, scene.town.house.worker_secret)
    return scene.read(lambda tx, vault: authenticate(tx, vault, shown, audiences=()))


def add_a_redirect_uri(scene: Scene) -> Any:
    web = scene.town.house.web
    scene.write("UPDATE clients SET redirect_uris = :uris WHERE id = :id", uris=f'["{EVIL}"]', id=web.id)
    return EVIL in scene.read(lambda tx, vault: find_client(tx, vault, web.id)).redirect_uris


def give_a_client_more_purposes(scene: Scene) -> Any:
    worker = scene.town.house.worker
    scene.write("UPDATE clients SET purposes = '[\"transfer\"]' WHERE id = :id", id=worker.id)
    return "transfer" in scene.read(lambda tx, vault: find_client(tx, vault, worker.id)).purposes


def bring_a_removed_client_back(scene: Scene) -> Any:
    from connector.clients import remove_client  # noqa: PLC0415  only here

    worker = scene.town.house.worker
    with scene.town.gateway.store.transaction() as tx:
        remove_client(tx, scene.town.gateway.vault, worker.id)
    scene.write("UPDATE clients SET removed_at = NULL WHERE id = :id", id=worker.id)
    return scene.read(lambda tx, vault: find_client(tx, vault, worker.id))


def relink_an_identity(scene: Scene) -> Any:
    tenant, integration = scene.town.house.tenant.id, scene.town.house.integration
    identity = scene.read(lambda tx, vault: people.identities_of(tx, vault, tenant, scene.ada))[0]
    subject = scene.read(lambda tx, vault: people.subject_of(tx, vault, identity))
    scene.write("UPDATE identities SET sub = :mallory WHERE sub = :ada", mallory=scene.mallory, ada=scene.ada)
    account = NewIdentity(integration.id, integration.provider, identity.issuer, subject)
    found = scene.read(lambda tx, vault: people.find_identity(tx, vault, tenant, account))
    assert found is not None, "the account of this test is not the provider's"
    return found.sub == scene.mallory


def make_up_an_access_token(scene: Scene) -> Any:
    web = scene.town.house.web
    scene.write(
        "INSERT INTO access_tokens (hash, tenant_id, client_id, kind, sub, authorization_id, scopes, created_at,"
        " expires_at, seal) SELECT :hash, tenant_id, client_id, kind, sub, authorization_id, scopes, created_at,"
        " expires_at + 999999999, seal FROM access_tokens WHERE client_id = :id LIMIT 1",
        hash=sha(BEARER),
        id=web.id,
    )
    return scene.read(lambda tx, vault: access_token_of(tx, vault, BEARER))


def make_a_withdrawn_choice_count(scene: Scene) -> Any:
    with scene.town.gateway.store.transaction() as tx:
        for given in consent.of_connection(tx, scene.town.gateway.vault, scene.connection):
            consent.withdraw(tx, scene.town.gateway.vault, given, by="subject", method="portal")
    scene.write("UPDATE consents SET choice = 'given' WHERE connection_id = :id", id=scene.connection)
    standing = scene.read(lambda tx, vault: consent.standing(tx, vault, scene.connection, Direction.IMPORT, "contacts"))
    return standing is Choice.GIVEN


def turn_a_choice_into_another(scene: Scene) -> Any:
    scene.write(
        "UPDATE consents SET direction = 'push', field_group = 'name'"
        " WHERE connection_id = :id AND field_group = 'contacts'",
        id=scene.connection,
    )
    standing = scene.read(lambda tx, vault: consent.standing(tx, vault, scene.connection, Direction.PUSH, "name"))
    return standing is Choice.GIVEN


def open_a_portal_session(scene: Scene) -> Any:
    web, vault = scene.town.house.web, scene.town.gateway.vault
    with scene.town.gateway.store.transaction() as tx:
        link = make_link(tx, vault, NewLink(web.tenant_id, web.id, scene.mallory, web.return_uris[0]))
        opened = consume_link(tx, vault, link)
    assert opened is not None
    scene.write("UPDATE portal_sessions SET sub = :ada", ada=scene.ada)
    session = scene.read(lambda tx, vault: open_session(tx, vault, opened[0]))
    return session is not None and session.sub == scene.ada


def hand_a_flow_to_another_client(scene: Scene) -> Any:
    scene.town.page(scene.town.browser(), scene.town.start().query)
    flow = scene.value("SELECT id AS v FROM authorizations WHERE state NOT IN ('done', 'failed')")
    scene.write("UPDATE authorizations SET client_id = :other WHERE id = :id", other=scene.town.house.other.id, id=flow)
    return scene.read(lambda tx, vault: authorizations.by_id(tx, vault, flow))


def make_an_adult_of_a_child(scene: Scene) -> Any:
    scene.person(lambda tx, vault, user: people.set_age(tx, vault, user, Age.CHILD))
    scene.write("UPDATE users SET age = 'ok' WHERE sub = :sub", sub=scene.ada)
    return scene.token().access_token


def bring_an_account_back(scene: Scene) -> Any:
    scene.person(people.mark_deleted)
    scene.write("UPDATE users SET account = 'open', deleted_at = NULL WHERE sub = :sub", sub=scene.ada)
    return scene.token().access_token


def come_by_in_somebody_s_place(scene: Scene) -> Any:
    later = scene.town.gateway.clock.now() + 999_999_999
    scene.write("UPDATE users SET last_visit_at = :later WHERE sub = :sub", later=later, sub=scene.ada)
    return scene.person(lambda _tx, _vault, user: user.last_visit_at == later)


def leave_out_the_seal_of_a_person(scene: Scene) -> Any:
    scene.write("UPDATE users SET last_visit_at = 1, seal = NULL WHERE sub = :sub", sub=scene.ada)
    return scene.person(lambda _tx, _vault, user: user.last_visit_at == 1)


def move_a_person_to_another_tenant(scene: Scene) -> Any:
    rival = scene.town.house.other_tenant.id
    scene.write("UPDATE users SET tenant_id = :rival WHERE sub = :sub", rival=rival, sub=scene.ada)
    return scene.read(lambda tx, vault: people.find_user(tx, vault, rival, scene.ada))


def confirm_in_somebody_s_place(scene: Scene) -> Any:
    """Moved in by the app, and not seen by its person: a token for syncing would push what nobody agreed to."""
    tenant = scene.town.house.tenant.id
    moved = connections.Adoption(
        scene.connection, tenant, None, verified=True, generation=1, obtained_at=None, adopted_at=1
    )
    with scene.town.gateway.store.transaction() as tx:
        connections.note_adoption(tx, scene.town.gateway.vault, moved)
    scene.write("UPDATE adoptions SET confirmed_at = 2")
    return not scene.read(lambda tx, vault: connections.is_unconfirmed(tx, vault, scene.connection))


def object_to_an_agent(scene: Scene) -> None:
    with scene.town.gateway.store.transaction() as tx:
        stances.take_in(
            scene.town.gateway, tx, scene.town.house.tenant.id, scene.ada, Toward.AGENT, "crm", "no", by="subject"
        )


def is_objected(scene: Scene) -> bool:
    with scene.town.gateway.store.read() as tx:
        found = stances.notice_toward(scene.town.gateway, tx, scene.town.house.tenant.id, scene.ada, "agent", "crm")
    return found is Notice.OBJECTED


def take_back_an_objection(scene: Scene) -> Any:
    object_to_an_agent(scene)
    scene.write("DELETE FROM stances")
    scene.write("UPDATE users SET stances = 0 WHERE sub = :sub", sub=scene.ada)
    return not is_objected(scene)


ATTACKS = (
    un_revoke,
    widen_scopes,
    stretch_a_token,
    outlive_the_access_period,
    move_a_connection_to_another_person,
    move_a_connection_to_another_tenant,
    redirect_an_integration,
    let_an_integration_import_more,
    add_a_client_secret,
    let_a_secret_live_on,
    add_a_redirect_uri,
    give_a_client_more_purposes,
    bring_a_removed_client_back,
    relink_an_identity,
    make_up_an_access_token,
    make_a_withdrawn_choice_count,
    turn_a_choice_into_another,
    open_a_portal_session,
    hand_a_flow_to_another_client,
    make_an_adult_of_a_child,
    bring_an_account_back,
    come_by_in_somebody_s_place,
    leave_out_the_seal_of_a_person,
    move_a_person_to_another_tenant,
    confirm_in_somebody_s_place,
    take_back_an_objection,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_writer_of_the_database_cannot(scene: Scene, attack: Callable[[Scene], Any]) -> None:
    try:
        gained = attack(scene)
    except ConnectorError:
        gained = None
    assert not gained


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_twin_without_row_seals_a_writer_of_the_database_can(
    scene: Scene, attack: Callable[[Scene], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DataKey, "check_row", lambda *_: None)
    assert attack(scene)


# What is deleted: the rows that are left know of it ---------------------------------------------------


def test_an_objection_that_was_deleted_counts_as_a_no(scene: Scene) -> None:
    object_to_an_agent(scene)
    scene.write("DELETE FROM stances")
    assert is_objected(scene)


def test_and_so_it_does_with_another_row_in_its_place(scene: Scene) -> None:
    object_to_an_agent(scene)
    scene.write("UPDATE stances SET name = 'nobody'")
    assert is_objected(scene)


def test_twin_without_the_number_in_the_person_s_row_it_is_forgotten(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "note_stances", lambda *_: None)
    object_to_an_agent(scene)
    scene.write("DELETE FROM stances")
    assert not is_objected(scene)


# Sealed values: bound to their place by the record itself -------------------------------------------


def test_a_token_copied_into_another_persons_connection_does_not_open(scene: Scene) -> None:
    other = scene.value("SELECT id AS v FROM connections WHERE sub = :sub", sub=scene.mallory)
    blob = bytes(
        scene.value("SELECT access AS v FROM connection_tokens WHERE connection_id = :id", id=scene.connection)
    )
    scene.write("UPDATE connection_tokens SET access = :blob WHERE connection_id = :id", blob=blob, id=other)
    scene.connection = other
    with pytest.raises(ConnectorError) as caught:
        scene.token()
    assert caught.value.code == "row_seal_broken"


def test_not_even_with_the_key_s_row_copied_along(scene: Scene) -> None:
    other = scene.value("SELECT id AS v FROM connections WHERE sub = :sub", sub=scene.mallory)
    for table, column, key in (("connection_tokens", "access", "connection_id"), ("data_keys", "wrapped", "owner_id")):
        kind = " AND owner_kind = 'connection_tokens'" if table == "data_keys" else ""
        blob = bytes(scene.value(f"SELECT {column} AS v FROM {table} WHERE {key} = :id{kind}", id=scene.connection))
        scene.write(f"UPDATE {table} SET {column} = :blob WHERE {key} = :id{kind}", blob=blob, id=other)
    scene.connection = other
    with pytest.raises(ConnectorError):
        scene.token()


def test_a_value_whose_tags_were_rewritten_does_not_open(scene: Scene) -> None:
    with pytest.raises(TagMismatch):
        rewritten_tags(scene)


def test_twin_without_binding_a_value_opens_under_other_tags(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "bound", lambda _tags, _origin: b"")
    assert rewritten_tags(scene) == "Ada"


def rewritten_tags(scene: Scene) -> Any:
    from connector.model.tags import Age, Tags  # noqa: PLC0415  only here

    tenant, vault = scene.town.house.tenant.id, scene.town.gateway.vault
    new = values.NewValue("/name/full", "Ada", Tags.credential(Age.CHILD), values.Origin("2026-01"))
    with scene.town.gateway.store.transaction() as tx:
        key = vault.key(tx, Owner(tenant, "user", scene.ada))
        row = values.sealed_row(key, scene.ada, new_id("crd"), new, 1, tx.now())
        values.insert(tx, [row])
    scene.write(
        "UPDATE records SET tags = :tags WHERE id = :id",
        tags=Tags.credential(Age.OK).canonical().decode(),
        id=row["id"],
    )
    with scene.town.gateway.store.read() as tx:
        stored = values.stored_from([tx.one("SELECT * FROM records WHERE id = :id", id=row["id"]) or {}])
        return values.open_value(vault.key(tx, Owner(tenant, "user", scene.ada)), stored[0])


def test_a_client_secret_of_another_integration_does_not_open(scene: Scene) -> None:
    key = scene.read(
        lambda tx, vault: vault.key(tx, Owner(scene.town.house.tenant.id, "tenant", scene.town.house.tenant.id))
    )
    whose = token_rows.TokenOwner(scene.town.house.tenant.id, scene.connection, "rehearsal")
    blob = bytes(
        scene.value("SELECT refresh AS v FROM connection_tokens WHERE connection_id = :id", id=scene.connection)
    )
    with pytest.raises(CommitmentMismatch):
        key.open(whose.address(token_rows.REFRESH), blob, generation=1)
