"""Builds everything once and hands it down: the only module that knows every room.

A gateway that cannot be trusted is not built: a schema that is behind, a key that does not open, a policy that does not
hold in every combination, each stops the start with a sentence that says how to mend it.
"""

from __future__ import annotations

import structlog

from connector.connections import still_handing_out
from connector.egress import Egress
from connector.flows.gateway import Gateway
from connector.ledger import GroupCommit
from connector.model.clock import Clock, SystemClock
from connector.model.errors import Misconfigured
from connector.model.ids import new_id
from connector.policy import Policy, load_policy, prove
from connector.settings import Settings, shipped
from connector.storage import Store, current_revision, known_revisions, open_store
from connector.tokens import Flights
from connector.work import ProcessWakeup, RedisWakeup, Wakeup
from vault import KeySource, KeySourceError, Vault, open_source

_log = structlog.get_logger()


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    store: Store | None = None,
    keys: KeySource | None = None,
    policy: Policy | None = None,
) -> Gateway:
    """The gateway's parts, checked.

    Args:
        settings: what the operator set.
        clock: where time comes from; the machine's own by default.
        store, keys, policy: parts that are there already; made from the settings by default. A policy that is handed
            in must have been proven.

    Raises:
        Misconfigured: the gateway must not start; the hint says how to mend it.
        DatabaseUnavailable: the database cannot be reached.
    """
    clock = clock or SystemClock()
    store = store or open_store(settings.database.url, clock)
    check_schema(store)
    vault = open_vault(settings, clock, keys)
    check_keys(store, vault)
    gateway = Gateway(
        settings=settings,
        clock=clock,
        store=store,
        vault=vault,
        policy=policy or proven_policy(settings),
        egress=Egress(
            clock,
            deadline_s=settings.egress.deadline_s,
            max_bytes=settings.egress.max_bytes,
            development=settings.is_development,
        ),
        handouts=GroupCommit(store, guard=still_handing_out),
        flights=Flights(),
        wakeup=_wakeup(settings, clock),
        worker_id=new_id("wrk"),
    )
    if settings.is_development:
        _log.warning("gateway.development_mode", allows="plain http, loopback providers and Rehearsal")
    return gateway


def close(gateway: Gateway) -> bool:
    """Let go of everything, handouts first; whether all that was taken was committed in time."""
    finished = gateway.handouts.stop()
    gateway.wakeup.close()
    gateway.store.dispose()
    return finished


def check_schema(store: Store) -> None:
    """The schema must be the one this code knows, or a newer one: nodes are upgraded one by one.

    Raises:
        Misconfigured: the database is empty or behind.
    """
    found = current_revision(store)
    known = known_revisions()
    if found is None:
        raise Misconfigured("database_empty", "The database has no tables yet; make them with: connector init")
    if found in known and found != known[0]:
        raise Misconfigured(
            "database_behind",
            f"The database is at revision {found}, this version needs {known[0]}; run: connector database upgrade",
        )
    if found not in known:
        _log.info("storage.newer_schema", found=found, known=known[0])


def open_vault(settings: Settings, clock: Clock, keys: KeySource | None = None) -> Vault:
    """The vault over the configured key source. Raises Misconfigured where that cannot be read."""
    try:
        return Vault(keys or open_source(settings.vault.kek), now=clock.now)
    except KeySourceError as error:
        raise Misconfigured("key_source", f"{error.what} {error.mend}") from error


def check_keys(store: Store, vault: Vault) -> None:
    """Every key in use must open, before anything is served. Raises Misconfigured with every finding."""
    with store.read() as tx:
        findings = vault.check(tx)
    if findings:
        raise Misconfigured(findings[0].code, " ".join(finding.sentence for finding in findings))


def proven_policy(settings: Settings) -> Policy:
    """The versions in the configured directory, or those shipped, each proven over its whole space.

    Raises:
        Misconfigured: a file cannot be taken (PolicyUnreadable), or a promise does not hold.
    """
    policy = load_policy(settings.policy.directory or shipped("policy"))
    for version in policy.versions:
        violations = prove(version).violations
        if violations:
            raise Misconfigured(
                "policy_unsound",
                f"Policy {version.name} breaks a promise: {violations[0]} See all with: connector policy check",
            )
    return policy


def _wakeup(settings: Settings, clock: Clock) -> Wakeup:
    return ProcessWakeup() if settings.redis.url is None else RedisWakeup(settings.redis.url, clock)
