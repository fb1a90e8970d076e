"""What the person said about a flow, as a decision on it counts that: toward somebody outside, and about mail."""

from __future__ import annotations

from connector import inbox
from connector.flows.gateway import Gateway
from connector.inbox import Toward
from connector.model.tags import Choice, Purpose, Recipient, Use
from connector.people import User
from connector.storage import Transaction

_ASKED = {Recipient.AFFILIATE: Toward.AFFILIATE, Recipient.ACQUIRER: Toward.TRANSFER}  # where a yes has a meaning


def said_about(gateway: Gateway, tx: Transaction, user: User, use: Use, name: str) -> Choice | None:
    """Their yes to this affiliate or transfer (a no is an objection), or no to mail; None where neither bears on it."""
    whose = (tx, gateway.vault, user.tenant_id, user.sub)
    toward = _ASKED.get(use.recipient)
    if toward is not None:
        return Choice.GIVEN if inbox.stance_of(*whose, toward, name) == "yes" else Choice.NONE
    if use.purpose is Purpose.CONTACT and inbox.stance_of(*whose, Toward.MAIL) == "no":
        return Choice.WITHDRAWN
    return None


def counting(said: Choice | None, imported: Choice) -> Choice:
    """Of that and the choice to import, what counts for an imported value.

    Who stopped the import, or would have to be asked again, said no to more than this flow.
    """
    if said is None:
        return imported
    return said if imported in {Choice.GIVEN, Choice.NONE} else max(said, imported, key=lambda word: word.rank)
