"""Clause 2b: how the service is used is said in figures that name nobody, and no two of them can be subtracted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector import ledger
from connector.cli import reports as command
from connector.flows import reports
from connector.flows.erase import delete_user
from connector.ledger import Entry, append_all
from connector.model.ids import new_id
from connector.model.states import Ended
from connector.people import create_user
from connector.storage import Store
from tests.clock import ManualClock
from tests.journeys.test_disclosures import at_the_desk
from tests.signing_up import Town, make_town

K = 10
DAY_H = 24


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def people(town: Town, many: int, kind: str = "portal_opened") -> list[str]:
    """So many people do something now, some of them twice."""
    names = [new_id("psn") for _ in range(many)]
    with town.gateway.store.transaction() as tx:
        append_all(tx, [Entry(kind, town.house.tenant.id, name) for name in [*names, *names[::2]]])
    return names


def said(town: Town) -> dict[str, Any]:
    return {month: dict(row) for month, row in reports.usage(town.gateway, town.house.tenant.id).rows.items()}


@pytest.mark.parametrize(("many", "figure"), [(0, None), (1, None), (9, None), (10, 10), (19, 10), (20, 20), (25, 20)])
def test_a_figure_is_a_multiple_of_the_threshold_or_nothing(many: int, figure: int | None) -> None:
    assert reports.said(many, K) == figure


def test_a_month_under_way_is_not_spoken_of_and_one_that_is_over_counts_people_once(
    town: Town, clock: ManualClock
) -> None:
    people(town, 23)
    people(town, 9, "exported")
    assert "2026-01" not in said(town)
    clock.advance(hours=31 * DAY_H)
    month = said(town)["2026-01"]
    assert month["looked at their own pages"] == 20
    assert month["took a copy"] is None
    assert month["signed up"] is None, "that nobody did is not said either"


def test_the_same_report_says_the_same_whatever_happens_to_one_person_in_between(
    town: Town, clock: ManualClock
) -> None:
    people(town, 19)
    with town.gateway.store.transaction() as tx:
        ada = create_user(tx, town.gateway.vault, town.house.tenant.id)
        append_all(tx, [Entry("portal_opened", ada.tenant_id, ada.pseudonym)])
    clock.advance(hours=31 * DAY_H)
    before = said(town)
    people(town, 1)
    delete_user(town.gateway, ada.tenant_id, ada.sub, Ended.PERSON)
    assert said(town) == before
    assert before["2026-01"]["looked at their own pages"] == 20


def test_twin_exact_figures_of_the_running_month_tell_what_one_person_did(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "said", lambda many, _k: many)
    monkeypatch.setattr(reports, "_months", lambda now: [("now", 0, now + 1)])
    people(town, 12)
    before = said(town)["now"]["looked at their own pages"]
    people(town, 1)
    assert said(town)["now"]["looked at their own pages"] - before == 1


def test_another_tenants_people_are_in_nobody_elses_figures(town: Town, clock: ManualClock) -> None:
    with town.gateway.store.transaction() as tx:
        entries = [Entry("portal_opened", town.house.other_tenant.id, new_id("psn")) for _ in range(30)]
        append_all(tx, entries)
    clock.advance(hours=31 * DAY_H)
    assert set(said(town)["2026-01"].values()) == {None}


def test_only_kinds_of_entries_are_counted_and_none_of_them_can_hold_words_of_a_note() -> None:
    counted = {kind for kinds in reports.ACTIVITIES.values() for kind in kinds}
    assert counted <= {str(kind) for kind in ledger.KINDS}


def test_the_command_prints_the_figures(town: Town, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    run_here: Callable[..., Any] = at_the_desk(town, monkeypatch)
    people(town, 11)
    clock.advance(hours=31 * DAY_H)
    done = run_here(command.reports, "usage", "--tenant", "shop")
    assert done.exit_code == 0, done.output
    assert "Rounded down to 10" in done.output
