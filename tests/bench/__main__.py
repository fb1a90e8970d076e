"""`python -m tests.bench [--seconds S] [--connections N] [--json FILE]`: everything once, as one table and as JSON."""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from connector.storage import open_store, upgrade
from tests.bench import due
from tests.bench.load import Measured, load, post
from tests.bench.parts import parts
from tests.bench.servers import SLOW_CALLERS, Served, floor
from tests.services import postgresql

CALLERS = (1, 16, 64)
STORM = 1_000
WARM_S = 0.5
Floors = dict[str, dict[int, float]]


def main() -> int:
    """Measure, print, write down."""
    given = _parsed()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    report: dict[str, Any] = {"processors": os.cpu_count(), "load_before": os.getloadavg()[0], "rows": [], "parts": {}}
    floors: Floors = {name: _floor(name, given.seconds, report) for name in ("raw", "flask")}
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        _gateway("SQLite", Path(folder), f"sqlite:///{folder}/bench.db", given, floors, report)
        _due("SQLite", f"sqlite:///{folder}/due.db", given, report)
    tools = postgresql.binaries()
    if tools is None:
        report["parts"]["PostgreSQL"] = "not measured: no initdb on PATH or under /usr/lib/postgresql"
    else:
        server = postgresql.start(tools)
        with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
            _gateway("PostgreSQL", Path(folder), postgresql.database(server, "bench"), given, floors, report)
        _due("PostgreSQL", postgresql.database(server, "due"), given, report)
    report["load_after"] = os.getloadavg()[0]
    _show(report)
    given.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure under load")
    parser.add_argument("--connections", type=int, default=1_000_000, help="among which what is due is looked for")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    given = parser.parse_args()
    given.json.parent.mkdir(parents=True, exist_ok=True)
    return given


def _floor(name: str, seconds: float, report: dict[str, Any]) -> dict[int, float]:
    with floor(name) as port:
        requests = [post("/hello", "none")]
        load(port, requests, callers=16, seconds=WARM_S)
        found = {}
        for callers in CALLERS:
            measured = load(port, requests, callers=callers, seconds=seconds / 2)
            found[callers] = measured.per_second
            report["rows"].append(_row(f"floor: {name} hello", callers, measured, {}))
        return found


def _gateway(
    name: str, folder: Path, url: str, given: argparse.Namespace, floors: Floors, report: dict[str, Any]
) -> None:
    seconds = given.seconds
    served = Served(folder, url)
    requests = [post(f"/v1/connections/{one}/token", served.token) for one in served.fresh]
    try:
        with served.running():
            load(served.port, requests, callers=64, seconds=WARM_S)
            for callers in CALLERS:
                measured = load(served.port, requests, callers=callers, seconds=seconds)
                report["rows"].append(_row(f"fresh token, {name}", callers, measured, floors))
            report["parts"][f"resident memory after that, {name}, MB"] = served.memory_mb()
            with _Slow(served):
                measured = load(served.port, requests, callers=16, seconds=seconds)
            what = f"the same beside {SLOW_CALLERS} slow refreshes, {name}"
            report["rows"].append(_row(what, 16, measured, floors))
            report["parts"][f"refresh storm, {name}: provider calls for {STORM} callers"] = _storm(served)
        report["parts"] |= {f"{what}, {name}": figure for what, figure in parts(served).items()}
    finally:
        served.close()


def _due(name: str, url: str, given: argparse.Namespace, report: dict[str, Any]) -> None:
    """On a database of its own, which it fills."""
    store = open_store(url)
    upgrade(store)
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        found = due.measure(store, Path(folder), given.connections)
    store.dispose()
    report["parts"] |= {f"{what}, {name}": figure for what, figure in found.items()}


class _Slow:
    """Callers of connections whose provider takes a second each time, for as long as the block runs."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._over = threading.Event()
        requests = [post(f"/v1/connections/{one}/token", served.token) for one in served.slow()]
        self._thread = threading.Thread(target=self._run, args=(requests,))

    def __enter__(self) -> None:
        self._thread.start()
        self._over.wait(1.0)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self, requests: list[bytes]) -> None:
        while not self._over.is_set():
            load(self._served.port, requests, callers=SLOW_CALLERS, seconds=1.0)


def _storm(served: Served) -> int:
    """A thousand callers at one moment, one connection that is over: how many requests its provider saw."""
    provider = served.linked.provider
    served.config.access_token_s = 3600
    served.linked.faults({"kind": "delay", "delay_s": 0.5})
    (one,) = served.slow(1)
    with served.store.read() as tx:
        row = tx.one("SELECT expires_at FROM connections WHERE id = :id", id=one)
    if row is None:
        raise RuntimeError("the connection is not there")
    request = post(f"/v1/connections/{one}/token", served.token, b'{"min_ttl": 3600}')
    provider.oracle.clear()
    threading.Event().wait(0.3)
    _make_old(served, one)
    load(served.port, [request], callers=STORM // 4, total=STORM)
    grant = list(provider.grants)[-1]
    seen = provider.oracle.report()["refresh_tokens"]
    return sum(len(token["uses"]) for token in seen if token["label"].startswith(grant))


def _make_old(served: Served, connection_id: str) -> None:
    """Let the connection's token be over, as the gateway itself would write it."""
    from connector import connections  # noqa: PLC0415  beside the one place that needs it
    from connector.model.states import ConnectionState  # noqa: PLC0415

    vault = served.house.gateway.vault
    with served.store.transaction() as tx:
        found = connections.find_for_update(tx, vault, connection_id)
        if found is None:
            raise RuntimeError("the connection is not there")
        connections.move(tx, vault, found, ConnectionState.ACTIVE, columns={"expires_at": tx.now() - 1})


def _row(what: str, callers: int, measured: Measured, floors: Floors) -> dict[str, Any]:
    wrong = {status: many for status, many in measured.statuses.items() if status != 200}
    return {
        "what": what,
        "callers": callers,
        "per_second": round(measured.per_second, 1),
        "p50_ms": round(measured.quantile(0.50), 2),
        "p99_ms": round(measured.quantile(0.99), 2),
        "errors": wrong,
        "share_of": {name: round(measured.per_second / floor[callers], 3) for name, floor in floors.items()},
    }


def _show(report: dict[str, Any]) -> None:
    console = Console(width=120)
    table = Table(title=f"{report['processors']} processors, shared with the callers")
    for column in ("", "callers", "per second", "p50 ms", "p99 ms", "of raw WSGI", "of Flask", "errors"):
        table.add_column(column, justify="left" if not column else "right")
    for row in report["rows"]:
        shares = [f"{row['share_of'][name]:.0%}" if row["share_of"] else "" for name in ("raw", "flask")]
        figures = (f"{row['per_second']:,.0f}", f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}")
        table.add_row(row["what"], str(row["callers"]), *figures, *shares, str(row["errors"] or ""))
    console.print(table)
    single = Table()
    single.add_column("")
    single.add_column("", justify="right")
    for what, figure in report["parts"].items():
        single.add_row(what, f"{figure:,.1f}" if isinstance(figure, float) else str(figure))
    console.print(single)


if __name__ == "__main__":
    raise SystemExit(main())
