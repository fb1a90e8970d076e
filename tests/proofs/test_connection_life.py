"""No order of events breaks a promise about connections; each defence that is taken away is missed."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from connector.flows import refresh_attempt, refresh_waiting
from providers.errors import ProviderError
from tests.connected import Linked, linked
from tests.proofs.connection_life import DEEP, SETTINGS, Life

pytestmark = [pytest.mark.timeout(0)] if DEEP else []


@pytest.fixture
def town(tmp_path, store, clock, monkeypatch) -> Linked:
    made = linked(tmp_path, store, clock)
    began = clock.now() - int(clock.monotonic() * 1000)
    made.provider.config.now = lambda: began + int(clock.monotonic() * 1000)  # its clock is right, whatever ours says
    monkeypatch.setattr(refresh_waiting, "WAIT_S", 0.2)
    return made


def lived(town: Linked) -> None:
    run_state_machine_as_test(type("Life", (Life,), {"town": town}), settings=SETTINGS)


def test_no_order_of_events_breaks_a_promise(town):
    lived(town)


def test_twin_where_any_refusal_is_believed_a_living_grant_is_given_up(town, monkeypatch):
    """An answer that proves nothing taken for the provider's word: the model finds it."""
    honest = refresh_attempt._after_failure

    def hasty(gateway, job, problem):
        honest(gateway, job, replace_kind(problem))

    monkeypatch.setattr(refresh_attempt, "_after_failure", hasty)
    with pytest.raises(AssertionError, match="though the provider would take the refresh token"):
        lived(town)


def replace_kind(problem: ProviderError) -> ProviderError:
    return ProviderError("rejected", problem.code, problem.hint)
