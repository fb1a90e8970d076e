"""`connector users`: what a person is owed, done by the operator on their behalf."""

from __future__ import annotations

import os
from pathlib import Path

import click

from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.clients import tenants as every_tenant
from connector.flows.erase import delete_user
from connector.flows.export import export_user
from connector.model.errors import BadInput, NotFound
from connector.model.states import Ended
from connector.people import find_user


@click.group()
def users() -> None:
    """Users: a person's data handed out to them, or deleted."""


@users.command(epilog="Example: connector users export usr_… ./for-ada")
@click.argument("sub")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@session_options
def export(session: Session, *, sub: str, directory: Path) -> None:
    """Write everything that is held about a person into a folder, as one zip that you alone may read."""
    tenant_id = _tenant_of(session, sub)
    file = directory / f"{sub}.zip"
    descriptor = _new_file(file)
    with os.fdopen(descriptor, "wb") as target:
        made = export_user(session.gateway, tenant_id, sub)
        target.write(made.content)
    session.out.document(
        {"user": sub, "file": str(file), "bytes": len(made.content), "receipt": made.receipt_id},
        lambda: session.out.say(f"{file}, {len(made.content):,} bytes. Hand it to its person, then delete it here."),
    )


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


def _new_file(file: Path) -> int:
    """A file that only this user may read and that was not there. Raises BadInput."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise BadInput("file_exists", f"{file} is there already; move it, or name another folder.") from error
    except OSError as error:
        raise BadInput("cannot_write", f"{file} cannot be written ({error.strerror}); name another folder.") from error


def _tenant_of(session: Session, sub: str) -> str:
    """The tenant whose user it is. Raises NotFound."""
    with session.store.read() as tx:
        for tenant in every_tenant(tx):
            if find_user(tx, tenant.id, sub) is not None:
                return tenant.id
    raise NotFound("user; the sub is the one in ID tokens, such as usr_…", code="unknown_user")
