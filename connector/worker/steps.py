"""What a worker does, in the order of urgency. Each step does a batch and says how much it did."""

from __future__ import annotations

from collections.abc import Callable

from connector import clients, connections, ledger, people, work
from connector.flows import evidence, import_records, keep_records, push_update, refresh, revoke, run_out
from connector.flows.gateway import Gateway
from connector.flows.outside import outside_of
from connector.flows.signup_link import cleaning
from connector.work import Liveness, Step

CHECKPOINT_EVERY_S = 60.0
SWEEP_EVERY_S = 60.0
RUN_OUT_EVERY_S = 5.0
OUTSIDE_EVERY_S = 5.0
SILENT_MS = 2_000


def refreshing(gateway: Gateway) -> list[Step]:
    """Background refresh before expiry."""
    return [Step("refresh", lambda: refresh.due(gateway))]


def recovering(gateway: Gateway, liveness: Liveness) -> list[Step]:
    """Taking over what the dead held. Runs several times a second, because a provider's grace may be short."""
    # A lock of the file system ends with its process and never before; a database's may end with its connection.
    grace_ms = SILENT_MS if gateway.store.dialect == "postgresql" else 0

    def take_over() -> int:
        with gateway.store.read() as tx:
            dead = work.dead_owners(tx, liveness, grace_ms)
        done = refresh.recover(gateway, dead)
        if dead:
            with gateway.store.transaction() as tx:
                done += sum(work.release_dead(tx, table, dead) for table in work.TABLES)
                if done < refresh.BATCH:
                    work.forget(tx, dead)
        return done

    return [Step("recover", take_over)]


def outward(gateway: Gateway) -> list[Step]:
    """Revocations first: nobody should wait for an end because of a beginning."""
    return [
        Step("revoke", lambda: revoke.tell_providers(gateway)),
        Step("deliver", lambda: push_update.step(gateway)),
        Step("import", lambda: import_records.step(gateway)),
    ]


def keeping(gateway: Gateway) -> list[Step]:
    """Housekeeping: what is due by the clock."""
    return [
        Step("schedule_imports", lambda: import_records.queue_due(gateway)),
        Step("keep_records", lambda: int(keep_records.step(gateway))),
        Step("destroy_keys", lambda: revoke.destroy_due_keys(gateway)),
        Step("run_out", _every(gateway, RUN_OUT_EVERY_S, lambda: run_out.step(gateway))),
        Step("retire", _every(gateway, SWEEP_EVERY_S, lambda: revoke.retire(gateway))),
        Step("clean_flows", lambda: int(cleaning.step(gateway))),
        Step("sequence_ledger", lambda: _sequence(gateway)),
        Step("sign_ledger", _every(gateway, CHECKPOINT_EVERY_S, lambda: _sign(gateway))),
        Step("sweep", _every(gateway, SWEEP_EVERY_S, lambda: _sweep(gateway))),
        *_remembering(gateway),
    ]


def _remembering(gateway: Gateway) -> list[Step]:
    """What a backup must not bring back is written down outside the database."""
    outside = outside_of(gateway.settings)
    if outside is None:
        return []
    return [Step("remember_outside", _every(gateway, OUTSIDE_EVERY_S, lambda: outside.note(gateway.store)))]


def _sequence(gateway: Gateway) -> int:
    with gateway.store.read() as tx:
        waiting = tx.one("SELECT id FROM ledger_entries WHERE tree_index IS NULL LIMIT 1")
    if waiting is None:
        return 0
    with gateway.store.transaction() as tx:
        return ledger.sequence(tx)


def _sign(gateway: Gateway) -> None:
    with gateway.store.transaction() as tx:
        evidence.sign_ledger(gateway, tx)


def _sweep(gateway: Gateway) -> None:
    with gateway.store.transaction() as tx:
        clients.sweep(tx)
        connections.forget_outcomes(tx)
        people.sweep_portal(tx)


def _every(gateway: Gateway, seconds: float, act: Callable[[], object]) -> Callable[[], int]:
    """A step that acts once in so many seconds and never counts as work."""
    due = gateway.clock.monotonic()

    def step() -> int:
        nonlocal due
        if gateway.clock.monotonic() >= due:
            due = gateway.clock.monotonic() + seconds
            act()
        return 0

    return step
