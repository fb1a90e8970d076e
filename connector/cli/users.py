"""`connector users`: what a person is owed, done by the operator on their behalf."""

from __future__ import annotations

import os
from pathlib import Path

import click

from connector.cli.files import new_file
from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.clients import tenants as every_tenant
from connector.flows.children import approve_child, learned_child
from connector.flows.erase import delete_user
from connector.flows.export import export_user
from connector.model.errors import NotFound
from connector.model.states import Ended
from connector.people import is_known


@click.group()
def users() -> None:
    """Users: a person's data handed out to them, or deleted."""


@users.command(epilog="Example: connector users export usr_… ./for-ada")
@click.argument("sub")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@session_options
def export(session: Session, *, sub: str, directory: Path) -> None:
    """Write everything that is held about a person into a folder, as one zip that you alone may read."""
    tenant_id = tenant_of(session, sub)
    file = directory / f"{sub}.zip"
    descriptor = new_file(file)
    with os.fdopen(descriptor, "wb") as target:
        made = export_user(session.gateway, tenant_id, sub)
        target.write(made.content)
    session.out.document(
        {"user": sub, "file": str(file), "bytes": len(made.content), "receipt": made.receipt_id},
        lambda: session.out.say(f"{file}, {len(made.content):,} bytes. Hand it to its person, then delete it here."),
    )


@users.command(epilog="Example: connector users delete usr_…")
@click.argument("sub")
@click.option("--clear-sent", is_flag=True, help="Clear at providers what was sent on there; the person asked for it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def delete(session: Session, *, sub: str, clear_sent: bool, yes: bool) -> None:
    """Delete an account and everything that is its person's, keys included. The receipt stays."""
    tenant_id = tenant_of(session, sub)
    confirmed(f"Delete {sub} and everything that is theirs? This cannot be undone.", yes=yes or session.out.as_json)
    done = delete_user(session.gateway, tenant_id, sub, by=Ended.OPERATOR, clear=clear_sent)
    session.out.document(
        {
            "user": sub,
            "deleted": True,
            "receipt": done.receipt_id,
            "sent_on": [{"to": one.provider, "outcome": one.outcome} for one in done.sent],
            "told_to_erase": [title for _, title in done.told],
        },
        lambda: session.out.say(f"Deleted, keys destroyed. Receipt {done.receipt_id}; the worker tells the providers."),
    )


@users.command("learned-child", epilog="Example: connector users learned-child usr_…")
@click.argument("sub")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def learned(session: Session, *, sub: str, yes: bool) -> None:
    """It was learned that a person is under 13: everything of theirs is deleted, and their accounts stay out."""
    tenant_id = tenant_of(session, sub)
    confirmed(f"Delete {sub} as a child's account? This cannot be undone.", yes=yes or session.out.as_json)
    done = learned_child(session.gateway, tenant_id, sub)
    session.out.document(
        {"user": sub, "deleted": True, "receipt": done.receipt_id},
        lambda: session.out.say(f"Deleted, keys destroyed, accounts refused from now on. Receipt {done.receipt_id}."),
    )


@users.command("approve-child", epilog="Example: connector users approve-child usr_… --approver 'Ada Byron'")
@click.argument("sub")
@click.option("--approver", required=True, metavar="NAME", help="Who verified the parent's consent, by name.")
@click.option("--reference", default="", metavar="REF", help="Where the proof of it lies.")
@session_options
def approve(session: Session, *, sub: str, approver: str, reference: str) -> None:
    """A parent's consent was verified: the account stays, or a deleted child's accounts may come back."""
    opened = approve_child(session.gateway, tenant_of(session, sub), sub, approver=approver, reference=reference)
    said = {
        "user": "The account stays; everything in it is kept for a limited time (policy.retention.child).",
        "accounts": "The accounts that were refused may sign up again; what was deleted stays deleted.",
    }
    session.out.document({"user": sub, "opened": opened}, lambda: session.out.say(said[opened]))


def tenant_of(session: Session, sub: str) -> str:
    """The tenant whose user it is. Raises NotFound."""
    with session.store.read() as tx:
        for tenant in every_tenant(tx):
            if is_known(tx, tenant.id, sub):
                return tenant.id
    raise NotFound("user; the sub is the one in ID tokens, such as usr_…", code="unknown_user")
