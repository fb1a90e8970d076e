"""Requests about a person are counted as they go out, and entered in the ledger with what came of them."""

from __future__ import annotations

from connector.connections import Connection
from connector.ledger import Entry, append_all
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.storage import Transaction
from providers.exchange import NetworkFailure, Request, Response


class Observed:
    """Collects outcomes while exchanges of one piece of work run. Holds no bodies and no addresses."""

    def __init__(self) -> None:
        self._outcomes: list[tuple[str, int | None]] = []

    def __call__(self, request: Request, outcome: Response | NetworkFailure) -> None:
        """One request ended."""
        if not request.about_person:
            return
        if isinstance(outcome, NetworkFailure):
            self._outcomes.append(("no_answer" if outcome.sent == "maybe" else "not_sent", None))
        else:
            self._outcomes.append(("answered", outcome.status))

    def record(self, tx: Transaction, connection: Connection, facts: dict[str, Fact]) -> None:
        """Enter what was seen since the last time, each request once."""
        places: dict[str, Fact] = {"connection": connection.id, "integration": connection.integration_id}
        self.enter(tx, connection.tenant_id, connection.pseudonym, places | facts)

    def enter(self, tx: Transaction, tenant_id: str, pseudonym: str | None, facts: dict[str, Fact]) -> None:
        """The same, where there is no connection to name any more."""
        entries = [
            Entry(
                EntryKind.PROVIDER_REQUEST,
                tenant_id,
                pseudonym,
                {"outcome": outcome, "http_status": status, **facts},
            )
            for outcome, status in self._outcomes
        ]
        append_all(tx, entries)
        tx.after_commit(self._outcomes.clear)
