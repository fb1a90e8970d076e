"""Notices to everybody in batches, a standing no, and what a writer to the database can do about them: close things."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import inbox
from connector.flows import post_notices, stances
from connector.inbox import Announcement, Toward
from connector.model.tags import Notice
from connector.people import create_user
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import House, make_house

DAY_MS = 86_400_000


@pytest.fixture
def house(tmp_path: Path, store: Store, clock: ManualClock) -> House:
    return make_house(tmp_path, store, clock)


def sharing(window_ms: int = 30 * DAY_MS) -> Announcement:
    return Announcement("sharing", "partner", "Partner Shop", ["They would get your name."], window_ms)


def settle(house: House, *, newcomers: bool = False) -> None:
    while post_notices.spread(house.gateway, newcomers=newcomers):
        pass


def person(house: House) -> str:
    with house.gateway.store.transaction() as tx:
        return create_user(tx, house.gateway.vault, house.tenant.id).sub


def announced(house: House, new: Announcement) -> inbox.Notice:
    with house.gateway.store.transaction() as tx:
        return inbox.announce(tx, house.gateway.vault, house.tenant.id, new)


def toward(house: House, sub: str, recipient: str = "affiliate", name: str = "partner") -> Notice:
    with house.gateway.store.read() as tx:
        return stances.notice_toward(house.gateway, tx, house.tenant.id, sub, recipient, name)


def say(house: House, sub: str, what: inbox.Toward, name: str, said: str, by: str = "subject") -> bool:
    with house.gateway.store.transaction() as tx:
        return stances.take_in(house.gateway, tx, house.tenant.id, sub, what, name, said, by=by)  # type: ignore[arg-type]


def test_everybody_gets_it_once_in_batches_and_saying_it_again_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_notices, "BATCH", 2)
    people = [person(house) for _ in range(5)]
    first = announced(house, sharing())
    assert announced(house, Announcement("sharing", "partner", "Other words", [], 1)) == first
    assert post_notices.spread(house.gateway) == 2
    settle(house)
    with house.gateway.store.read() as tx:
        items = tx.all("SELECT sub FROM inbox_items")
        letters = tx.all("SELECT sub FROM mails")
    assert sorted(row["sub"] for row in items) == sorted(row["sub"] for row in letters) == sorted(people)
    assert post_notices.spread(house.gateway) == 0


def test_who_comes_later_is_told_too_with_the_whole_time_to_object(house: House, clock: ManualClock) -> None:
    announced(house, sharing())
    settle(house)
    clock.advance(hours=20 * 24)
    late = person(house)
    settle(house)
    assert toward(house, late) is Notice.NONE
    settle(house, newcomers=True)
    clock.advance(hours=29 * 24)
    assert toward(house, late) is Notice.WAITING
    clock.advance(hours=2 * 24)
    assert toward(house, late) is Notice.CLEAR


def test_an_objection_counts_before_during_and_after_the_window_until_it_is_taken_back(
    house: House, clock: ManualClock
) -> None:
    sub = person(house)
    announced(house, sharing())
    assert toward(house, sub) is Notice.NONE
    settle(house)
    assert toward(house, sub) is Notice.WAITING
    clock.advance(hours=31 * 24)
    assert toward(house, sub) is Notice.CLEAR
    assert say(house, sub, Toward.AFFILIATE, "partner", "no")
    assert toward(house, sub) is Notice.OBJECTED
    assert say(house, sub, Toward.AFFILIATE, "partner", "none")
    assert toward(house, sub) is Notice.CLEAR


def test_what_was_called_off_opens_nothing(house: House, clock: ManualClock) -> None:
    sub = person(house)
    notice = announced(house, sharing())
    settle(house)
    clock.advance(hours=31 * 24)
    with house.gateway.store.transaction() as tx:
        inbox.called_off(tx, house.gateway.vault, notice)
    assert toward(house, sub) is Notice.NONE


def test_what_a_browser_signals_never_outweighs_what_the_person_said(house: House) -> None:
    sub = person(house)
    assert say(house, sub, Toward.AFFILIATE, "", "no", by="gpc")
    assert toward(house, sub) is Notice.OBJECTED
    assert say(house, sub, Toward.AFFILIATE, "", "none")
    assert not say(house, sub, Toward.AFFILIATE, "", "no", by="gpc")
    assert toward(house, sub) is Notice.NONE


@pytest.mark.parametrize(
    ("table", "change", "stands"),
    [
        ("stances", "stance = 'none'", Notice.OBJECTED),
        ("stances", "stance = 'yes'", Notice.OBJECTED),
        ("inbox_items", "closes_at = 1, effective_at = 1", Notice.NONE),
        ("notices", "window_ms = 0", Notice.NONE),
    ],
)
def test_whoever_writes_to_the_database_opens_nothing(house: House, table: str, change: str, stands: Notice) -> None:
    sub = person(house)
    announced(house, sharing())
    settle(house)
    if table == "stances":
        say(house, sub, Toward.AFFILIATE, "partner", "no")
    with house.gateway.store.transaction() as tx:
        tx.run(f"UPDATE {table} SET {change}")
    assert toward(house, sub) is stands


def test_twin_without_the_row_seals_the_changed_rows_open_it(
    house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = person(house)
    announced(house, sharing())
    settle(house)
    say(house, sub, Toward.AFFILIATE, "partner", "no")
    for module in (inbox.stances, inbox.items, inbox.notices):
        monkeypatch.setattr(module, "is_whole", lambda *_: True)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE stances SET stance = 'none'")
        tx.run("UPDATE inbox_items SET closes_at = 1, effective_at = 1")
    assert toward(house, sub) is Notice.CLEAR
