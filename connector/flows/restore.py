"""A database that comes back from a backup, without undoing what happened since and without losing grants.

    the copy is whole → its keys are here → put in place → stale tokens set aside → what was ended is ended again

A refresh token from a backup may have been replaced since. At a provider that rotates them, showing an old one is taken
for theft, and ends the whole grant. So none is shown: such connections hand out what they hold until it is over, and
then ask for their person.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from connector import connections, inbox
from connector.clients import tenants
from connector.connections import Connection, LostClaim, SealBroken
from connector.flows import erase, revoke
from connector.flows.backup import Manifest, read_manifest, refuse_altered, sha256_of, sqlite_file
from connector.flows.gateway import Gateway
from connector.flows.outside import Ended as EndedOutside
from connector.flows.outside import Outside
from connector.model.clock import Clock
from connector.model.errors import Conflict, Misconfigured, NotFound
from connector.model.states import ConnectionState, Ended
from connector.records import ending
from connector.storage import Store, Transaction, current_revision, known_revisions, open_store
from providers import catalogue
from vault import GrowingKeySource, KeyDestroyed, KeySource, KeyUnknown
from vault.shreds import replay

PAGE = 200
REASON = "restore"
REPLAYED_AT_ONCE = 500
_SET_ASIDE = (ConnectionState.ACTIVE, ConnectionState.REFRESHING, ConnectionState.EXPIRED)
_MAY_BE_STALE = frozenset({"rotating", "unknown"})

_log = structlog.get_logger("restore")


@dataclass(frozen=True, slots=True)
class Settled:
    """What was done to a database that came back.

    Attributes:
        serving: connections that hand out what they hold until it is over, and refresh no more.
        needs_reauth: connections that only their person can bring back.
        revoked: connections that were revoked since the backup, and are again.
        destroyed: keys that were destroyed since the backup, and are again.
        erased: people whose accounts were deleted since the backup, and are again.
        imports, deliveries, letters: that waited in the backup, and are void: they may have been done since.
        unreadable: connections whose row does not carry its seal; they are left as they are, and serve nobody.
    """

    serving: int
    needs_reauth: int
    revoked: int
    destroyed: int
    erased: int
    imports: int
    deliveries: int
    letters: int
    unreadable: int


def put_in_place(folder: Path, url: str, source: KeySource, clock: Clock, *, replace: bool = False) -> Path | None:
    """Put a backup's copy where the database is expected; where the one before it was moved to, if there was one.

    Args:
        folder: of the backup.
        url: of the database; SQLite.
        source: of the KEKs; retired ones that the backup needs are taken back into use.
        clock: for the name of what is moved aside.
        replace: move aside a database that holds something.

    Raises:
        BadInput: there is no backup in the folder.
        Misconfigured: the copy is damaged, or a key that it needs is not here.
        Conflict: there is a database that holds something.
    """
    manifest = read_manifest(folder)
    if manifest.dialect != "sqlite" or not url.startswith("sqlite"):
        raise Conflict(
            "not_sqlite",
            "PostgreSQL is restored by its own tools (pg_restore, or what pg_basebackup made). Do that first, then run:"
            " connector vault restore --in-place",
        )
    copy = refuse_altered(folder, manifest)
    _refuse_newer(manifest)
    have_keys(manifest, source)
    target = sqlite_file(url)
    _refuse_in_use(target, clock, replace=replace)
    fresh = target.with_name(f".{target.name}.restored")
    _copied(copy, fresh, manifest)
    before = _aside(target, clock)
    fresh.replace(target)
    return before


def _refuse_newer(manifest: Manifest) -> None:
    if manifest.revision is not None and manifest.revision not in known_revisions():
        raise Misconfigured(
            "backup_newer",
            f"The backup was made by a newer version (schema {manifest.revision}); install that one, and restore again."
            " Nothing was changed.",
        )


def _copied(copy: Path, fresh: Path, manifest: Manifest) -> None:
    """A whole copy beside the database, before anything is moved: a disk that fills up changes nothing."""
    try:
        shutil.copyfile(copy, fresh)
        fresh.chmod(0o600)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        whole = sha256_of(fresh) == manifest.sha256
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise Misconfigured(
            "cannot_write", f"{fresh} cannot be written ({error.strerror}). Make room, and restore again."
        ) from error
    if not whole:
        fresh.unlink()
        raise Misconfigured("backup_changed", "The copy changed while it was read; restore again. Nothing was changed.")


def have_keys(manifest: Manifest, source: KeySource) -> None:
    """See that every KEK of a backup is here; retired ones are reinstated. Raises Misconfigured."""
    retired = source.retired_ids() if isinstance(source, GrowingKeySource) else frozenset()
    missing = set(manifest.keks) - source.key_ids() - retired
    if missing:
        raise Misconfigured(
            "kek_unknown",
            f"The backup needs {', '.join(sorted(missing))}, which the key source does not hold. Add the key again"
            " from where keys are kept; nothing was changed.",
        )
    if isinstance(source, GrowingKeySource):
        for key_id in sorted(set(manifest.keks) & retired):
            source.reinstate(key_id)
            _log.warning("restore.key_reinstated", key=key_id)


def settle(gateway: Gateway, outside: Outside | None) -> Settled:
    """Bring a database that came back up to what is known outside of it. May be repeated.

    Tokens are set aside first, so that nothing that follows can show a stale one.

    Raises:
        DatabaseUnavailable: run it again.
    """
    ended = outside.ended() if outside is not None else EndedOutside()
    with gateway.store.transaction() as tx:
        imports, deliveries = ending.void_restored(tx, REASON)
        letters = inbox.void_letters(tx, REASON)
    serving = needs_reauth = revoked = 0
    over = ended.revoked | {
        (one.owner.tenant, one.owner.id) for one in ended.shreds if one.owner.kind == "connection_tokens"
    }
    standing, unreadable = _standing(gateway)
    for connection in standing:
        if (connection.tenant_id, connection.id) in over or not _token_key_lives(gateway, connection):
            revoked += _revoke(gateway, connection)
        elif connection.can_refresh and connection.state in _SET_ASIDE and may_be_stale(connection):
            after = _set_aside(gateway, connection)
            serving += after is ConnectionState.ACTIVE
            needs_reauth += after is ConnectionState.NEEDS_REAUTH
    erased = sum(_erase(gateway, one.owner.tenant, one.owner.id) for one in ended.shreds if one.owner.kind == "user")
    destroyed = _replayed(gateway, ended)
    gateway.store.scrub()
    if outside is not None:
        outside.note(gateway.store)
        outside.accept(gateway.store)
    return Settled(serving, needs_reauth, revoked, destroyed, erased, imports, deliveries, letters, unreadable)


def may_be_stale(connection: Connection) -> bool:
    """Whether the provider gives a new refresh token for each one that is used, and may mind an old one."""
    return catalogue.entry(connection.provider).refresh.model in _MAY_BE_STALE


def _standing(gateway: Gateway) -> tuple[list[Connection], int]:
    """Connections of every tenant that are not over, and how many do not carry their seal."""
    standing: list[Connection] = []
    unreadable = 0
    for tenant_id, connection_id in _every_connection(gateway):
        try:
            with gateway.store.read() as tx:
                found = connections.find(tx, gateway.vault, tenant_id, connection_id)
        except SealBroken:
            unreadable += 1
            continue
        if found is not None and not found.ended:
            standing.append(found)
    return standing, unreadable


def _every_connection(gateway: Gateway) -> Iterator[tuple[str, str]]:
    with gateway.store.read() as tx:
        every = [tenant.id for tenant in tenants(tx)]
    for tenant_id in every:
        after = ""
        while True:
            with gateway.store.read() as tx:
                page = tx.all(
                    "SELECT id FROM connections WHERE tenant_id = :tenant AND id > :after ORDER BY id LIMIT :limit",
                    tenant=tenant_id,
                    after=after,
                    limit=PAGE,
                )
            if not page:
                break
            yield from ((tenant_id, row["id"]) for row in page)
            after = page[-1]["id"]


def _moved(
    gateway: Gateway,
    tx: Transaction,
    connection: Connection,
    state: ConnectionState,
    columns: dict[str, str | int | None],
) -> ConnectionState | None:
    try:
        connections.move(tx, gateway.vault, connection, state, take_over=True, columns=columns)
    except LostClaim:
        return None  # it moved on by itself: somebody works on this database already
    return state


def _token_key_lives(gateway: Gateway, connection: Connection) -> bool:
    try:
        with gateway.store.read() as tx:
            gateway.vault.key(tx, connection.token_owner)
    except (KeyDestroyed, KeyUnknown):
        return False
    return True


def _set_aside(gateway: Gateway, connection: Connection) -> ConnectionState | None:
    with gateway.store.transaction() as tx:
        alive = connection.expires_at is not None and connection.expires_at > tx.now()
        state = ConnectionState.ACTIVE if alive else ConnectionState.NEEDS_REAUTH
        if connection.state is ConnectionState.EXPIRED:
            state = ConnectionState.NEEDS_REAUTH
        columns: dict[str, str | int | None] = {"can_refresh": 0, "refresh_at": None, "reason": REASON}
        return _moved(gateway, tx, connection, state, columns)


def _revoke(gateway: Gateway, connection: Connection) -> bool:
    """As it was then, with a receipt; whoever works on it is stopped, and its provider is told once more."""
    revoke.revoke(gateway, connection.tenant_id, connection.id, by=Ended.OPERATOR)
    return True


def _erase(gateway: Gateway, tenant_id: str, sub: str) -> bool:
    try:
        erase.delete_user(gateway, tenant_id, sub, Ended.OPERATOR)
    except NotFound:
        return False  # signed up after the backup was made
    return True


def _replayed(gateway: Gateway, ended: EndedOutside) -> int:
    destroyed = 0
    for start in range(0, len(ended.shreds), REPLAYED_AT_ONCE):
        with gateway.store.transaction() as tx:
            destroyed += replay(tx, ended.shreds[start : start + REPLAYED_AT_ONCE])
    return destroyed


def _refuse_in_use(target: Path, clock: Clock, *, replace: bool) -> None:
    if target.exists() and not replace and _holds_something(target, clock):
        raise Conflict(
            "database_in_use",
            f"{target} holds data, and is not overwritten. Stop the gateway and add --replace: it is then moved aside, "
            "not deleted.",
        )


def _aside(target: Path, clock: Clock) -> Path | None:
    if not target.exists():
        return None
    moved = target.with_name(f"{target.name}.before-{clock.now()}")
    for suffix in ("-wal", "-shm", ""):
        part = target.with_name(target.name + suffix)
        if part.exists():
            part.rename(moved.with_name(moved.name + suffix))
    return moved


def _holds_something(target: Path, clock: Clock) -> bool:
    store: Store = open_store(f"sqlite:///{target}", clock)
    try:
        if current_revision(store) is None:
            return False
        with store.read() as tx:
            return bool(tenants(tx))
    finally:
        store.dispose()
