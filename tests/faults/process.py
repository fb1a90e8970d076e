"""A gateway's process for tests that mean to kill it: a worker, or one caller who wants a token.

    main("worker", settings, how)                                   says its worker id, then "runs"
    main("ask", settings, how, connection id, tenant id)            says "handed" or the error's code
    main("write", settings, how, times)                             writes so often, and says how that went
    main("copy", settings, how, file)                               copies a SQLite database while it is written
    main("rotate", {}, {}, url, key file, kind, phase, calls)       rotates keys (see `rotation`)

`how` says what is different from a gateway in earnest: what it believes of the provider, how long its lease is, which
of its defences is switched off (see `unsafe`).
"""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
import structlog

from connector import app
from connector.clients import clients_of
from connector.connections import brake
from connector.flows import refresh, refresh_attempt
from connector.flows.fresh_token import Wanted, fresh_token
from connector.flows.gateway import Gateway
from connector.model.errors import ConnectorError
from connector.model.tags import Purpose
from connector.settings import development
from connector.storage import known_revisions
from connector.work import Presence
from connector.worker import Worker
from providers import catalogue
from tests.faults import unsafe
from tests.faults.rotation import rotate
from tests.gateways import shipped_policy


def prepare() -> None:
    """What every process would do by itself, done once before the fork."""
    shipped_policy()
    known_revisions()
    catalogue.adapter("rehearsal")


def main(role: str, settings: dict[str, Any], how: Mapping[str, Any], *given: str) -> int:
    """One process's life; its exit code."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(how.get("log", logging.CRITICAL)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # what it says to tests goes to the other one
    )
    if role == "rotate":
        return rotate(*given)
    _differ(how)
    gateway = app.build(development(**settings), policy=shipped_policy())
    if role == "worker":
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        unsafe.of_the_process(how.get("without", ()))
        _say(gateway.worker_id)
        return 0 if _Told(gateway).run(stop) else 1
    if role == "write":
        return _write(gateway, int(given[0]))
    if role == "copy":
        return _copy(gateway, given[0])
    return _ask(gateway, *given)


class _Told(Worker):
    """A worker that says when it works."""

    def _start(self, stop: threading.Event) -> list[threading.Thread]:
        threads = super()._start(stop)
        _say("runs")
        return threads


def _ask(gateway: Gateway, connection_id: str, tenant_id: str) -> int:
    presence = Presence(gateway.store, gateway.worker_id, "listener")
    presence.start()
    with gateway.store.read() as tx:
        client = next(one for one in clients_of(tx, gateway.vault, tenant_id) if one.name == "worker")
    try:
        fresh_token(gateway, client, Wanted(connection_id, Purpose.SERVICE, min_ttl_s=1_000_000))
    except ConnectorError as error:
        _say(error.code)
    else:
        _say("handed")
    gateway.flights.landed(30)
    presence.stop()
    return 0


def _write(gateway: Gateway, times: int) -> int:
    """Transactions that read what they then write, as a claim does: the kind that a deferred BEGIN makes fail."""
    took: list[float] = []
    failed = 0
    for _ in range(times):
        began = time.monotonic()
        try:
            with gateway.store.transaction() as tx:
                row = tx.one("SELECT id, attempts FROM connections ORDER BY id LIMIT 1") or {}
                tx.run("UPDATE connections SET attempts = :next WHERE id = :id", id=row["id"], next=row["attempts"] + 1)
        except ConnectorError:
            failed += 1
        took.append(time.monotonic() - began)
        with gateway.store.read() as tx:
            tx.one("SELECT COUNT(*) AS n FROM connections")
    took.sort()
    _say(json.dumps({"failed": failed, "longest_s": took[-1], "p99_ms": round(1000 * took[int(0.99 * len(took))], 1)}))
    return 0


def _copy(gateway: Gateway, file: str) -> int:
    found = sa.make_url(gateway.store.url).database or ""
    began = time.monotonic()
    with closing(sqlite3.connect(found)) as source, closing(sqlite3.connect(file)) as copy:
        source.backup(copy, pages=20)
        whole = copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    _say(json.dumps({"failed": int(not whole), "longest_s": 0.0, "copied_s": time.monotonic() - began}))
    return 0


def believe(model: str, grace_s: float = 0.0) -> None:
    """What the catalogue says of Rehearsal from now on, in this process."""
    known = catalogue.entry
    shipped = known("rehearsal")
    other = replace(shipped, refresh=replace(shipped.refresh, model=model, grace_s=grace_s))
    catalogue.entry = lambda name: other if name == "rehearsal" else known(name)


def _differ(how: Mapping[str, Any]) -> None:
    if "believes" in how:
        believe(*how["believes"])
    if "deadline_s" in how:
        refresh_attempt.DEADLINE_S = how["deadline_s"]
    if "lease_ms" in how:
        refresh.LEASE_MS = how["lease_ms"]
    if how.get("brake") is False:  # a storm that means to lose grants is no bad day of the provider
        brake.ENOUGH = 1 << 30
    unsafe.switch_off(how.get("without", ()))


def _say(word: str) -> None:
    print(word, flush=True)  # noqa: T201  who started it reads it
