"""One import, from claim to end: page by page, each page whole or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import structlog

from connector import connections, people, records, work
from connector.connections import Connection
from connector.flows import failpoints
from connector.flows.gateway import Gateway
from connector.flows.import_records.children import end_for_child
from connector.flows.import_records.endings import Ending, LostWork, end, later, lost
from connector.flows.import_records.entering import note_begun, note_refused
from connector.flows.import_records.planning import Plan, plan
from connector.flows.import_records.sorting import Sorted, Sorter
from connector.flows.observed import Observed
from connector.flows.provider_grant import ProviderGrant, grant_for, renewed_after_refusal
from connector.model.errors import Conflict, Gone, NotFound, TryLater
from connector.model.tags import Account
from connector.people import User
from connector.records import Import, Into
from connector.storage import Transaction
from connector.work import Claimed
from providers.capabilities import Page, ReadsContacts, ReadsProfile
from providers.errors import ProviderError
from providers.exchange import Exchange

TABLE = "imports"
LEASE_MS = 60_000
DEADLINE_S = 20.0
MAX_PAGES = 10_000
MAX_ATTEMPTS = 8

_log = structlog.get_logger("import")
_draw = random.SystemRandom().random


@dataclass(slots=True)
class _Run:
    """An import under way in this process."""

    gateway: Gateway
    claimed: Claimed
    row: Import
    grant: ProviderGrant
    counts: dict[str, int]
    done: list[str]
    ending: Ending
    renewed: bool = False
    skipped: list[str] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        """The connection as it was when the grant was read."""
        return self.grant.connection


class _UnderAge(Exception):
    """The profile says that the person is a child: it is over already, and nothing more comes in."""


def step(gateway: Gateway) -> bool:
    """Claim one import and do it. True where there was one."""
    with gateway.store.transaction() as tx:
        claimed = work.claim(tx, TABLE, gateway.worker_id, 1, LEASE_MS)
    for one in claimed:
        _attempt(gateway, one)
    return bool(claimed)


def _attempt(gateway: Gateway, claimed: Claimed) -> None:
    with gateway.store.read() as tx:
        row = records.find_import(tx, claimed.id)
    if row is None:
        return
    ending = Ending(gateway, claimed, row, Observed())
    try:
        _run(gateway, claimed, row, ending)
    except LostWork:
        lost(ending)
    except (Gone, NotFound):
        end(ending, "void", error="revoked")
    except _UnderAge:
        _log.info("import.under_age", import_id=claimed.id)
    except TryLater as problem:
        _again(ending, problem.code, at_least_s=problem.retry_after_s)
    except Conflict as problem:
        if problem.code == "needs_reauth":
            end(ending, "failed", error="needs_reauth")
        else:
            _again(ending, problem.code)
    except ProviderError as problem:
        _after_provider_error(ending, problem)


def _after_provider_error(ending: Ending, problem: ProviderError) -> None:
    """Gone for good ends it; anything else is tried again, later each time, and then ends it."""
    if problem.kind in {"rejected", "misconfigured", "unsupported", "denied", "mismatch"}:
        end(ending, "failed", error=problem.kind)
    else:
        _again(ending, problem.kind, at_least_s=problem.retry_after_s or 0)


def _again(ending: Ending, code: str, *, at_least_s: int = 0) -> None:
    if ending.claimed.attempts >= MAX_ATTEMPTS:
        end(ending, "failed", error=code)
        return
    delay_ms = work.backoff_ms(ending.claimed.attempts, _draw, at_least_ms=at_least_s * 1000)
    later(ending, delay_ms, error=code)


def _run(gateway: Gateway, claimed: Claimed, row: Import, ending: Ending) -> None:
    with gateway.store.read() as tx:
        connection = connections.find(tx, gateway.vault, row.tenant_id, row.connection_id)
    ending.connection = connection
    grant = grant_for(gateway, row.tenant_id, row.connection_id)
    done = list(row.progress.get("done", ()))
    run = _Run(gateway, claimed, row, grant, dict(row.counts), done, ending)
    planned = _begin(run)
    ending.counts = run.counts
    for kind in planned.kinds:
        if kind not in run.done:
            _kind(run, kind)
    nothing = "nothing_allowed" if planned.refused else "nothing_granted"
    end(ending, "done", error=next(iter(run.skipped), None) if planned.kinds else nothing)


def _begin(run: _Run) -> Plan:
    """Decide what may come in, and write down that it begins. A fresh run begins at the head of every list."""
    with run.gateway.store.transaction() as tx:
        connection, user = _live(run, tx)
        planned = plan(run.gateway, tx, connection, run.grant.whole, user)
        if run.row.started_at is None:
            records.clear_cursors(tx, connection.id, "page")
            note_refused(tx, run.row, connection, planned)
        note_begun(tx, run.row, connection, planned, run.claimed.attempts)
        _progress(run, tx, started=True)
    run.ending.begun = True
    failpoints.reached(run.gateway, "import_intended")
    return planned


def _kind(run: _Run, kind: str) -> None:
    try:
        if kind == "profile":
            _profile(run)
        else:
            _contacts(run)
    except ProviderError as problem:
        if problem.kind not in {"insufficient_scope", "unsupported"}:
            raise
        run.skipped.append(problem.kind)  # the feature is off there; the rest goes on


def _profile(run: _Run) -> None:
    with run.gateway.store.read() as tx:
        connection, user = _live_now(run, tx)
        planned = plan(run.gateway, tx, connection, run.grant.whole, user).kinds.get("profile")
    if planned is None:
        return
    words = frozenset(category.value for category in planned.categories)
    adapter = cast("ReadsProfile", run.grant.whole.adapter)
    page = _read(run, lambda grant: adapter.profile(grant.whole.registration, grant.grant, words))
    _store(run, "profile", page, last=True)


def _contacts(run: _Run) -> None:
    adapter = cast("ReadsContacts", run.grant.whole.adapter)
    began_again = False
    for _ in range(MAX_PAGES):
        cursor, since = _cursors(run)
        try:
            page = _read(
                run,
                lambda grant, at=cursor, after=since: adapter.contacts(  # type: ignore[misc]  # bound now, not at the call
                    grant.whole.registration, grant.grant, cursor=at, sync_cursor=after
                ),
            )
        except ProviderError as problem:
            if problem.code != "sync_expired" or began_again:
                raise
            began_again = True
            _forget_cursors(run)
            continue
        if page.next_cursor is not None and page.next_cursor == cursor:
            raise ProviderError("garbage", "cursor_repeats", "The provider's list goes in circles.")
        _store(run, "contacts", page, last=page.next_cursor is None)
        if page.next_cursor is None:
            return
    raise ProviderError("garbage", "endless", "The provider's list does not end.")


def _read(run: _Run, ask: Callable[[ProviderGrant], Exchange[Page]]) -> Page:
    """Drive one exchange; a token that the provider does not take any more is renewed once in a run."""
    try:
        return _drive(run, ask)
    except ProviderError as problem:
        if problem.kind != "rejected" or run.renewed:
            raise
    run.renewed = True
    run.grant = renewed_after_refusal(run.gateway, run.grant)
    return _drive(run, ask)


def _drive(run: _Run, ask: Callable[[ProviderGrant], Exchange[Page]]) -> Page:
    return run.gateway.egress.drive(
        ask(run.grant), provider=run.grant.whole.integration.id, deadline_s=DEADLINE_S, observe=run.ending.observed
    )


def _store(run: _Run, kind: str, page: Page, *, last: bool) -> None:
    """A page with its cursor, counts and entries, in one transaction; decided anew, as things stand now."""
    gateway = run.gateway
    failpoints.reached(gateway, "import_sent")
    with gateway.store.transaction() as tx:
        connection, user = _live(run, tx)
        planned = plan(gateway, tx, connection, run.grant.whole, user).kinds.get(kind)
        found = None if planned is None else Sorter(gateway, connection, user, kind, planned, tx.now()).sort(page)
        under_age = found is not None and found.own_child
        if under_age:
            end_for_child(run.ending, tx, connection, user)
        else:
            run.ending.observed.record(tx, connection, {"import": run.row.id, "action": f"import_{kind}"})
            if found is not None:
                _keep(run, tx, (connection, user), kind, page, found, last=last)
            run.done += [kind] if last else []
            _progress(run, tx)
    if under_age:
        raise _UnderAge


def _keep(  # noqa: PLR0917  for whom, what
    run: _Run, tx: Transaction, whose: tuple[Connection, User], kind: str, page: Page, found: Sorted, *, last: bool
) -> None:
    connection, user = whose
    key = run.gateway.vault.key(tx, connection.data_owner)
    own = "self" if kind == "profile" else "contact"
    into = Into(user.sub, own, connection.identity_id, key, run.row.number)
    tally = records.store_cards(tx, run.gateway.vault, into, found.cards)
    gone = records.tombstone_unseen(tx, into) if last and page.full and kind == "contacts" else 0
    records.keep_cursor(tx, key, kind, "page", page.next_cursor)
    if last:
        records.keep_cursor(tx, key, kind, "sync", page.sync_cursor)
    _count(run, cards=tally.cards, pages=1, taken=tally.taken, unchanged=tally.unchanged)
    _count(run, removed=tally.removed + gone, refused=tally.refused + found.refused + found.children)
    _count(run, ignored=found.ignored, strangers=found.strangers)


def _live(run: _Run, tx: Transaction) -> tuple[Connection, User]:
    """The claim, the connection and the person as they stand; the connection is locked until the end.

    Raises:
        LostWork: somebody took the import over. Gone, NotFound: there is nothing to import for any more.
    """
    if not work.heartbeat(tx, TABLE, run.claimed, run.gateway.worker_id, LEASE_MS):
        raise LostWork(run.claimed.id)
    return _checked(run, tx, connections.find_for_update(tx, run.gateway.vault, run.row.connection_id))


def _live_now(run: _Run, tx: Transaction) -> tuple[Connection, User]:
    found = connections.find(tx, run.gateway.vault, run.row.tenant_id, run.row.connection_id)
    return _checked(run, tx, found)


def _checked(run: _Run, tx: Transaction, connection: Connection | None) -> tuple[Connection, User]:
    if connection is None or connection.ended:
        raise Gone("revoked", "The connection ended.")
    user = people.find_user(tx, run.gateway.vault, run.row.tenant_id, connection.sub)
    if user is None or user.account is not Account.OPEN:
        raise Gone("deleted", "The account was deleted.")
    return connection, people.trusted(tx, run.gateway.vault, user)


def _cursors(run: _Run) -> tuple[str | None, str | None]:
    with run.gateway.store.read() as tx:
        key = run.gateway.vault.key(tx, run.connection.data_owner)
        page = records.open_cursor(tx, key, "contacts", "page")
        return page, records.open_cursor(tx, key, "contacts", "sync")


def _forget_cursors(run: _Run) -> None:
    with run.gateway.store.transaction() as tx:
        connection, _ = _live(run, tx)
        run.ending.observed.record(tx, connection, {"import": run.row.id, "action": "import_contacts"})
        for role in ("page", "sync"):
            records.clear_cursors(tx, connection.id, role)


def _count(run: _Run, **more: int) -> None:
    for name, number in more.items():
        run.counts[name] += number


def _progress(run: _Run, tx: Transaction, *, started: bool = False) -> None:
    records.note_progress(tx, run.row.id, counts=run.counts, progress={"done": run.done}, started=started)
