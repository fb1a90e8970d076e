"""`connector users`: what a person is owed, done by the operator on their behalf."""

from __future__ import annotations

import click

from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.clients import tenants as every_tenant
from connector.flows.erase import delete_user
from connector.model.errors import NotFound
from connector.model.states import Ended
from connector.people import find_user


@click.group()
def users() -> None:
    """Users: a person's data handed out to them, or deleted."""


@users.command(epilog="Example: connector users delete usr_…")
@click.argument("sub")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def delete(session: Session, *, sub: str, yes: bool) -> None:
    """Delete an account and everything that is its person's, keys included. The receipt stays."""
    tenant_id = _tenant_of(session, sub)
    confirmed(f"Delete {sub} and everything that is theirs? This cannot be undone.", yes=yes or session.out.as_json)
    done = delete_user(session.gateway, tenant_id, sub, by=Ended.OPERATOR)
    session.out.document(
        {"user": sub, "deleted": True, "receipt": done.receipt_id},
        lambda: session.out.say(f"Deleted, keys destroyed. Receipt {done.receipt_id}; the worker tells the providers."),
    )


def _tenant_of(session: Session, sub: str) -> str:
    """The tenant whose user it is. Raises NotFound."""
    with session.store.read() as tx:
        for tenant in every_tenant(tx):
            if find_user(tx, tenant.id, sub) is not None:
                return tenant.id
    raise NotFound("user; the sub is the one in ID tokens, such as usr_…", code="unknown_user")
