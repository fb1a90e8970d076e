"""What a worker does, in the order of urgency. Each step does a batch and says how much it did."""

from __future__ import annotations

from collections.abc import Callable

from connector import clients, connections, ledger, people, work
from connector.flows import (
    children,
    evidence,
    forwarding,
    import_records,
    keep_records,
    policy_versions,
    post_notices,
    push_update,
    reconcile,
    refresh,
    refresh_journal,
    revoke,
    run_out,
    shredding,
    stale_choices,
)
from connector.flows.gateway import Gateway
from connector.flows.outside import outside_of
from connector.flows.signup_link import cleaning
from connector.work import Liveness, Step

CHECKPOINT_EVERY_S = 60.0
SWEEP_EVERY_S = 60.0
RUN_OUT_EVERY_S = 5.0
POLICY_EVERY_S = 5.0
OUTSIDE_EVERY_S = 5.0
CLEAN_EVERY_S = 15.0


def refreshing(gateway: Gateway) -> list[Step]:
    """Background refresh before expiry."""
    return [Step("refresh", lambda: refresh.due(gateway))]


def refreshing_wanted(gateway: Gateway) -> list[Step]:
    """What callers of listeners wait for, where these do not refresh themselves."""
    return [Step("refresh_wanted", lambda: refresh.wanted(gateway))]


def recovering(gateway: Gateway, liveness: Liveness) -> list[Step]:
    """Taking over what the dead held. Runs several times a second, because a provider's grace may be short.

    The sign of life alone decides. Where one was lost in life all the same, whoever takes over assumes the worst of
    what was sent, and the answer that the living one still gets lands late.
    """

    def take_over() -> int:
        gateway.watch.look()
        done = refresh_journal.replay(gateway)  # an answer that is there is better than asking again
        with gateway.store.read() as tx:
            dead = work.dead_owners(tx, liveness, grace_ms=0)
        done += refresh.recover(gateway, dead)
        if dead:
            with gateway.store.transaction() as tx:
                done += sum(work.release_dead(tx, table, dead) for table in work.TABLES)
                if not refresh.holds_refreshes(gateway, tx, dead):
                    work.forget(tx, dead)
        return done

    return [Step("recover", take_over)]


def outward(gateway: Gateway) -> list[Step]:
    """Revocations first: nobody should wait for an end because of a beginning."""
    return [
        _where_due(gateway, "revoke", "revocations", revoke.tell_providers),
        _where_due(gateway, "deliver", "deliveries", push_update.step),
        _where_due(gateway, "import", "imports", import_records.step),
        _where_due(gateway, "mail", "mails", post_notices.send_letters),
        _where_due(gateway, "forward_erasures", "forwardings", forwarding.tell_outsiders),
    ]


def _where_due(gateway: Gateway, name: str, table: str, act: Callable[[Gateway], int]) -> Step:
    """Look before claiming: a claim opens a write transaction, and SQLite has one writer for everybody."""

    def step() -> int:
        with gateway.store.read() as tx:
            if not work.any_due(tx, table):
                return 0
        return int(act(gateway))

    return Step(name, step)


def keeping(gateway: Gateway) -> list[Step]:
    """Housekeeping: what is due by the clock."""
    return [
        Step("schedule_imports", lambda: import_records.queue_due(gateway)),
        Step("keep_records", lambda: int(keep_records.step(gateway))),
        Step("destroy_keys", lambda: revoke.destroy_due_keys(gateway)),
        Step("reconcile", lambda: reconcile.step(gateway)),
        Step("run_out", _every(gateway, RUN_OUT_EVERY_S, lambda: run_out.step(gateway))),
        Step("retire", _every(gateway, SWEEP_EVERY_S, lambda: revoke.retire(gateway))),
        Step("policy_versions", _every(gateway, POLICY_EVERY_S, lambda: _keep_policy(gateway))),
        Step("clean_flows", lambda: int(cleaning.step(gateway))),
        Step("post_notices", lambda: post_notices.spread(gateway)),
        Step("newcomers", _every(gateway, SWEEP_EVERY_S, lambda: post_notices.spread(gateway, newcomers=True))),
        Step("purge_children", lambda: children.purge(gateway)),
        Step("forget_children", _every(gateway, SWEEP_EVERY_S, lambda: children.forget(gateway))),
        Step("forget_letters", _every(gateway, SWEEP_EVERY_S, lambda: post_notices.forget_letters(gateway))),
        Step("forget_forwardings", _every(gateway, SWEEP_EVERY_S, lambda: forwarding.forget(gateway))),
        Step("sequence_ledger", lambda: _sequence(gateway)),
        Step("sign_ledger", _every(gateway, CHECKPOINT_EVERY_S, lambda: _sign(gateway))),
        Step("sweep", _every(gateway, SWEEP_EVERY_S, lambda: _sweep(gateway))),
        Step("clean_key_files", _every(gateway, CLEAN_EVERY_S, shredding.Upkeep(gateway).step)),
        *_remembering(gateway),
    ]


def _remembering(gateway: Gateway) -> list[Step]:
    """What a backup must not bring back is written down outside the database."""
    outside = outside_of(gateway.settings)
    if outside is None:
        return []
    return [Step("remember_outside", _every(gateway, OUTSIDE_EVERY_S, lambda: outside.note(gateway.store)))]


def _keep_policy(gateway: Gateway) -> None:
    policy_versions.step(gateway)
    stale_choices.step(gateway)


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
