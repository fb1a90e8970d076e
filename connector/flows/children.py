"""Children under 13: what follows when it is learned of somebody who has an account, and what a parent's consent opens.

Learned: from that very transaction on every decision about them refuses; then everything of theirs is deleted, by hand
at once or by the worker, and a keyed hash keeps their accounts from being imported again.

A parent's verified consent is a named approver's act. It opens what the policy opens to anybody, for a limited time;
it does not open what a provider's own facts about the age of contacts close.
"""

from __future__ import annotations

import structlog

from connector import people, records
from connector.flows.erase import Erased, delete_user
from connector.flows.gateway import Gateway
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.model.errors import BadInput, Conflict, NotFound, SealBroken
from connector.model.states import Ended
from connector.model.tags import Account, Age
from connector.people import User

BATCH = 20
_LONGEST = 500
_log = structlog.get_logger("children")


def learned_child(gateway: Gateway, tenant_id: str, sub: str) -> Erased:
    """It was learned that this person is under 13, and no parent agreed.

    Raises:
        NotFound: no such user.
    """
    with gateway.store.transaction() as tx:
        user = _user(people.find_user(tx, gateway.vault, tenant_id, sub))
        if user.account is Account.OPEN:
            people.set_age(tx, gateway.vault, user, Age.CHILD)
            append(tx, Entry(EntryKind.AGE_LEARNED, tenant_id, user.pseudonym, {"age": "child", "by": "operator"}))
    return delete_user(gateway, tenant_id, sub, Ended.OPERATOR, insist=True)


def purge(gateway: Gateway) -> int:
    """Delete those whose age was learned by a sign-in or an import; how many. A step of the worker."""
    with gateway.store.read() as tx:
        found = people.children_with_accounts(tx, BATCH)
    purged = 0
    for tenant_id, sub in found:
        try:
            delete_user(gateway, tenant_id, sub, Ended.OPERATOR)
        except SealBroken:  # somebody wrote into the row; it is in the log, and keeps nobody else waiting
            continue
        _log.info("children.purged", sub=sub)
        purged += 1
    return purged


def approve_child(gateway: Gateway, tenant_id: str, sub: str, *, approver: str, reference: str = "") -> str:
    """A named person verified a parent's consent. Returns what it opened: `user`, or `accounts` that may come back.

    Raises:
        BadInput: nobody answers for it. NotFound: no such user.
        Conflict: it is being deleted, or was not deleted as a child's, so there is nothing to let back in.
    """
    if not approver.strip() or len(approver) > _LONGEST or len(reference) > _LONGEST:
        raise BadInput("no_approver", "Name who verified the parent's consent: --approver NAME.")
    ground = {"approver": approver.strip(), "reference": reference.strip()}
    kept = gateway.settings.policy.retention
    with gateway.store.transaction() as tx:
        user = _user(people.find_user(tx, gateway.vault, tenant_id, sub))
        if user.account is Account.DELETED:
            if not people.approve_accounts(tx, gateway.vault, tenant_id, sub, ground):
                raise Conflict(
                    "nothing_to_approve", "This account was not deleted as a child's, or was approved already."
                )
            append(tx, Entry(EntryKind.AGE_LEARNED, tenant_id, None, {"age": "child_parent_ok", "by": "operator"}))
            return "accounts"
        if user.age is Age.CHILD:
            raise Conflict("being_deleted", "This account is being deleted as a child's; approve it when that is done.")
        people.approve_user(tx, gateway.vault, user, ground, kept_ms=_ms(kept.child_account.total_seconds()))
        records.keep_until(tx, tenant_id, sub, tx.now() + _ms(kept.child.total_seconds()))
        facts = {"age": "child_parent_ok", "by": "operator"}
        append(tx, Entry(EntryKind.AGE_LEARNED, tenant_id, user.pseudonym, facts))
        return "user"


def forget(gateway: Gateway) -> int:
    """What is kept of children's accounts goes when its time is over; how many rows. A step of the worker."""
    kept_ms = _ms(gateway.settings.policy.retention.child_account.total_seconds())
    with gateway.store.transaction() as tx:
        return people.forget_children(tx, tx.now() - kept_ms)


def _user(found: User | None) -> User:
    if found is None:
        raise NotFound("user", code="unknown_user")
    return found


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
