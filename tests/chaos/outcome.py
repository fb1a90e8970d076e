"""What came of a storm, and how it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Held:
    """One number against its bar."""

    what: str
    measured: float | int | str
    bar: str
    ok: bool


@dataclass(slots=True)
class Outcome:
    """One storm on one database.

    Attributes:
        row: F1 … F18, or the defence that a twin switches off.
        also: figures without a bar.
    """

    row: str
    storm: str
    database: str
    done: str
    held: list[Held] = field(default_factory=list)
    also: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every number was held."""
        return all(one.ok for one in self.held)

    def none(self, what: str, measured: int) -> None:
        """It must not have happened at all."""
        self.held.append(Held(what, measured, "0", measured == 0))

    def at_most(self, what: str, measured: float, bar: float, unit: str = "") -> None:
        """A bound."""
        self.held.append(Held(what, round(measured, 2), f"≤ {bar:g}{unit}", measured <= bar))

    def some(self, what: str, measured: float) -> None:
        """It must have happened: the storm met something, or a twin lost something."""
        self.held.append(Held(what, round(measured, 2), "> 0", measured > 0))

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {**asdict(self), "ok": self.ok}
