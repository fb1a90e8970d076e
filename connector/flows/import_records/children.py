"""What follows when a profile says that its person is under 13: the import ends, and so does the connection."""

from __future__ import annotations

from connector import people
from connector.connections import Connection
from connector.flows import revoke
from connector.flows.import_records.endings import Ending, end_in
from connector.model.states import Ended
from connector.model.tags import Age
from connector.people import User
from connector.storage import Transaction


def end_for_child(ending: Ending, tx: Transaction, connection: Connection, user: User) -> None:
    """Nothing of this page is kept. From now on every decision about this person is a child's.

    Values that came before and the tokens go at once, and the provider is told. A verified parent's consent keeps the
    connection; of the profile nothing comes in all the same.
    """
    end_in(ending, tx, "refused", error="under_age")  # before the revocation, which calls off what is under way
    if user.age is Age.CHILD_PARENT_OK:
        return
    people.set_age(tx, user, Age.CHILD)
    revoke.revoke_in(ending.gateway, tx, connection, by=Ended.OPERATOR, reason="under_age", erase_now=True)
