"""`connector clients`: the web apps and workers of a tenant."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from connector.cli.output import confirmed
from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenant, chosen_tenants, tenant_option
from connector.cli.written import Duration
from connector.clients import Client, NewClient, add_client, clients_of, find_client, remove_client, rotate_secret
from connector.clients import tenants as every_tenant
from connector.model.errors import BadInput
from connector.model.instants import iso
from connector.storage import Transaction
from vault import Vault

ONCE = "This is the only time it is shown."


@click.group()
def clients() -> None:
    """Clients: the web apps and workers that may ask this gateway."""


@clients.command(
    epilog="Example: connector clients add web --type web --redirect-uri https://shop.example.org/callback"
)
@click.argument("name")
@click.option("--type", "type_", type=click.Choice(["web", "worker"]), required=True, help="Redirects people, or not.")
@tenant_option
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where sign-ups return to, exactly. Repeatable.")
@click.option("--return-uri", "return_uris", multiple=True, help="Where the portal may lead back to. Repeatable.")
@click.option("--scope", "scopes", multiple=True, help="Instead of the type's default scopes. Repeatable.")
@click.option("--integration", "integrations", multiple=True, help="Only connections of these. Repeatable.")
@click.option(
    "--purpose", "purposes", multiple=True, help="What it uses values for; the first is its default. Repeatable."
)
@click.option("--require-par", is_flag=True, help="Refuse authorization requests that were not pushed (RFC 9126).")
@click.option(
    "--jwks",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with its public keys: private_key_jwt instead of a secret.",
)
@session_options
def add(
    session: Session,
    *,
    name: str,
    type_: str,
    tenant: str | None,
    redirect_uris: tuple[str, ...],
    return_uris: tuple[str, ...],
    scopes: tuple[str, ...],
    integrations: tuple[str, ...],
    purposes: tuple[str, ...],
    require_par: bool,
    jwks: Path | None,
) -> None:
    """Register a client. Its secret is shown this once."""
    keys = _keys_in(jwks)
    with session.store.transaction() as tx:
        new = NewClient(
            chosen_tenant(tx, tenant).id,
            name,
            type_,
            scopes=_words(scopes),
            purposes=_words(purposes),
            integrations=integrations,
            redirect_uris=redirect_uris,
            return_uris=return_uris,
            authentication="client_secret_basic" if keys is None else "private_key_jwt",
            jwks=keys,
            require_par=require_par,
        )
        made, secret = add_client(tx, session.vault, new, development=session.settings.is_development)
    revealed = None if secret is None else secret.reveal()
    session.out.document(
        document(made) | ({} if revealed is None else {"client_secret": revealed}),
        lambda: _show_new(session, made, revealed),
    )


@clients.command("list", epilog="Example: connector clients list --tenant shop")
@tenant_option
@session_options
def list_(session: Session, *, tenant: str | None) -> None:
    """List clients, of one tenant or of all. Secrets are never shown again."""
    with session.store.read() as tx:
        found = [(of, one) for of in chosen_tenants(tx, tenant) for one in clients_of(tx, session.vault, of.id)]
    rows = [(one.name, one.type, one.id, of.name, one.purposes, one.redirect_uris) for of, one in found]
    session.out.document(
        [document(one) for _, one in found],
        lambda: session.out.table(
            ("name", "type", "id", "tenant", "purposes", "redirect URIs"),
            rows,
            empty="There is no client yet; add one with: connector clients add NAME --type web",
        ),
    )


@clients.command("rotate-secret", epilog="Example: connector clients rotate-secret cli_… --keep-previous 24h")
@click.argument("client", metavar="ID")
@click.option("--keep-previous", type=Duration(), help="How long the secrets before it go on working, such as 24h.")
@session_options
def rotate(session: Session, *, client: str, keep_previous: timedelta | None) -> None:
    """Make a new secret; those before it end at once, or after --keep-previous."""
    kept_s = int(keep_previous.total_seconds()) if keep_previous else 0
    with session.store.transaction() as tx:
        found = called(tx, session.vault, client)
        secret = rotate_secret(tx, session.vault, found.id, keep_previous_s=kept_s).reveal()
    session.out.document(
        {"id": found.id, "client_secret": secret, "previous_end_in_s": kept_s},
        lambda: session.out.say(f"The new secret of {found.name} is\n\n    {secret}\n\n{ONCE}"),
    )


@clients.command(epilog="Example: connector clients remove cli_…")
@click.argument("client", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session_options
def remove(session: Session, *, client: str, yes: bool) -> None:
    """End a client: its secrets and access tokens stop working at once. Connections stay."""
    with session.store.read() as tx:
        found = called(tx, session.vault, client)
    confirmed(f"End the client {found.name} ({found.id})?", yes=yes or session.out.as_json)
    with session.store.transaction() as tx:
        remove_client(tx, session.vault, found.id)
    session.out.document(
        {"id": found.id, "removed": True}, lambda: session.out.say(f"The client {found.name} has ended.")
    )


def called(tx: Transaction, vault: Vault, word: str) -> Client:
    """The client of that id, or the only one of that name.

    Raises:
        NotFound: there is none.
        BadInput: several tenants have one of that name.
    """
    named = [one for of in every_tenant(tx) for one in clients_of(tx, vault, of.id) if one.name == word]
    if len(named) > 1:
        raise BadInput("which_client", f"Several tenants have a client {word!r}; name it by its id.")
    return named[0] if named else find_client(tx, vault, word)


def document(client: Client) -> dict[str, Any]:
    """A client for machines. It has no secret in it."""
    return {
        "id": client.id,
        "tenant": client.tenant_id,
        "name": client.name,
        "type": client.type,
        "scopes": list(client.scopes),
        "purposes": list(client.purposes),
        "integrations": list(client.integrations),
        "redirect_uris": list(client.redirect_uris),
        "return_uris": list(client.return_uris),
        "authentication": client.authentication,
        "require_par": client.require_par,
        "created_at": iso(client.created_at),
    }


def _show_new(session: Session, made: Client, secret: str | None) -> None:
    facts: dict[str, object] = {"client id": made.id}
    if secret is not None:
        facts["client secret"] = secret
    facts |= {"scopes": made.scopes, "purposes": made.purposes, "issuer": session.settings.server.public_url}
    session.out.facts(facts)
    if secret is not None:
        session.out.say(f"Keep the secret now. {ONCE}")


def _words(given: tuple[str, ...]) -> tuple[str, ...] | None:
    """What was asked for, words in one option parted by spaces or commas; None for the default."""
    return tuple(word for words in given for word in words.replace(",", " ").split()) or None


def _keys_in(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput("bad_jwks", f"{path} is no JSON file with a JWK set.") from error
    if not isinstance(keys, dict):
        raise BadInput("bad_jwks", f'{path} is no JWK set; it reads {{"keys": [...]}}.')
    return keys
