"""An answer that the database did not take is not lost with the process that got it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from connector import connections, tokens
from connector.flows import refresh_journal
from connector.flows.revoke import revoke, tell_providers
from connector.model.states import ConnectionState, Ended
from connector.storage.errors import DatabaseUnavailable
from tests.connected import Linked, linked


class Died(BaseException):
    """The process ends here."""


class Away:
    """A store whose transactions fail from the answer on."""

    def __init__(self, store) -> None:
        self._store, self.away, self.failed = store, False, 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def transaction(self):
        if self.away:
            self.failed += 1
            raise DatabaseUnavailable("no answer")
        return self._store.transaction()


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    made = linked(tmp_path, store, clock)
    return replace(
        made, house=replace(made.house, gateway=replace(made.gateway, journal=tokens.Journal(tmp_path / "journal")))
    )


def entries(town: Linked) -> list[str]:
    folder = town.gateway.journal.folder
    return sorted(path.suffix for path in folder.iterdir()) if folder.is_dir() else []


def killed_while_holding(town: Linked, monkeypatch) -> None:
    """A refresh whose database goes away after the provider was asked; the process dies once the journal has it."""
    town.gateway.clock.advance(301)
    away = Away(town.store)

    def before(request):
        away.away = request.url.endswith("/token")

    town.gateway.egress.before = before
    put = tokens.Journal.put

    def and_die(journal, name, content):
        put(journal, name, content).leave()  # the kernel lets go of the lock
        raise Died

    monkeypatch.setattr(tokens.Journal, "put", and_die)
    with pytest.raises(Died):
        town.fresh(gateway=replace(town.gateway, store=away, flights=tokens.Flights()))
    monkeypatch.undo()
    town.gateway.egress.before = lambda _request: None
    assert entries(town) == [".landing"]


def orphans(town) -> int:
    with town.store.read() as tx:
        return tx.one("SELECT COUNT(*) AS n FROM orphan_tokens")["n"]


def test_an_answer_in_the_journal_is_brought_home_after_its_process_died(town, monkeypatch):
    killed_while_holding(town, monkeypatch)
    assert town.connection().state is ConnectionState.REFRESHING
    assert refresh_journal.replay(town.gateway) == 1
    after = town.connection()
    assert (after.state, after.generation) == (ConnectionState.ACTIVE, 2)
    assert town.works(town.held_grant().access_token)
    assert town.refresh_works()
    assert entries(town) == []
    assert refresh_journal.replay(town.gateway) == 0


def test_twin_without_the_journal_a_strict_provider_takes_the_grant(town, monkeypatch):
    killed_while_holding(town, monkeypatch)
    for path in town.gateway.journal.folder.iterdir():
        path.unlink()
    refresh_journal.replay(town.gateway)
    assert not town.refresh_works()


def test_an_answer_is_in_the_journal_after_a_second_of_holding_and_leaves_it_when_stored(town):
    town.gateway.clock.advance(301)
    away = Away(town.store)
    seen: list[tuple[float, list[str]]] = []
    began = [0.0]

    def before(request):
        if request.url.endswith("/token"):
            away.away, began[0] = True, town.gateway.clock.monotonic()

    class Watching:
        def __getattr__(self, name):
            return getattr(town.gateway.clock, name)

        def sleep(self, seconds):
            seen.append((town.gateway.clock.monotonic() - began[0], entries(town)))
            town.gateway.clock.sleep(seconds)
            away.away = len(seen) < 8

    town.gateway.egress.before = before
    handed = town.fresh(gateway=replace(town.gateway, store=away, clock=Watching()))
    assert all(files == [] for at, files in seen if at < 0.5)
    assert all(files == [".landing"] for at, files in seen if at >= 1.0)
    assert entries(town) == []
    assert town.works(handed.access_token)


def test_the_journal_shows_no_token(town, monkeypatch):
    killed_while_holding(town, monkeypatch)
    (path,) = town.gateway.journal.folder.iterdir()
    content = path.read_bytes()
    for token in town.provider.live_tokens():
        assert str(token).encode() not in content
    head = json.loads(content.split(b"\n")[0])
    assert sorted(head) == ["connection", "epoch", "fence", "format", "generation", "tenant"]


@pytest.mark.parametrize("damage", ["head", "bit", "cut", "another", "unknown"])
def test_an_entry_that_is_damaged_or_foreign_is_set_aside_and_nothing_of_it_is_served(town, monkeypatch, damage):
    killed_while_holding(town, monkeypatch)
    (path,) = town.gateway.journal.folder.iterdir()
    head, _, sealed = path.read_bytes().partition(b"\n")
    facts = json.loads(head)
    if damage == "head":
        head = json.dumps(facts | {"fence": 99}).encode()
    elif damage == "bit":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    elif damage == "cut":
        head, sealed = head[:10], b""
    elif damage == "another":
        head = json.dumps(facts | {"connection": town.connect("grace")}).encode()
    else:
        head = json.dumps(facts | {"connection": "con_of_another_database"}).encode()
    path.write_bytes(head + b"\n" + sealed)
    assert refresh_journal.replay(town.gateway) == 0
    assert entries(town) == [".unreadable"]
    assert town.connection().generation == 1


def test_an_answer_found_after_the_revocation_is_revoked_too(town, monkeypatch, clock):
    killed_while_holding(town, monkeypatch)
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    assert refresh_journal.replay(town.gateway) == 1
    assert orphans(town) == 1
    clock.advance(60)
    assert tell_providers(town.gateway) == 1
    assert town.provider.live_tokens() == []


def test_an_answer_found_after_everything_was_shredded_is_removed(town, monkeypatch):
    killed_while_holding(town, monkeypatch)
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    with town.store.transaction() as tx:
        town.gateway.vault.destroy(tx, town.connection().token_owner)
    assert refresh_journal.replay(town.gateway) == 0
    assert entries(town) == []


@pytest.mark.parametrize(
    ("reason", "after"), [("refresh_lost", "active"), ("restore", "active"), ("signal", "needs_reauth")]
)
def test_an_answer_brings_back_what_was_given_up_for_want_of_it_and_nothing_else(town, monkeypatch, reason, after):
    killed_while_holding(town, monkeypatch)
    with town.store.transaction() as tx:
        found = connections.find_for_update(tx, town.gateway.vault, town.connection_id)
        connections.move(
            tx,
            town.gateway.vault,
            found,
            ConnectionState.NEEDS_REAUTH,
            take_over=True,
            columns={"reason": reason},
        )
    assert refresh_journal.replay(town.gateway) == 1
    assert town.connection().state == after
    assert town.refresh_works() == (after == "active")


def test_while_somebody_else_asks_the_provider_the_answer_waits(town, monkeypatch, clock):
    killed_while_holding(town, monkeypatch)
    with town.store.transaction() as tx:
        connections.claim_refresh(
            tx,
            town.gateway.vault,
            town.connection_id,
            worker="wrk_b",
            lease_ms=15_000,
            dead_owners=frozenset({town.gateway.worker_id}),
        )
    assert refresh_journal.replay(town.gateway) == 0
    assert entries(town) == [".landing"]
    clock.advance(16)
    assert refresh_journal.replay(town.gateway) == 1
    assert town.refresh_works()


def test_a_commit_whose_confirmation_was_lost_is_known_again(town):
    """The database committed and the line broke: the second try must not take its own tokens for somebody else's."""
    town.gateway.clock.advance(301)
    lost: list[bool] = []
    asked: list[bool] = []

    class Broken:
        def __getattr__(self, name):
            return getattr(town.store, name)

        def transaction(self):
            whole = town.store.transaction()
            if not asked or lost:
                return whole
            lost.append(True)

            class Unconfirmed:
                def __enter__(self):
                    return whole.__enter__()

                def __exit__(self, *given):
                    whole.__exit__(*given)
                    raise DatabaseUnavailable("the line broke after the commit")

            return Unconfirmed()

    def before(request):
        if request.url.endswith("/token"):
            asked.append(True)

    town.gateway.egress.before = before
    handed = town.fresh(gateway=replace(town.gateway, store=Broken()))
    assert lost
    assert town.works(handed.access_token)
    assert orphans(town) == 0


def test_an_answer_waits_for_who_took_over_and_lands_when_that_came_to_nothing(town, clock):
    """The process was frozen past its lease; the other asks with the old token, which proves nothing about this one."""
    town.gateway.clock.advance(301)
    first = town.gateway.egress._outcome
    taken: list[object] = []

    def outcome(request):
        given = first(request)
        if request.url.endswith("/token") and not taken:
            clock.advance(16)
            with town.store.transaction() as tx:
                taken.append(
                    connections.claim_refresh(
                        tx, town.gateway.vault, town.connection_id, worker="wrk_b", lease_ms=15_000
                    )
                )
        return given

    town.gateway.egress._outcome = outcome
    assert town.works(town.fresh().access_token)
    assert taken[0] is not None
    assert sum(clock.slept) >= 15
    assert orphans(town) == 0
    assert town.refresh_works()


def test_where_the_journal_lies(town, tmp_path):
    def folder(url="sqlite:////var/lib/c/connector.db", journal=None, kek="file:/etc/c/kek.json"):
        vault = SimpleNamespace(outside=None, kek=kek)
        return refresh_journal.journal_folder(
            SimpleNamespace(database=SimpleNamespace(url=url), refresh=SimpleNamespace(journal=journal), vault=vault)
        )

    assert str(folder()) == "/var/lib/c/connector.db.landings"
    assert str(folder(url="postgresql+psycopg://db/c")) == "/etc/c/landings"
    assert folder(journal=tmp_path) == tmp_path
    assert folder(url="postgresql+psycopg://db/c", kek="env:KEK") is None
