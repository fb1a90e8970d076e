"""What the provider gave, and the transaction in which it lands."""

from __future__ import annotations

from dataclasses import dataclass

from connector.authorizations import Authorization
from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.flows.signup_link.observing import Observed
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.ledger.kinds import Fact
from connector.people import NewIdentity, User
from connector.storage import Transaction
from providers.capabilities import Account, Grant


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the provider gave for a flow that this process holds. `sent_at` in ms."""

    authorization: Authorization
    client: Client
    whole: Integrated
    grant: Grant
    account: Account
    sent_at: int
    observed: Observed

    @property
    def named(self) -> NewIdentity:
        """The account, by exact bytes."""
        whole = self.whole
        return NewIdentity(whole.integration.id, whole.entry.name, self.account.issuer, self.account.subject)


@dataclass(frozen=True, slots=True)
class Landing:
    """One try to land an arrival: the transaction and what it needs."""

    gateway: Gateway
    tx: Transaction
    arrival: Arrival

    def note(self, user: User, kind: EntryKind, facts: dict[str, Fact]) -> None:
        """Enter what is done for this person in the ledger."""
        arrival = self.arrival
        places: dict[str, Fact] = {
            "authorization": arrival.authorization.id,
            "client": arrival.client.id,
            "integration": arrival.whole.integration.id,
            "provider": arrival.whole.entry.name,
            "policy_version": arrival.authorization.progress.policy_version,
        }
        append(self.tx, Entry(kind, user.tenant_id, user.pseudonym, places | facts))
