"""Answers of providers that could not be stored in time: sealed into the journal, and brought home from there.

    held for a second → sealed under the connection's token key → a file on the disk → stored: cut and removed
    process gone → a worker, or the next start, finds the file → opens it → stores it as an answer that comes late

A file is as safe as the row: it opens only with the connection's key, at its place, under its generation. One that does
not open, or belongs to another database, is set aside and told of; nothing of it is used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from connector import connections, tokens
from connector.connections import Claim, Landed, SealBroken
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.observed import Observed
from connector.flows.outside import outside_of
from connector.flows.refresh_storing import Answer, NotYet, store_late
from connector.model.errors import ConnectorError
from connector.settings import Settings
from connector.tokens import Kept, TokenOwner
from providers.secret import Secret
from vault import KeyDestroyed, VaultError

FORMAT = 1
_TOKENS = ("access", "refresh")
_LISTS = ("granted_scopes", "declined_scopes")

_log = structlog.get_logger("refresh")


class Unreadable(Exception):
    """No entry of this database's journal, or a damaged one; the message says which, and nothing of its content."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What an entry says in the clear, bound to what is sealed."""

    format: int
    tenant: str
    connection: str
    generation: int  # of the tokens that it replaces
    fence: int
    epoch: int


def journal_folder(settings: Settings) -> Path | None:
    """Where the journal lies: as set, else beside the database file, else beside the key file, else nowhere."""
    if settings.refresh.journal is not None:
        return settings.refresh.journal
    database = sa.make_url(settings.database.url)
    if database.drivername.startswith("sqlite"):
        return Path(f"{database.database}.landings")
    outside = outside_of(settings)
    return None if outside is None else outside.folder / "landings"


def keep(gateway: Gateway, answer: Answer) -> Kept | None:
    """Write the answer to the journal; None where there is none, or it cannot be written either."""
    claim, landed = answer.claim, answer.landed
    connection = claim.connection
    head = _Head(FORMAT, connection.tenant_id, connection.id, connection.generation, claim.fence, answer.key.epoch)
    plain = {one.name: getattr(landed, one.name) for one in fields(Landed)}
    plain |= {name: None if plain[name] is None else plain[name].reveal() for name in _TOKENS}
    written = json.dumps(_facts(head)).encode()
    whole = json.dumps({"landed": plain, "spent": answer.spent}).encode()
    sealed = tokens.sealed_for_journal(answer.key, answer.whose, whole, generation=head.generation, head=written)
    try:
        kept = gateway.journal.put(f"{connection.id}.{head.generation}.{claim.fence}", written + b"\n" + sealed)
    except OSError as problem:
        _log.error("journal.not_written", connection=connection.id, error=type(problem).__name__)
        return None
    if kept is not None:
        _log.warning("journal.written", connection=connection.id, generation=head.generation)
        failpoints.reached(gateway, "after_journal")
    return kept


def replay(gateway: Gateway) -> int:
    """Bring home what processes left behind that are gone; how many answers found their place.

    Raises:
        DatabaseUnavailable: they stay where they are.
    """
    done = 0
    for kept in gateway.journal.abandoned():
        try:
            store_late(gateway, _opened(gateway, kept.content()))
        except NotYet:
            kept.leave()  # somebody asks the provider at this moment; the next round sees what came of it
        except KeyDestroyed:
            _log.info("journal.for_nobody", entry=kept.path.name)  # ended and shredded: it can never be opened
            kept.drop()
        except (Unreadable, VaultError, SealBroken) as problem:
            _log.error("journal.set_aside", entry=kept.path.name, error=type(problem).__name__)
            kept.set_aside()
        except ConnectorError:
            kept.leave()
            raise
        else:
            _log.warning("journal.replayed", entry=kept.path.name)
            kept.drop()
            done += 1
    return done


def _opened(gateway: Gateway, content: bytes) -> Answer:
    written, _, sealed = content.partition(b"\n")
    head = _head(written)
    with gateway.store.read() as tx:
        connection = connections.find(tx, gateway.vault, head.tenant, head.connection)
        if connection is None:
            raise Unreadable("no such connection in this database")
        key = gateway.vault.key(tx, connection.token_owner, head.epoch)
    whose = TokenOwner(connection.tenant_id, connection.id, connection.provider)
    plain = json.loads(tokens.opened_from_journal(key, whose, sealed, generation=head.generation, head=written))
    claim = Claim(replace(connection, generation=head.generation), head.fence, 0, taken_over=False)
    try:
        return Answer(claim, None, whose, key, _landed(plain["landed"]), tuple(plain["spent"]), Observed())
    except (KeyError, TypeError) as error:
        raise Unreadable("not what this version writes") from error


def _head(written: bytes) -> _Head:
    try:
        head = _Head(**json.loads(written))
    except (ValueError, TypeError) as error:
        raise Unreadable("no head that this version can read") from error
    if head.format != FORMAT or not all(isinstance(one, str) for one in (head.tenant, head.connection)):
        raise Unreadable("a format that this version does not know")
    if not all(isinstance(one, int) for one in (head.generation, head.fence, head.epoch)):
        raise Unreadable("a head with something else in place of numbers")
    return head


def _facts(head: _Head) -> dict[str, Any]:
    return {one.name: getattr(head, one.name) for one in fields(_Head)}


def _landed(plain: dict[str, Any]) -> Landed:
    known = {one.name for one in fields(Landed)}
    given = {name: value for name, value in plain.items() if name in known}
    given |= {name: None if given[name] is None else Secret(given[name]) for name in _TOKENS}
    given |= {name: tuple(given[name]) for name in _LISTS}
    return Landed(**given)
