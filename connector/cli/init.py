"""`connector init`: from an empty folder to a gateway that starts. What is there already is never overwritten."""

from __future__ import annotations

from pathlib import Path

import click

from connector import app
from connector.cli.output import Output
from connector.cli.session import Session, session_options
from connector.cli.settings_file import settings_file
from connector.clients import add_tenant, create_signing_keys, generate_signing_keys, published_keys
from connector.clients import tenants as every_tenant
from connector.model.clock import SystemClock
from connector.model.errors import BadInput, Conflict, Misconfigured
from connector.settings import Settings, load
from connector.storage import Store, current_revision, head_revision, open_store, upgrade
from vault import FileKeySource, KeySourceError, Vault, harden_process

FILE_NAME = "connector.toml"


@click.command(
    epilog="Example: connector init gateway --tenant shop, then: cd gateway && connector serve --with-worker"
)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--tenant", default="main", show_default=True, help="The name of the first tenant.")
@click.option(
    "--mode",
    type=click.Choice(["development", "production"]),
    default="development",
    show_default=True,
    help="What is allowed.",
)
@click.option("--public-url", help="The gateway's own origin; production needs one with https.")
@click.option("--bind", default="127.0.0.1:8080", show_default=True, help="Where the public listener binds.")
@click.option("--admin-bind", help="Where metrics are served; else nowhere.")
@click.option("--database-url", default="sqlite:///connector.db", show_default=True, help="SQLite file or PostgreSQL.")
@session_options
def init(
    session: Session,
    *,
    directory: Path,
    tenant: str,
    mode: str,
    public_url: str | None,
    bind: str,
    admin_bind: str | None,
    database_url: str,
) -> None:
    """Make the settings file, the key (0600), the database and the first tenant; only what is not there yet."""
    if session.config is not None:
        raise BadInput("config_with_init", "init takes a folder, not --config; name the folder of the settings file.")
    server = {"mode": mode, "public_url": public_url, "bind": bind, "admin_bind": admin_bind}
    done = _Steps(session.out)
    file = _settings(directory, {name: value for name, value in server.items() if value}, database_url, done)
    settings = load(file, key_needed=False)
    harden_process()
    store = open_store(settings.database.url, SystemClock())
    try:
        _prepare(settings, store, tenant, done)
    finally:
        store.dispose()
    session.out.document(
        {"settings": str(file), "mode": settings.server.mode, "steps": done.taken},
        lambda: _next(session.out, file, settings),
    )


class _Steps:
    """What was made and what was there already."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self.taken: list[dict[str, str | bool]] = []

    def add(self, what: str, where: str, *, made: bool) -> None:
        """Note and tell one."""
        self.taken.append({"what": what, "where": where, "made": made})
        self._out.say(f"{'✓ made' if made else '· kept'}  {what}: {where}")


def _settings(directory: Path, server: dict[str, str], database_url: str, done: _Steps) -> Path:
    file = directory.resolve() / FILE_NAME
    made = not file.exists()
    if made:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(settings_file(server, database_url), encoding="utf-8")
        except OSError as error:
            raise BadInput(
                "cannot_write", f"{file} cannot be written ({error.strerror}); name another folder."
            ) from error
    done.add("settings", str(file), made=made)
    return file


def _prepare(settings: Settings, store: Store, tenant: str, done: _Steps) -> None:
    before = current_revision(store)
    _key(settings, store, before, done)
    vault = app.open_vault(settings, store.clock)
    if before != head_revision():
        upgrade(store)
    done.add("database", f"schema {head_revision()}", made=before != head_revision())
    app.check_keys(store, vault)
    _signing_keys(store, vault, done)
    _tenant(store, vault, tenant, done)


def _key(settings: Settings, store: Store, revision: str | None, done: _Steps) -> None:
    kind, _, rest = settings.vault.kek.partition(":")
    if kind != "file":
        _key_elsewhere(settings, kind, rest, done)
        return
    path = Path(rest)
    if not path.exists():
        if revision is not None:
            _refuse_new_key(store, path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            FileKeySource.create(path, passphrase=app.key_access(settings).passphrase)
        except KeySourceError as error:
            raise Misconfigured("key_source", f"{error.what} {error.mend}") from error
        done.add("key", f"{path} (keep a copy elsewhere: without it nothing stored can be read)", made=True)
    else:
        done.add("key", str(path), made=False)


def _key_elsewhere(settings: Settings, kind: str, rest: str, done: _Steps) -> None:
    """Keys in a variable or at a service are made there, by whoever keeps them: here they are only asked for."""
    if kind == "env":
        done.add("key", f"from the environment variable {rest}", made=False)
        return
    try:
        done.add("key", f"at the key service: {app.key_source(settings).key_id()}", made=False)
    except KeySourceError as error:
        raise Misconfigured("key_source", f"{error.what} {error.mend}") from error


def _refuse_new_key(store: Store, path: Path) -> None:
    """A new key can open nothing that an old one sealed; making one would hide the loss."""
    with store.read() as tx:
        if every_tenant(tx):
            raise Misconfigured(
                "key_missing",
                f"The database holds sealed data and {path} is gone. Restore the key from your backup; "
                "a new one could open nothing of it.",
            )


def _signing_keys(store: Store, vault: Vault, done: _Steps) -> None:
    with store.read() as tx:
        there = bool(published_keys(tx, vault, "id_token"))
    if not there:
        keys = generate_signing_keys()  # takes a second; nobody should wait for a transaction meanwhile
        try:
            with store.transaction() as tx:
                create_signing_keys(tx, vault, keys)
        except Conflict:
            there = True  # another init was quicker; its keys are as good
    done.add("signing keys", "of ID tokens, the ledger and receipts", made=not there)


def _tenant(store: Store, vault: Vault, name: str, done: _Steps) -> None:
    with store.transaction() as tx:
        found = every_tenant(tx)
        if not found:
            found = [add_tenant(tx, vault, name)]
            done.add("tenant", f"{name} ({found[0].id})", made=True)
        else:
            done.add("tenant", ", ".join(one.name for one in found), made=False)


def _next(out: Output, file: Path, settings: Settings) -> None:
    here = "" if Path.cwd() == file.parent else f"cd {file.parent} && "
    out.say("")
    if settings.is_development:
        out.say("Development mode: plain http and pretend providers are allowed. Before real people use it, set")
        out.say('server.mode = "production" and what docs/settings.md asks for.')
    out.say(f"Check it:  {here}connector doctor")
    out.say(f"Run it:    {here}connector serve --with-worker")
