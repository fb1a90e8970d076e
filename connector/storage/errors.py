"""What the database can say no to."""

from __future__ import annotations

from connector.model.errors import Conflict, TryLater


class UniqueViolation(Conflict):
    """A row with this key is there already."""

    def __init__(self, constraint: str) -> None:
        super().__init__("already_exists", "It exists already.", detail=f"unique constraint {constraint}")


class GuardRefused(Conflict):
    """A trigger of the database refused a change that no part of the gateway should ask for (see `storage.guards`)."""

    def __init__(self, guard: str) -> None:
        super().__init__(
            "change_refused", "The database refused a change that is not allowed; nothing was changed.", detail=guard
        )


class DatabaseUnavailable(TryLater):
    """The database cannot be reached, is locked for too long, or cannot write."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The database cannot be used right now; nothing was changed. Try again.",
            retry_after_s=2,
            code="database_unavailable",
            detail=detail,
        )
