from __future__ import annotations

import pytest

from connector.model.clock import SystemClock
from connector.model.errors import Misconfigured
from connector.work import FileLiveness, dead_owners, forget, known, liveness, open_liveness, register, seen


@pytest.fixture
def held(store):
    made = {name: open_liveness(store, name) for name in ("wrk_a", "wrk_b")}
    yield made
    for one in made.values():
        one.release()


def enter(store, *names):
    with store.transaction() as tx:
        for name in names:
            register(tx, name, "worker", "host", 7)


def dead(store, by):
    with store.read() as tx:
        return dead_owners(tx, by)


def test_a_process_is_registered_seen_and_forgotten(store, clock):
    enter(store, "wrk_a")
    clock.advance(1)
    with store.transaction() as tx:
        assert seen(tx, "wrk_a")
        assert not seen(tx, "wrk_b")
        [process] = known(tx)
        assert (process.kind, process.host, process.pid) == ("worker", "host", 7)
        assert process.seen_at == process.started_at + 1000
        assert forget(tx, ["wrk_a", "wrk_b"]) == 1
        assert known(tx) == []


def test_who_holds_its_sign_of_life_is_not_dead_however_long_it_is_silent(store, clock, held):
    assert held["wrk_a"].hold()
    assert held["wrk_b"].hold()
    enter(store, "wrk_a", "wrk_b")
    clock.advance(3600)
    assert dead(store, held["wrk_a"]) == frozenset()
    assert dead(store, held["wrk_b"]) == frozenset()


def test_who_lost_it_is_dead_once_it_is_silent_too(store, clock, held):
    assert held["wrk_a"].hold()
    assert held["wrk_b"].hold()
    enter(store, "wrk_a", "wrk_b")
    held["wrk_b"].release()
    assert dead(store, held["wrk_a"]) == frozenset()
    clock.advance(4)
    assert dead(store, held["wrk_a"]) == {"wrk_b"}


def test_a_process_that_is_still_seen_is_not_dead_though_its_lock_broke(store, clock, held):
    enter(store, "wrk_a", "wrk_b")
    assert held["wrk_a"].hold()
    clock.advance(10)
    with store.transaction() as tx:
        seen(tx, "wrk_b")
    assert dead(store, held["wrk_a"]) == frozenset()


def test_a_sign_of_life_is_held_once_and_again_after_it_was_let_go(store, held):
    mine, twin = held["wrk_a"], open_liveness(store, "wrk_a")
    assert mine.hold()
    assert mine.hold()
    assert not twin.hold()
    mine.release()
    assert twin.hold()
    twin.release()


def cut(store, sign, *, ropes):
    with store.transaction() as tx:
        for rope in list(sign._ropes.values())[:ropes]:
            tx.all("SELECT pg_terminate_backend(:pid, 5000)", pid=rope.info.backend_pid)


# Only here can the server cut a single connection.
@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_broken_liveness_connection_is_made_anew_at_the_next_beat(store, held):
    mine = held["wrk_a"]
    assert mine.hold()
    cut(store, mine, ropes=1)
    assert mine.hold()
    assert len(mine._ropes) == 2
    with store.read() as tx:
        assert mine.alive(tx, ["wrk_a", "wrk_b"]) == {"wrk_a"}


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_living_process_is_not_taken_for_dead_because_one_of_its_connections_broke(store, held):
    judge, other = held["wrk_a"], held["wrk_b"]
    assert judge.hold()
    assert other.hold()
    cut(store, other, ropes=1)
    with store.read() as tx:
        assert judge.alive(tx, ["wrk_b"]) == {"wrk_b"}
    cut(store, other, ropes=2)  # the twin: with one rope only, this is all it takes
    with store.read() as tx:
        assert judge.alive(tx, ["wrk_b"]) == frozenset()
    assert other.hold()
    with store.read() as tx:
        assert judge.alive(tx, ["wrk_b"]) == {"wrk_b"}


def test_a_database_that_is_away_gives_no_sign_of_life_and_no_error(store, monkeypatch):
    mine = liveness.SessionLiveness("wrk_a", store)
    monkeypatch.setattr(mine, "_address", "postgresql://nobody@/nothing?host=/nowhere")
    assert not mine.hold()


def test_a_liveness_file_that_was_removed_is_made_anew(tmp_path):
    mine = FileLiveness("wrk_a", tmp_path / "alive")
    assert mine.hold()
    (tmp_path / "alive" / "wrk_a.alive").unlink()
    assert mine.hold()
    assert FileLiveness("wrk_b", tmp_path / "alive").alive(None, ["wrk_a"]) == {"wrk_a"}
    mine.release()
    assert list((tmp_path / "alive").iterdir()) == []


def test_the_file_of_a_dead_process_is_cleared_away(tmp_path):
    (tmp_path / "wrk_dead.alive").touch()
    mine = FileLiveness("wrk_a", tmp_path)
    assert mine.alive(None, ["wrk_a", "wrk_dead", "wrk_never"]) == frozenset()
    assert list(tmp_path.iterdir()) == []


def test_a_process_id_is_no_path(tmp_path):
    with pytest.raises(ValueError, match="process id"):
        FileLiveness("../x", tmp_path)


def test_a_database_without_a_file_has_no_liveness():
    class Nowhere:
        dialect = "sqlite"
        url = "sqlite://"

    with pytest.raises(Misconfigured):
        open_liveness(Nowhere(), "wrk_a")


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_who_lost_its_own_sign_takes_nobody_for_dead_until_the_others_are_back(open_another):
    store = open_another(SystemClock())
    judge, other = open_liveness(store, "wrk_a"), open_liveness(store, "wrk_b")
    try:
        assert judge.hold()
        enter(store, "wrk_a", "wrk_b")
        with store.transaction() as tx:
            tx.run("UPDATE processes SET seen_at = seen_at - 1")
        assert dead_at_once(store, judge) == {"wrk_b"}  # never held one
        with store.transaction() as tx:
            tx.all(  # of this database only: the server is shared with tests that run beside this one
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        assert dead_at_once(store, judge) == frozenset()  # its own is gone: it cannot know
        assert judge.hold()
        assert dead_at_once(store, judge) == frozenset()  # and has only just come back
        judge._judges_from = 0.0
        assert dead_at_once(store, judge) == {"wrk_b"}
    finally:
        judge.release()
        other.release()


def dead_at_once(store, by):
    with store.read() as tx:
        return dead_owners(tx, by, grace_ms=0)
