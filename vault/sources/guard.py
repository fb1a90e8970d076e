"""How a key service is asked: briefly, once more where it did not answer, and not at all for a while if it is out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from vault.errors import KeyServiceOut

TIMEOUT_S = 2.0
"""How long one request may take."""
_TRIES = 2
_FAILURES = 3
_REST_S = 10.0

T = TypeVar("T")


class Unanswered(Exception):
    """One request was not answered, or not by the service itself: asking again may help. `why` names no secret."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Health:
    """How a key service does. `out_for_s` counts from the first request it left unanswered; 0 where all is well."""

    ok: bool
    words: str
    out_for_s: float = 0.0


class Guard:
    """Asks one service. Safe for threads: while it rests, one caller in ten seconds finds out whether it is back.

    A refusal is an answer: only silence, overload and errors of the service itself count as failures.
    """

    def __init__(self, name: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._monotonic = monotonic
        self._lock = Lock()
        self._failures = 0
        self._since: float | None = None
        self._why = ""
        self._rests_until = 0.0

    def ask(self, request: Callable[[], T]) -> T:
        """What the request answers.

        Raises:
            KeyServiceOut: it was not answered twice, or the service rests.
        """
        self._refuse_while_resting()
        for _ in range(_TRIES):
            try:
                answer = request()
            except Unanswered as error:
                why = error.why
            else:
                self._answered()
                return answer
        self._failed(why)
        raise self._out()

    def health(self) -> Health:
        """From the last requests; asks nothing."""
        with self._lock:
            if self._since is None:
                return Health(ok=True, words=f"{self._name} answers.")
            out_for_s = self._monotonic() - self._since
            return Health(False, f"{self._name} does not answer ({self._why}).", out_for_s)

    def _refuse_while_resting(self) -> None:
        with self._lock:
            if self._failures < _FAILURES:
                return
            now = self._monotonic()
            if now < self._rests_until:
                raise self._out()
            self._rests_until = now + _REST_S  # this caller tries; the others go on waiting

    def _answered(self) -> None:
        with self._lock:
            self._failures, self._since, self._why = 0, None, ""

    def _failed(self, why: str) -> None:
        with self._lock:
            now = self._monotonic()
            self._failures += 1
            self._why = why
            self._since = now if self._since is None else self._since
            self._rests_until = now + _REST_S

    def _out(self) -> KeyServiceOut:
        return KeyServiceOut(
            f"{self._name} does not answer ({self._why}).",
            "See that it runs and that this host reaches it; what is in memory goes on serving meanwhile.",
        )
