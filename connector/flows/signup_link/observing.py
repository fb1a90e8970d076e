"""Requests about a person are counted as they go out, and entered in the ledger with what came of them."""

from __future__ import annotations

from connector.authorizations import Authorization
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.storage import Transaction
from providers.exchange import NetworkFailure, Request, Response


class Observed:
    """Collects outcomes while an exchange runs. Holds no bodies and no addresses."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, int | None]] = []

    def __call__(self, request: Request, outcome: Response | NetworkFailure) -> None:
        """One request ended."""
        if not request.about_person:
            return
        if isinstance(outcome, NetworkFailure):
            self.outcomes.append(("no_answer" if outcome.sent == "maybe" else "not_sent", None))
        else:
            self.outcomes.append(("answered", outcome.status))

    def record(self, tx: Transaction, authorization: Authorization, *, pseudonym: str | None = None) -> None:
        """Enter what was seen, once."""
        for outcome, status in self.outcomes:
            facts = {
                "authorization": authorization.id,
                "integration": authorization.integration_id,
                "action": "sign_in",
                "outcome": outcome,
                "http_status": status,
            }
            append(tx, Entry(EntryKind.PROVIDER_REQUEST, authorization.tenant_id, pseudonym, facts))
