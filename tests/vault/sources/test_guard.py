import threading
from collections.abc import Callable

import pytest

from tests.clock import ManualClock
from vault import KeyServiceOut, KeySourceError
from vault.sources.guard import Guard, Unanswered


class Service:
    """Answers or not, as it is told; counts."""

    def __init__(self, *plan: str) -> None:
        self.plan = list(plan)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        word = self.plan.pop(0) if self.plan else "answer"
        if word == "silence":
            raise Unanswered("TimeoutError")
        if word == "refusal":
            raise KeySourceError("It refuses.", "Ask.")
        return word


@pytest.fixture
def guard(clock: ManualClock) -> Guard:
    return Guard("The key service", monotonic=clock.monotonic)


def _silent(guard: Guard, times: int) -> Service:
    service = Service(*["silence"] * 2 * times)
    for _ in range(times):
        with pytest.raises(KeyServiceOut, match="TimeoutError") as caught:
            guard.ask(service)
        assert caught.value.mend
    return service


def test_what_was_not_answered_is_asked_once_more_and_no_more(guard: Guard) -> None:
    service = Service("silence", "answer")
    assert (guard.ask(service), service.asked) == ("answer", 2)
    assert _silent(guard, 1).asked == 2


def test_a_refusal_is_an_answer_and_is_not_repeated(guard: Guard) -> None:
    service = Service(*["refusal"] * 9)
    for _ in range(9):
        with pytest.raises(KeySourceError, match="refuses"):
            guard.ask(service)
    assert service.asked == 9
    assert guard.health().ok


def test_a_service_that_is_out_is_left_alone_for_a_while(guard: Guard, clock: ManualClock) -> None:
    _silent(guard, 3)
    service = Service()
    for _ in range(50):
        with pytest.raises(KeyServiceOut):
            guard.ask(service)
    assert service.asked == 0
    clock.advance(10)
    assert guard.ask(service) == "answer"
    assert guard.health().ok


def test_one_caller_finds_out_whether_it_is_back_while_the_others_are_refused(guard: Guard, clock: ManualClock) -> None:
    _silent(guard, 3)
    clock.advance(10)
    trying, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        trying.set()
        go_on.wait(30)
        return "back"

    found: list[str] = []
    first = threading.Thread(target=lambda: found.append(guard.ask(slow)))
    first.start()
    trying.wait(30)
    with pytest.raises(KeyServiceOut):
        guard.ask(Service())
    go_on.set()
    first.join(30)
    assert found == ["back"]
    assert guard.ask(Service()) == "answer"


def test_health_tells_since_when_and_asks_nothing(guard: Guard, clock: ManualClock) -> None:
    assert (guard.health().ok, guard.health().out_for_s) == (True, 0)
    _silent(guard, 1)
    clock.advance(90)
    health = guard.health()
    assert (health.ok, health.out_for_s) == (False, 90)
    assert "does not answer (TimeoutError)" in health.words


def test_without_the_rest_every_caller_waits_for_a_dead_service(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse: Callable[[Guard], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr(Guard, "_refuse_while_resting", refuse)
    assert _silent(guard, 25).asked == 50
