"""The whole database into another one, SQLite into PostgreSQL or back, with nothing lost and nothing half served.

    source stands still → target is empty and of the same schema → marked as being copied
        → every table, counted and summed on both sides, in one transaction
        → every seal and ciphertext opened there, the ledger recomputed there
        → the target's mark goes, the source is set aside

Whatever stops it before the end leaves a target that says so, from which no gateway starts, and a source that goes on
as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from connector import ledger, work
from connector.flows.verify_vault import verify_vault
from connector.model.clock import Clock
from connector.model.errors import Conflict, Misconfigured
from connector.model.ids import new_id
from connector.model.instants import iso
from connector.storage import Store, Transaction, copying, current_revision, head_revision, marks, upgrade
from connector.storage.copying import Copied
from vault import Vault
from vault.verification import Report as VaultReport

VERIFY_PER_SECOND = 1_000_000.0  # nobody is served meanwhile

Tell = Callable[[str, int, int], None]
Keys = Callable[[Store, Vault], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied, and what was tried in the target afterwards."""

    tables: tuple[Copied, ...]
    vault: VaultReport
    ledger: ledger.Report

    @property
    def rows(self) -> int:
        """How many rows in all."""
        return sum(table.target_rows for table in self.tables)


@dataclass(frozen=True, slots=True)
class Copying:
    """From where to where. `vault_of`: the vault over a store; `keys`: the public keys that signed its ledger."""

    source: Store
    target: Store
    clock: Clock
    vault_of: Callable[[Store], Vault]
    keys: Keys
    tell: Tell


def copy_database(parts: Copying) -> CopyReport:
    """Copy everything.

    Raises:
        Conflict: the source is being served or was copied before, or the target holds something.
        Misconfigured: a schema of another revision; or the target does not hold what the source does (it stays marked).
    """
    _check_source(parts.source)
    _prepare(parts.target, parts.clock)
    with parts.source.transaction() as source:
        copying.hold_still(source)
        _refuse_served(parts.source, source)
        tables = _copy(parts, source)
        report = CopyReport(tables, *_try(parts))
        with parts.target.transaction() as target:
            marks.unmark(target, marks.COPYING)
        marks.mark(source, marks.MOVED_TO, f"{shown_url(parts.target.url)} at {iso(parts.clock.now())}")
    return report


def reopen(store: Store) -> bool:
    """The copy is not used after all: let the source be served again. Whether it had been set aside."""
    was = marks.MOVED_TO in marks.marks_of(store)
    with store.transaction() as tx:
        marks.unmark(tx, marks.MOVED_TO)
    return was


def shown_url(url: str) -> str:
    """A database's URL without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def _check_source(source: Store) -> None:
    revision, head = current_revision(source), head_revision()
    if revision != head:
        raise Misconfigured(
            "source_revision",
            f"The database to be copied is at revision {revision}, this version needs {head}; "
            "run: connector database upgrade",
        )
    found = marks.marks_of(source)
    if marks.MOVED_TO in found:
        raise Conflict("already_moved", f"This database was copied already, to {found[marks.MOVED_TO]}.")
    if marks.COPYING in found:
        raise Conflict("copy_incomplete", "This database is itself a copy that is not whole; copy from its source.")


def _prepare(target: Store, clock: Clock) -> None:
    """The target's schema is made where there is none. What stands in it is only ever removed if a copy left it."""
    revision, head = current_revision(target), head_revision()
    if revision is None:
        upgrade(target)
    elif revision != head:
        raise Misconfigured(
            "target_revision", f"The target is at revision {revision}, not {head}; name an empty database."
        )
    if marks.COPYING not in marks.marks_of(target):
        with target.transaction() as tx:
            if copying.rows_in(tx):
                raise Conflict("target_not_empty", "The target holds something already; name an empty database.")
            marks.mark(tx, marks.COPYING, iso(clock.now()))


def _refuse_served(source: Store, tx: Transaction) -> None:
    """Whoever works on the source would lose what they do. Their own signs of life are asked, not only their rows."""
    ids = [process.id for process in work.known(tx)]
    living = set(ids) - work.dead_owners(tx, work.open_liveness(source, new_id("wrk")))
    if living:
        raise Conflict(
            "source_served",
            f"{len(living)} processes of the gateway work on this database; end them first (connector serve, worker).",
        )


def _copy(parts: Copying, source: Transaction) -> tuple[Copied, ...]:
    with parts.target.transaction() as target:
        copying.empty(target)
        found = tuple(copying.copy_all(source, target, lambda done, every: parts.tell("Copying", done, every)))
        wrong = [table.table for table in found if not table.same]
        if wrong:
            raise Misconfigured(
                "copy_differs",
                f"The target does not hold what the source does in: {', '.join(wrong)}. Nothing was kept.",
            )
        return found


def _try(parts: Copying) -> tuple[VaultReport, ledger.Report]:
    """Open everything and recompute the ledger, in the target."""
    vault = parts.vault_of(parts.target)
    opened = verify_vault(
        parts.target,
        vault,
        parts.clock,
        per_second=VERIFY_PER_SECOND,
        tell=lambda _place, done, every: parts.tell("Opening", done, every),
    )
    with parts.target.transaction() as tx:
        audited = ledger.verify(
            tx, parts.keys(parts.target, vault), lambda done, every: parts.tell("Recomputing", done, every)
        )
    if opened.broken or not audited.ok:
        raise Misconfigured(
            "copy_does_not_open",
            f"In the target {opened.broken} records do not open"
            + ("" if audited.ok else ", and the ledger does not verify")
            + ". See what the source says: connector vault verify, connector ledger verify. The target stays closed.",
        )
    return opened, audited
