"""`connector connections`: people's grants, looked at and ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from connector.cli.connections_adopt import adopt_command
from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenants, tenant_option
from connector.cli.written import Moment
from connector.clients import tenants as every_tenant
from connector.connections import Connection, find, in_tenant
from connector.flows import revoke as revoking
from connector.model.errors import BadInput, NotFound
from connector.model.instants import iso
from connector.model.states import LIVE_STATES, ConnectionState, Ended
from connector.storage import Transaction

PAGE = 200


@click.group()
def connections() -> None:
    """Connections: people's live grants at providers."""


connections.add_command(adopt_command)


@connections.command("list", epilog="Example: connector connections list --provider google --state needs_reauth")
@tenant_option
@click.option("--provider", help="Only this provider's.")
@click.option("--state", type=click.Choice([state.value for state in ConnectionState]), help="Only in this state.")
@click.option("--user", help="Only this person's (sub).")
@click.option("--limit", type=click.IntRange(1, 100_000), default=PAGE, show_default=True, help="At most so many.")
@session_options
def list_(
    session: Session, *, tenant: str | None, provider: str | None, state: str | None, user: str | None, limit: int
) -> None:
    """List connections with their states."""
    with session.store.read() as tx:
        found: list[Connection] = []
        for one in _each(tx, session, tenant, provider=provider, state=state, sub=user):
            found.append(one)
            if len(found) == limit:
                break
    rows = [(one.id, one.provider, one.state.value, one.sub, iso(one.authorized_at)) for one in found]
    session.out.document(
        [document(one) for one in found],
        lambda: session.out.table(
            ("id", "provider", "state", "user", "authorized"), rows, empty="There is no such connection."
        ),
    )


@connections.command(epilog="Example: connector connections show con_…")
@click.argument("connection", metavar="ID")
@session_options
def show(session: Session, *, connection: str) -> None:
    """Show one: its state, its scopes and its times. Tokens are never shown."""
    with session.store.read() as tx:
        found = _called(tx, session, connection)
    value = document(found)
    session.out.document(
        value, lambda: session.out.facts({name.replace("_", " "): shown for name, shown in value.items()})
    )


@connections.command(
    epilog="Example: connector connections revoke con_…, or after a provider was broken into: "
    "connector connections revoke --provider google --since 48h"
)
@click.argument("connection", metavar="[ID]", required=False)
@click.option("--provider", help="Every live connection at this provider, with --since or --all.")
@click.option("--since", type=Moment(), help="Only those authorized since then: 2026-11-02, or 48h for so long ago.")
@click.option("--all", "everything", is_flag=True, help="All of the provider's, however old.")
@tenant_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def revoke(
    session: Session,
    *,
    connection: str | None,
    provider: str | None,
    since: int | None,
    everything: bool,
    tenant: str | None,
    yes: bool,
) -> None:
    """Revoke one connection, or many at once. Handouts end now; the worker tells the provider."""
    _refuse_vague(connection, provider, since, everything=everything)
    with session.store.read() as tx:
        found = (
            [_called(tx, session, connection)]
            if connection
            else [
                one
                for one in _each(tx, session, tenant, provider=provider)
                if one.state in LIVE_STATES and (since is None or one.authorized_at >= since)
            ]
        )
    what = connection or f"{len(found)} live connections at {provider}"
    if found:
        confirmed(f"Revoke {what}? This cannot be undone.", yes=yes or session.out.as_json)
    revoked = list(_revoked(session, found))
    session.out.document(revoked, lambda: _tell(session, revoked))


def document(connection: Connection) -> dict[str, Any]:
    """A connection for machines."""
    return {
        "id": connection.id,
        "tenant": connection.tenant_id,
        "user": connection.sub,
        "provider": connection.provider,
        "integration": connection.integration_id,
        "state": connection.state.value,
        "reason": connection.reason,
        "granted_scopes": list(connection.granted_scopes),
        "declined_scopes": list(connection.declined_scopes),
        "can_refresh": connection.can_refresh,
        "created_at": iso(connection.created_at),
        "authorized_at": iso(connection.authorized_at),
        "expires_at": iso(connection.expires_at),
        "refresh_at": iso(connection.refresh_at),
        "reauth_by": iso(connection.reauth_by),
        "revoked_at": iso(connection.revoked_at),
        "ended_by": connection.ended_by,
    }


def _revoked(session: Session, found: list[Connection]) -> Iterator[dict[str, Any]]:
    with session.out.progress("Revoking") as tell:
        for number, one in enumerate(found, start=1):
            done = revoking.revoke(session.gateway, one.tenant_id, one.id, by=Ended.OPERATOR)
            tell(number, len(found))
            yield {"connection": one.id, "revocation": done.revocation.id, "receipt": done.receipt_id}


def _tell(session: Session, revoked: list[dict[str, Any]]) -> None:
    rows = [(one["connection"], one["revocation"], one["receipt"]) for one in revoked]
    session.out.table(("connection", "revocation", "receipt"), rows, empty="There was nothing to revoke.")
    if revoked:
        session.out.say("Handouts have ended. The worker tells the provider, and the receipt says what came of it.")


def _refuse_vague(connection: str | None, provider: str | None, since: int | None, *, everything: bool) -> None:
    if (connection is None) == (provider is None):
        raise BadInput("what_to_revoke", "Name either one connection by its id, or --provider with --since or --all.")
    if connection is not None and (since is not None or everything):
        raise BadInput("what_to_revoke", "--since and --all go with --provider, not with one connection's id.")
    if provider is not None and (since is None) == (not everything):
        raise BadInput("what_to_revoke", "Say which of the provider's: --since TIME, or --all.")


def _each(
    tx: Transaction,
    session: Session,
    tenant: str | None,
    *,
    provider: str | None = None,
    state: str | None = None,
    sub: str | None = None,
) -> Iterator[Connection]:
    for of in chosen_tenants(tx, tenant):
        after = ""
        while page := in_tenant(
            tx, session.vault, of.id, sub=sub, provider=provider, state=state, after=after, limit=PAGE
        ):
            yield from page
            after = page[-1].id


def _called(tx: Transaction, session: Session, connection_id: str) -> Connection:
    for of in every_tenant(tx):
        found = find(tx, session.vault, of.id, connection_id)
        if found is not None:
            return found
    raise NotFound("connection; see: connector connections list", code="unknown_connection")
