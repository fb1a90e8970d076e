"""`python -m tests.chaos [--seed N] [--kills 200] [--database sqlite|postgresql] [--only F1 …] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from tests.chaos.outcome import Outcome
from tests.chaos.servers import PostgreSQL
from tests.chaos.setting import Setting
from tests.chaos.storms import STORMS, TWINS, Storm
from tests.faults.nursery import Nursery
from tests.services import postgresql

PROBE_S = 0.3
BUSY = 1.3

_console = Console(width=None if sys.stdout.isatty() else 160)


def main() -> int:
    """Run the storms one after another, print the table, write it down. 1 where a number was not held."""
    given = _parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers that were started end with it
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    _console.print(f"seed {given.seed} (the same schedule again: --seed {given.seed})")
    report: dict[str, Any] = {
        "seed": given.seed,
        "kills": given.kills,
        "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "outcomes": [],
        "not_run": [],
    }
    for kind in given.database:
        _on(kind, given, report)
    report["load_after"] = round(os.getloadavg()[0], 2)
    _write(report, given.json)
    _show(report)
    return 0 if all(one["ok"] for one in report["outcomes"]) else 1


def _write(report: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of the schedule; drawn and printed where none is given")
    parser.add_argument("--kills", type=int, default=200, help="in each storm of kills")
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"], help="default: both")
    parser.add_argument("--only", action="append", default=[], help="rows such as F3, or words of a storm's name")
    parser.add_argument("--no-twins", action="store_true", help="leave out the runs with a defence switched off")
    parser.add_argument("--longest", type=float, default=150.0, help="seconds after which a storm stops drawing blows")
    parser.add_argument("--json", type=Path, default=Path("build/chaos.json"))
    given = parser.parse_args()
    given.seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    given.database = given.database or ["sqlite", "postgresql"]
    return given


def _on(kind: str, given: argparse.Namespace, report: dict[str, Any]) -> None:
    server: PostgreSQL | None = None
    if kind == "postgresql":
        tools = postgresql.binaries()
        if tools is None:
            report["not_run"].append("PostgreSQL: no initdb on PATH or under /usr/lib/postgresql")
            return
        server = PostgreSQL(tools)
        server.start()
    nursery = Nursery()
    try:
        for storm in (*STORMS, *(() if given.no_twins else TWINS)):
            if kind in storm.databases and _chosen(storm, given.only):
                _storm(storm, kind, given, report, nursery, server)
    finally:
        nursery.close()
        if server is not None:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)


def _chosen(storm: Storm, only: list[str]) -> bool:
    return not only or any(one.upper() == storm.row.upper() or one in storm.name for one in only)


def _storm(
    storm: Storm,
    kind: str,
    given: argparse.Namespace,
    report: dict[str, Any],
    nursery: Nursery,
    server: PostgreSQL | None,
) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="connector-chaos-") as folder:
        setting = Setting(
            kind,
            Path(folder),
            nursery,
            random.Random(f"{given.seed} {storm.name} {kind}"),
            max(1, int(given.kills * storm.share)),
            given.longest,
            stretch=_stretch(),
            server=server,
            without=storm.without,
        )
        outcome = _ran(storm.run, setting, storm)
        if outcome is not None and setting.stretch > BUSY:
            outcome.also["machine busy: times stretched by"] = round(setting.stretch, 1)
    if outcome is None:
        report["not_run"].append(f"{storm.row} {storm.name} on {kind}: needs what this machine does not have")
        return
    outcome.seconds = round(time.monotonic() - began, 1)
    report["outcomes"].append(outcome.as_json())
    _write(report, given.json)  # so far: a run that is broken off has told what it found
    told = "; ".join(f"{one.what} {one.measured} ({one.bar})" for one in outcome.held)
    _console.print(
        f"{'held' if outcome.ok else 'NOT HELD'}  {outcome.row} {outcome.storm}, {kind}: {outcome.done}: {told}",
        soft_wrap=True,
    )


def _stretch() -> float:
    """How much slower than alone a process works here now, 1 or more: bounds in time are given so much more.

    Counts are not: what must not be lost must not be lost on a busy machine either.
    """
    began, worked = time.monotonic(), time.process_time()
    while time.process_time() - worked < PROBE_S:
        pass
    return max(1.0, (time.monotonic() - began) / PROBE_S)


def _ran(run: Callable[[Setting], Outcome | None], setting: Setting, storm: Storm) -> Outcome | None:
    """A storm that breaks down has held nothing, and the others go on."""
    try:
        return run(setting)
    except Exception as error:  # noqa: BLE001  it is told in the table, and the run fails
        _console.print_exception()
        outcome = Outcome(storm.row, storm.name, setting.database, "broke down")
        outcome.none(f"{type(error).__name__}: {error}", 1)
        return outcome


def _show(report: dict[str, Any]) -> None:
    table = Table(title=f"seed {report['seed']}, {report['machine']}, load {report['load_before']}", show_lines=True)
    for heading in ("row", "storm", "database", "what was done", "measured", "to hold", "held"):
        table.add_column(heading)
    for one in report["outcomes"]:
        measured = [f"{held['what']}: {held['measured']}" for held in one["held"]]
        measured += [f"[dim]{name}: {value}[/dim]" for name, value in one["also"].items()]
        table.add_row(
            one["row"],
            one["storm"],
            one["database"],
            f"{one['done']} ({one['seconds']} s)",
            "\n".join(measured),
            "\n".join(held["bar"] for held in one["held"]),
            "yes" if one["ok"] else "NO",
        )
    _console.print(table)
    for gap in report["not_run"]:
        _console.print(f"not run: {gap}")


if __name__ == "__main__":
    sys.exit(main())
