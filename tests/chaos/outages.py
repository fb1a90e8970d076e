"""F3, F4 and F6: what the gateway leans on goes away while it works: Redis, PostgreSQL, the disk."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.chaos.callers import Callers
from tests.chaos.judging import none_lost, within
from tests.chaos.outcome import Outcome
from tests.chaos.servers import PostgreSQL, may_mount
from tests.chaos.setting import Setting
from tests.chaos.town import STRICT, Town
from tests.faults.proxy import Proxy
from tests.services.redis import RedisServer

PHASE_S = 5.0
CRASHES = 7
UNDER_WAY = 5  # refreshes at the moment when the disk is full
UNDER_WAY_S = 0.4  # the provider takes so long that some answers come when the disk is full already
FULL_S = 4.0
BACK_WITHIN_S = 5.0
SLACK_S = 5.0
LONGEST_REQUEST_S = 10.0
ROOM_MB = 24


def redis_gone(setting: Setting) -> Outcome | None:
    """F3: flushed, frozen, killed, absent; and back."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        return None
    outcome = Outcome("F3", "Redis flushed, frozen, killed, absent", setting.database, "")
    server = RedisServer(binary)
    server.start()
    with Proxy(server.socket) as proxy:
        over_redis = {"redis": {"url": f"redis://{proxy.address}/0"}}
        with (
            setting.town(STRICT, connections=60, access_token_s=4, **over_redis) as town,
            setting.fleet(town, STRICT, 3),
            Callers(town) as callers,
        ):
            idle = []
            for phase in (_flushed, _frozen, _killed, _absent):
                before = town.landings()
                phase(server, proxy)
                within(lambda start=before: town.landings() > start, 10)
                if town.landings() == before:
                    idle.append(phase.__name__)
            verdict = town.verdict(60)
    server.stop()
    outcome.done = f"4 kinds for {PHASE_S:g} s each, {callers.asked} callers answered"
    none_lost(outcome, town, verdict)
    outcome.none("phases without a refresh", len(idle))
    outcome.none("callers refused", len(callers.refused))
    return outcome


def _client(server: RedisServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=server.socket, socket_timeout=2)


def _flushed(server: RedisServer, _proxy: Proxy) -> None:
    with _client(server) as client:
        for _ in range(int(PHASE_S / 0.5)):
            client.flushall()
            time.sleep(0.5)


def _frozen(server: RedisServer, _proxy: Proxy) -> None:
    with _client(server) as client:
        pid = int(client.info("server")["process_id"])
    for _ in range(2):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(PHASE_S / 2 - 0.5)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)


def _killed(server: RedisServer, _proxy: Proxy) -> None:
    with _client(server) as client:
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
    server.stop()
    time.sleep(PHASE_S / 2)
    server.start()
    time.sleep(PHASE_S / 2)


def _absent(_server: RedisServer, proxy: Proxy) -> None:
    proxy.refuse()
    time.sleep(PHASE_S)
    proxy.accept()


def postgresql_crashed(setting: Setting) -> Outcome:
    """F4: immediate stop and start, again and again, while answers of a strict provider are on their way."""
    assert setting.server is not None
    outcome = Outcome("F4", f"PostgreSQL crashed, {STRICT.words}", setting.database, "")
    with (
        setting.town(STRICT, connections=200, access_token_s=6) as town,
        setting.fleet(town, STRICT, 4),
        Callers(town) as callers,
    ):
        back = [_crashed(setting, setting.server, town) for _ in range(CRASHES)]
        verdict = town.verdict(90)
    outcome.done = f"{CRASHES} crashes, 200 connections, {callers.asked} callers answered"
    none_lost(outcome, town, verdict)
    outcome.at_most("refreshing again after, s", max(back), (BACK_WITHIN_S + SLACK_S) * setting.stretch)
    outcome.at_most("longest request, s", callers.longest_s, (LONGEST_REQUEST_S + SLACK_S) * setting.stretch)
    outcome.also["callers told to come back"] = len(callers.refused)
    return outcome


def _crashed(setting: Setting, server: PostgreSQL, town: Town) -> float:
    """How long until refreshes were stored again, once it was back."""
    time.sleep(setting.rng.uniform(0.8, 2.0))
    server.crash()
    time.sleep(setting.rng.uniform(0.1, 0.8))
    server.start()
    before = town.landings()
    return within(lambda: town.landings() > before, 60)


def disk_full(setting: Setting) -> Outcome | None:
    """F6: no room for a single byte, and then there is again, without a restart."""
    if setting.server is not None:
        return _small_disk_full(setting, setting.server)
    outcome = Outcome("F6", "disk full", setting.database, "")
    with (
        setting.town(STRICT, connections=80, access_token_s=4, latency_s=UNDER_WAY_S) as town,
        setting.fleet(town, STRICT, 3) as fleet,
    ):
        limits = [member.child.pid for member in fleet.members]
        _full(outcome, town, _no_bytes(limits), setting.stretch)
        verdict = town.verdict(90)
    outcome.done = f"no file may grow for {FULL_S:g} s, 3 workers"
    none_lost(outcome, town, verdict)
    return outcome


@contextmanager
def _no_bytes(pids: list[int]) -> Iterator[None]:
    """No process of these may write to any file: to SQLite that is a disk without room."""
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    yield
    for pid, limits in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def _full(outcome: Outcome, town: Town, full: object, stretch: float) -> None:
    within(lambda: sum(row["state"] == "refreshing" for row in town.rows().values()) >= UNDER_WAY, 20)
    with full:  # type: ignore[attr-defined]  # a context manager
        time.sleep(1.5)  # what was claimed before is still sent and answered
        quiet_from = time.monotonic()
        time.sleep(FULL_S)
        called = town.in_flight.calls_since(quiet_from)
        everything = len(town.in_flight.calls)  # before the claims are counted: each call has one that is older
        claimed = sum(row["fence"] for row in town.rows().values())
    outcome.none("calls without a stored intent", max(0, everything - claimed))
    outcome.also["calls while full"] = called
    before = town.landings()
    outcome.at_most("refreshing again after, s", within(lambda: town.landings() > before, 60), 15.0 * stretch)


def _small_disk_full(setting: Setting, server: PostgreSQL) -> Outcome | None:
    """PostgreSQL over a small file system, filled to its last byte by something else."""
    if not may_mount():
        return None
    outcome = Outcome("F6", "disk full", setting.database, "")
    place = server.folder / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m,mode=0777", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        return None
    try:
        with setting.town(STRICT, connections=80, access_token_s=4, tablespace=place) as town:
            with setting.fleet(town, STRICT, 3):
                _full(outcome, town, _ballast(place), setting.stretch)
                verdict = town.verdict(90)
            outcome.done = f"a tablespace of {ROOM_MB} MB filled up for {FULL_S:g} s, 3 workers"
            none_lost(outcome, town, verdict)
    finally:
        server.forget_small()
        subprocess.run(["umount", "-l", place], check=False)
    return outcome


@contextmanager
def _ballast(place: Path) -> Iterator[None]:
    heavy = place / "ballast"
    with heavy.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    try:
        yield
    finally:
        heavy.unlink()
