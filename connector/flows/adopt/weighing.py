"""Whether an account may be moved in, and who it stands for. Reads only, but for what is learned about a child."""

from __future__ import annotations

from dataclasses import dataclass

from connector import people
from connector.flows.adopt.asked import Wanted
from connector.flows.gateway import Gateway
from connector.flows.release import refused
from connector.flows.signup_link.age import age_by_provider
from connector.model.errors import BadInput, Conflict, Gone, NotFound, RefusedByPolicy
from connector.model.tags import Account as AccountState
from connector.model.tags import Age, Choice, Link, Notice, Standing, Tags, Use
from connector.people import Identity, NewIdentity, User
from connector.storage import Transaction
from providers.capabilities import Account

_TAKE = Use.of("collect", "us", "account")
_STANDING = Standing(AccountState.OPEN, Link.NONE, Choice.NONE, Notice.NONE)


@dataclass(frozen=True, slots=True)
class Person:
    """Who the account stands for. None: not known here yet."""

    user: User | None
    identity: Identity | None
    age: Age


@dataclass(frozen=True, slots=True)
class Case:
    """One account to be weighed."""

    gateway: Gateway
    tx: Transaction
    tenant_id: str
    named: NewIdentity
    account: Account
    wanted: Wanted


def weigh(case: Case, *, learn: bool) -> Person:
    """Whose it becomes. `learn`: remember an account that is a child's.

    Raises:
        NotFound: no such user. Conflict: the account is another user's (`account_already_linked`); nobody is named.
        Gone: the account was unlinked here. BadInput: nobody stated an age.
        RefusedByPolicy: a child's account, or the policy takes no credential.
    """
    gateway, tx, tenant_id, named = case.gateway, case.tx, case.tenant_id, case.named
    identity = people.find_identity(tx, gateway.vault, tenant_id, named)
    user = _user(case, identity)
    if identity is None and people.was_unlinked(tx, gateway.vault, tenant_id, named):
        raise Gone("unlinked", "This account was disconnected here; only its person can begin again, by signing in.")
    age = _age(case, user)
    decision = gateway.policy.decide(
        _TAKE, Tags.credential(age), _STANDING, tx.now(), None if user is None else user.last_visit_at
    )
    if decision.allowed:
        return Person(user, identity, age)
    if age is not Age.CHILD:
        raise refused(decision)
    if learn:
        people.remember_refused(tx, gateway.vault, tenant_id, named)
        if user is not None and user.age is not Age.CHILD:
            people.set_age(tx, gateway.vault, user, Age.CHILD)
    raise RefusedByPolicy(
        decision.clause,
        "The account belongs to somebody under 13. Revoke the token at the provider and delete what is kept of it.",
        code="under_age",
        detail=decision.rule_id,
    )


def _user(case: Case, identity: Identity | None) -> User | None:
    sub = case.wanted.user or (None if identity is None else identity.sub)
    if sub is None:
        return None
    user = people.find_user(case.tx, case.gateway.vault, case.tenant_id, sub)
    if user is None or user.account is not AccountState.OPEN:
        raise NotFound("user", code="unknown_user")
    if identity is not None and identity.sub != user.sub:
        raise Conflict("account_already_linked", "This account is connected to another user already.")
    return user


def _age(case: Case, user: User | None) -> Age:
    """As at a sign-up: what the provider knows outweighs what was stated."""
    if user is not None and user.age is not Age.OK:
        return user.age
    said = age_by_provider(case.account, case.tx.now())
    if said is not None:
        return said
    if people.is_refused(case.tx, case.gateway.vault, case.tenant_id, case.named):
        return Age.CHILD
    if user is not None:
        return user.age
    if not case.wanted.age_stated:
        raise BadInput(
            "age_unknown",
            "Nobody said whether this person is 13 or older. Where they stated it to the app, say age_stated: true "
            "(--age-stated for a whole file).",
        )
    return Age.OK
