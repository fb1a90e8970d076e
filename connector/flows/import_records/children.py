"""What follows when a profile says that its person is under 13: the import ends, and every connection with it."""

from __future__ import annotations

from connector import connections, people
from connector.connections import Connection
from connector.flows import revoke
from connector.flows.import_records.endings import Ending, end_in
from connector.model.states import ConnectionState, Ended
from connector.model.tags import Age
from connector.people import User
from connector.storage import Transaction


def end_for_child(ending: Ending, tx: Transaction, connection: Connection, user: User) -> None:
    """Nothing of this page is kept. From now on every decision about this person is a child's.

    Values and tokens of all their connections go at once, and the providers are told. A verified parent's consent keeps
    the connections; of the profile nothing comes in all the same.
    """
    end_in(ending, tx, "refused", error="under_age")  # before the revocation, which calls off what is under way
    if user.age is Age.CHILD_PARENT_OK:
        return
    vault = ending.gateway.vault
    people.set_age(tx, vault, user, Age.CHILD)
    for held in connections.of_user(tx, vault, connection.tenant_id, user.sub):
        locked = connections.find_for_update(tx, vault, held.id)
        if locked is not None and locked.state is not ConnectionState.SHREDDED:
            revoke.revoke_in(ending.gateway, tx, locked, by=Ended.OPERATOR, reason="under_age", erase_now=True)
