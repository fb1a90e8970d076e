"""The under-13 gate: nobody under 13 registers, and nothing about them is taken."""

from __future__ import annotations

from connector import people
from connector.flows.provider_terms import terms_under
from connector.flows.signup_link.age import age_by_provider
from connector.flows.signup_link.arrival import Landing
from connector.flows.signup_link.problems import GrantRefused
from connector.model.tags import Account as AccountState
from connector.model.tags import Age, Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.people import User


def check(landing: Landing, user: User | None) -> Age | GrantRefused:
    """How old the person is, for the policy; or the refusal. What the provider knows outweighs what was stated."""
    if user is not None and user.account is not AccountState.OPEN:
        return GrantRefused("user_deleted", "This user's account was deleted.")
    age = _age(landing, user)
    if age is None:
        return GrantRefused("age_unknown", "The person did not say whether they are 13 or older. Start again.")
    decision = landing.gateway.policy.decide(
        Use.of("collect", "us", "account"),
        Tags(Category.PROFILE, Source.IMPORTED, age=age),
        Standing(AccountState.OPEN, Link.NONE, Choice.GIVEN, Notice.CLEAR),
        landing.tx.now(),
        terms=terms_under(
            landing.gateway.policy,
            landing.arrival.whole.entry.name,
            landing.arrival.authorization.progress.scopes,
            Category.PROFILE,
        ),
    )
    if decision.allowed:
        return age
    if age is not Age.CHILD:
        return GrantRefused("refused", decision.explanation, clause=decision.clause, detail=decision.rule_id)
    if user is not None and user.age is not Age.CHILD:
        people.set_age(landing.tx, landing.gateway.vault, user, Age.CHILD)  # from here on all about them is refused
    return GrantRefused(
        "under_age", "People under 13 cannot register.", clause=decision.clause, detail=decision.rule_id
    )


def _age(landing: Landing, user: User | None) -> Age | None:
    arrival, tx, vault = landing.arrival, landing.tx, landing.gateway.vault
    tenant_id = arrival.client.tenant_id
    if user is not None and user.age is not Age.OK:
        return people.trusted(tx, vault, user).age  # a parent's consent, or what was learned, stands
    said = age_by_provider(arrival.account, tx.now())
    if user is None and people.approval_of(tx, vault, tenant_id, arrival.named) is not None:
        return Age.CHILD_PARENT_OK
    known = people.stays_refused(tx, vault, tenant_id, arrival.named)
    known |= said is None and people.is_refused(tx, vault, tenant_id, arrival.named)
    if said is Age.CHILD or known:
        return Age.CHILD
    if said is not None:
        return said
    if user is not None:
        return user.age
    return Age.OK if arrival.authorization.progress.age_stated else None
