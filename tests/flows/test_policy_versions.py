"""Which versions of the policy may count: announced, unedited, in time; and what is refused says where."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector import inbox, publications
from connector.flows import push_update
from connector.flows.announce_policy import Posted, announce_version
from connector.flows.edit_profile import edit_profile
from connector.flows.policy_versions import admit, examined, record_in_force
from connector.flows.read_records import read_profile
from connector.ledger import show
from connector.model.errors import BadInput, Conflict, Misconfigured
from connector.model.tags import Purpose, Use
from connector.policy import Policy, Version
from connector.storage import Store
from tests.agreed import WRITING, agree, grant_scopes, push_all, typed, writes
from tests.clock import ManualClock
from tests.connected import linked
from tests.gateways import House, make_house
from tests.policy.shipped import policy, standing, tags
from tests.policy.successors import NAME, followed_by, narrower, same, successor, wider

DAY = 86_400_000
WINDOW = timedelta(days=30)


@pytest.fixture
def house(tmp_path: Path, store: Store, clock: ManualClock) -> House:
    """A gateway that has worked under the shipped version."""
    return make_house(tmp_path, store, clock)


def announced(house: House, found: Policy) -> Posted:
    return announce_version(house.gateway.store, house.gateway.vault, found, NAME, window=WINDOW, contact="x@y")


def refusal(house: House, found: Policy) -> str:
    with pytest.raises(Misconfigured) as refused:
        admit(house.gateway.store, found, WINDOW)
    assert not any(version.name not in refused.value.hint for version in found.versions[1:])
    return refused.value.code


def in_days(clock: ManualClock, days: int, change=wider, **head: object) -> Version:
    return successor(change, effective_at=clock.now() + days * DAY, **head)


def test_what_is_in_force_is_recorded_once_with_its_hash_in_the_ledger(house: House) -> None:
    store = house.gateway.store
    admit(store, policy(), WINDOW)
    assert record_in_force(store, policy()) == 0
    with store.read() as tx:
        (one,) = publications.in_force(tx).values()
        entries = [entry for entry in show(tx, limit=500) if entry.kind == "policy_in_effect"]
    assert (one.version, one.sha256) == ("2019-03-11", policy().versions[0].sha256)
    assert [entry.id for entry in entries] == [one.ledger_entry_id]
    assert entries[0].facts["sha256"] == one.sha256


def test_clause_7_a_widening_that_nobody_was_told_of_is_refused_with_its_cells(house: House, clock) -> None:
    found = followed_by(in_days(clock, 40))
    with pytest.raises(
        Misconfigured, match=r"opened push provider sync: 96 cells: .*source in imported/observed"
    ) as no:
        admit(house.gateway.store, found, WINDOW)
    assert no.value.code == "policy_version_unannounced"
    assert f"connector policy announce {NAME}" in no.value.hint


def test_clause_7_an_announced_widening_counts_from_its_announcement(house: House, clock) -> None:
    found = followed_by(in_days(clock, 40))
    told_at = clock.now()
    assert announced(house, found).new
    clock.advance(days=41)
    admitted = admit(house.gateway.store, found, WINDOW)
    assert admitted.versions[1].posted_at == told_at
    push, imported = Use.of("push", "provider", "sync"), tags("contact", "imported")
    dormant = admitted.decide(push, imported, standing(), clock.now(), told_at - 1)
    back = admitted.decide(push, imported, standing(), clock.now(), told_at)
    assert (dormant.allowed, back.allowed) == (False, True)


def test_an_announcement_that_a_writer_of_the_database_dates_back_counts_from_its_entry_in_the_ledger(
    house: House, clock
) -> None:
    late = followed_by(in_days(clock, 31))
    announced(house, late)
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE policy_announcements SET announced_at = announced_at - :by", by=60 * 86_400_000)
    with pytest.raises(Misconfigured, match="before its notice window is over"):
        admit(house.gateway.store, late, timedelta(days=60))


def test_clause_7_a_notice_window_that_is_not_over_is_refused(house: House, clock) -> None:
    soon = followed_by(in_days(clock, 29))
    with pytest.raises(Conflict, match="notice window of 30 days"):
        announced(house, soon)
    late = followed_by(in_days(clock, 31))
    announced(house, late)
    with pytest.raises(Misconfigured, match="before its notice window is over") as refused:
        admit(house.gateway.store, late, timedelta(days=60))
    assert refused.value.code == "policy_version_too_soon"


def test_a_version_edited_after_its_announcement_is_refused_until_announced_anew(house: House, clock) -> None:
    first = in_days(clock, 40)
    announced(house, followed_by(first))
    edited = successor(wider, effective_at=first.effective_at, default_clause="3a")
    assert refusal(house, followed_by(edited)) == "policy_version_changed"
    assert announced(house, followed_by(edited)).new
    assert admit(house.gateway.store, followed_by(edited), WINDOW).versions[1].name == NAME


def test_a_narrowing_needs_no_announcement_and_bites_for_everyone_at_once(house: House, clock) -> None:
    admitted = admit(house.gateway.store, followed_by(in_days(clock, 1, narrower)), WINDOW)
    clock.advance(days=1)
    given = tags("contact", "given")
    assert not admitted.decide(Use.of("push", "provider", "sync"), given, standing(), clock.now()).allowed


def test_a_version_that_was_edited_after_it_was_in_force_is_refused(house: House) -> None:
    first = policy().versions[0]
    edited = Policy([Version(first.book, "e" * 64)])
    with pytest.raises(Misconfigured, match=r"Version 2019-03-11 .* was edited since") as refused:
        admit(house.gateway.store, edited, WINDOW)
    assert refused.value.code == "policy_version_edited"


def test_without_the_record_the_edited_version_would_load(house: House) -> None:
    """The twin."""
    with house.gateway.store.transaction() as tx:
        tx.run("DELETE FROM policy_versions")
    first = policy().versions[0]
    assert admit(house.gateway.store, Policy([Version(first.book, "e" * 64)]), WINDOW).versions[0].sha256 == "e" * 64


def test_a_hash_that_was_changed_in_the_table_alone_is_seen(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        tx.run("UPDATE policy_versions SET sha256 = :other", other="e" * 64)
    first = policy().versions[0]
    assert refusal(house, Policy([Version(first.book, "e" * 64)])) == "policy_version_unproven"


def test_an_announcement_that_was_only_written_into_the_table_opens_nothing(house: House, clock) -> None:
    found = followed_by(in_days(clock, 40))
    with house.gateway.store.transaction() as tx:
        newer = found.versions[1]
        forged = publications.Announced(
            NAME, newer.sha256, "2019-03-11", newer.effective_at, 0, 0, 0, 0, "", ledger_entry_id=1
        )
        publications.announce(tx, forged)
    assert refusal(house, found) == "policy_version_unannounced"


def test_a_version_that_was_in_force_cannot_be_taken_away(house: House, clock) -> None:
    only = Policy([successor(same, effective_at=clock.now() - DAY, name="2018-01-01")])
    with pytest.raises(Misconfigured, match=r"2019-03-11 .* put its folder back") as refused:
        admit(house.gateway.store, only, WINDOW)
    assert refused.value.code == "policy_version_gone"


def test_nothing_is_dated_back_before_what_is_in_force(house: House) -> None:
    first = policy().versions[0]
    older = successor(same, effective_at=first.effective_at - DAY, name="2018-01-01")
    with pytest.raises(Misconfigured, match=r"2018-01-01 .* in force already"):
        admit(house.gateway.store, Policy([older, first]), WINDOW)
    after = successor(narrower, effective_at=first.effective_at + DAY)
    admit(house.gateway.store, followed_by(after), WINDOW)
    between = successor(narrower, effective_at=first.effective_at + DAY // 2, name="2019-03-12")
    with pytest.raises(Misconfigured, match=r"2019-03-12 .* in force already") as refused:
        admit(house.gateway.store, followed_by(between, after), WINDOW)
    assert refused.value.code == "policy_version_backdated"


def test_a_clock_that_went_back_stops_the_start(house: House, clock) -> None:
    clock.set_wall(clock.now() - 10 * 60 * 1000)
    with pytest.raises(Misconfigured, match="set the clock right") as refused:
        admit(house.gateway.store, policy(), WINDOW)
    assert refused.value.code == "clock_went_back"


def test_a_clock_that_goes_back_while_we_run_brings_no_older_version_back(house: House, clock) -> None:
    newer = in_days(clock, 1, narrower)
    clock.advance(days=2)
    admitted = admit(house.gateway.store, followed_by(newer), WINDOW)
    before = newer.effective_at - 1
    push, given = Use.of("push", "provider", "sync"), tags("contact", "given")
    refused = admitted.decide(push, given, standing(), before)
    assert (refused.allowed, refused.rule_id) == (False, "clock-went-back")
    assert NAME in refused.explanation
    assert followed_by(newer).decide(push, given, standing(), before).allowed, "the twin: nobody knows what was reached"


def test_a_version_that_takes_effect_while_we_run_is_recorded(house: House, clock) -> None:
    admitted = admit(house.gateway.store, followed_by(in_days(clock, 1, narrower)), WINDOW)
    clock.advance(days=1)
    assert record_in_force(house.gateway.store, admitted) == 1
    with house.gateway.store.read() as tx:
        assert list(publications.in_force(tx)) == ["2019-03-11", NAME]


def test_looking_at_the_versions_writes_nothing(house: House, clock) -> None:
    found = followed_by(in_days(clock, 1, narrower))
    clock.advance(days=2)
    assert examined(house.gateway.store, found, WINDOW).versions[1].name == NAME
    with house.gateway.store.read() as tx:
        assert list(publications.in_force(tx)) == ["2019-03-11"]


def test_an_announcement_lies_in_every_tenants_notices_once(house: House, clock) -> None:
    found = followed_by(in_days(clock, 40))
    first = announced(house, found)
    assert (first.new, first.tenants) == (True, 2)
    again = announced(house, found)
    assert (again.new, again.announced) == (False, first.announced)
    for tenant in (house.tenant, house.other_tenant):
        with house.gateway.store.read() as tx:
            (notice,) = inbox.notices_of(tx, house.gateway.vault, tenant.id)
        assert (notice.kind, notice.topic) == ("policy", NAME)
        assert any("What becomes possible" in line for line in notice.paragraphs)


def test_what_is_in_force_or_unknown_or_first_cannot_be_announced(house: House, clock) -> None:
    found = followed_by(successor(narrower, effective_at=clock.now()))
    admit(house.gateway.store, found, WINDOW)
    with pytest.raises(Conflict, match="in force already"):
        announced(house, found)
    with pytest.raises(BadInput, match="There is no version"):
        announced(house, policy())
    gateway = house.gateway
    with pytest.raises(BadInput, match="first version"):
        announce_version(gateway.store, gateway.vault, policy(), "2019-03-11", window=WINDOW, contact="x")


def test_clause_7_what_was_collected_before_is_used_by_the_version_of_the_moment_and_the_ledger_says_which(
    tmp_path: Path, store: Store, clock: ManualClock
) -> None:
    town = linked(tmp_path, store, clock)
    grant_scopes(town, *WRITING)
    agree(town, "push", "phones")
    typed(town, {"phones": {"p1": {"number": "+45 55 55 01 02"}}})
    push_all(town)
    at = clock.now() + 40 * DAY
    gateway = replace(town.gateway, policy=admit(store, followed_by(successor(narrower, effective_at=at)), WINDOW))

    def happens(number: str) -> int:
        read_profile(gateway, town.house.web, town.connection().sub, Purpose.SERVICE)
        edit_profile(gateway, town.house.web, town.connection().sub, {"phones": {"p1": {"number": number}}})
        before = len(writes(town))
        while push_update.step(gateway):
            pass
        return len(writes(town)) - before

    clock.advance((at - clock.now()) / 1000 - 1)
    assert happens("+45 55 55 01 03") == 1
    clock.advance(1)
    assert happens("+45 55 55 01 04") == 0
    read = [entry for entry in town.entries("release") if entry["purpose"] == "service"]
    assert [entry["policy_version"] for entry in read] == ["2019-03-11", NAME]
