"""Builds everything once and hands it down: the only module that knows every room.

A gateway that cannot be trusted is not built: a schema that is behind, a key that does not open, a policy that does not
hold in every combination, each stops the start with a sentence that says how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from connector.connections import still_handing_out
from connector.egress import Egress
from connector.flows.gateway import Gateway
from connector.flows.policy_versions import admit
from connector.flows.refresh_journal import journal_folder
from connector.ledger import GroupCommit
from connector.model.clock import Clock, SystemClock
from connector.model.errors import Misconfigured
from connector.model.ids import new_id
from connector.policy import Policy, load_sound_policy
from connector.settings import Settings, shipped
from connector.storage import Store, current_revision, known_revisions, marks, open_store
from connector.tokens import Flights, Journal
from connector.work import ClockWatch, ProcessWakeup, RedisWakeup, Wakeup
from vault import Access, KeySource, KeySourceError, Vault, open_sources

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
        policy=admit(store, policy or sound_policy(settings), settings.policy.notice_windows.changes),
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
        journal=Journal(journal_folder(settings)),
        watch=ClockWatch(clock),
        refreshes=settings.refresh.process == "in-process",
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
    """The schema must be the one this code knows, or a newer one that says that this code may work on it.

    Nodes are upgraded one by one, so the version before goes on while its database is newer already.

    Raises:
        Misconfigured: the database is empty, behind, or too far ahead; it is a copy that is not whole, or was copied
            elsewhere.
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
    said = marks.marks_of(store)
    _refuse_half_moved(said)
    if found not in known:
        if said.get(marks.COMPATIBLE_FROM) not in known:
            raise Misconfigured(
                "database_newer",
                f"The database is at revision {found}, which this version ({known[0]}) cannot work on; "
                "install the version that upgraded it, or a newer one.",
            )
        _log.info("storage.newer_schema", found=found, known=known[0])


def _refuse_half_moved(said: Mapping[str, str]) -> None:
    if marks.COPYING in said:
        raise Misconfigured(
            "copy_incomplete",
            "A copy into this database was begun and did not end. Run it again from the source: "
            "connector database copy --to URL",
        )
    if marks.MOVED_TO in said:
        raise Misconfigured(
            "database_moved",
            f"This database was copied to {said[marks.MOVED_TO]} and is set aside. Set database.url to the copy; "
            "if the copy is not used, open this one again with: connector database copy --undo",
        )


def open_vault(settings: Settings, clock: Clock, keys: KeySource | None = None) -> Vault:
    """The vault over the configured key sources. Raises Misconfigured where one cannot be read."""
    return Vault(keys or key_source(settings), now=clock.now)


def key_source(settings: Settings, only: str | None = None) -> KeySource:
    """The configured key sources as one, or one of them by itself. Raises Misconfigured where it cannot be read."""
    named = list(settings.vault.sources()) if only is None else [only]
    try:
        return open_sources(named[0], named[1:], access=key_access(settings))
    except KeySourceError as error:
        raise Misconfigured("key_source", f"{error.what} {error.mend}") from error


def key_access(settings: Settings) -> Access:
    """What key sources need beside their names."""
    vault = settings.vault
    return Access(
        passphrase=None if vault.passphrase is None else vault.passphrase.encode(),
        token=vault.token,
        token_file=vault.token_file,
        ca_file=vault.ca_file,
        namespace=vault.namespace,
    )


def check_keys(store: Store, vault: Vault) -> None:
    """Every key in use must open, before anything is served. Raises Misconfigured with every finding."""
    with store.read() as tx:
        findings = vault.check(tx)
    if findings:
        raise Misconfigured(findings[0].code, " ".join(finding.sentence for finding in findings))


def sound_policy(settings: Settings) -> Policy:
    """The versions in the configured directory, or those shipped, each proven over its whole space.

    Raises:
        Misconfigured: a file cannot be taken (PolicyUnreadable), or a promise does not hold (PolicyUnsound).
    """
    return load_sound_policy(settings.policy.directory or shipped("policy"), settings.policy.text)


def _wakeup(settings: Settings, clock: Clock) -> Wakeup:
    return ProcessWakeup() if settings.redis.url is None else RedisWakeup(settings.redis.url, clock)
