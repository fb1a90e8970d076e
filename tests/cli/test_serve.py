"""Processes: a parent with its children, from the first answer to a clean end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import requests

from connector.cli.children import Children, Role, python
from connector.demo.stage import connector, free_ports
from connector.model.clock import Clock, SystemClock
from tests.cli.conftest import run

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
UP_WITHIN_S = 60


def sleeper() -> list[str]:
    """A child that does nothing and ends on SIGTERM."""
    return [sys.executable, "-c", "import time; time.sleep(60)"]


def children(told: list[str], clock: Clock | None = None) -> Children:
    return Children(clock or SystemClock(), told.append, os.environ)


class HurriedClock(SystemClock):
    """Ten seconds pass in one, so that pauses are as long as they are said to be and nobody waits for them."""

    def monotonic(self) -> float:
        return 10 * super().monotonic()


def test_children_end_with_a_signal_to_their_parent():
    stop, told = threading.Event(), []
    made = children(told)
    made.start(Role("one", sleeper()))
    made.start(Role("two", sleeper()))
    assert made.alive()
    threading.Timer(0.3, stop.set).start()
    assert made.run(stop)
    assert (made.alive(), told) == (False, [])


def test_a_child_that_dies_is_started_again_and_one_that_keeps_dying_ends_all(monkeypatch):
    monkeypatch.setattr("connector.cli.children.POLL_S", 0.02)
    told = []
    made = children(told, HurriedClock())
    made.start(Role("steady", sleeper()))
    made.start(Role("sick", ["/bin/sh", "-c", "exit 7"]))
    assert not made.run(threading.Event())
    assert not made.alive()
    assert told[0] == "sick ended with code 7; starting it again in 0.5 s."
    assert told[-1] == "sick ended 5 times within 60 s; giving up."


def test_a_child_ends_with_a_parent_that_was_killed(tmp_path):
    lines = (
        "import os, sys, threading; from connector.cli.children import Children, Role;"
        "from connector.model.clock import Clock, SystemClock;"
        f"c = Children(SystemClock(), print, os.environ); c.start(Role('x', {child_of_ours(tmp_path)!r}));"
        "c.run(threading.Event())"
    )
    with subprocess.Popen([sys.executable, "-c", lines]) as parent:
        pid = int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
        parent.kill()
    assert eventually(lambda: not alive(pid))


def child_of_ours(tmp_path) -> list[str]:
    lines = (
        "import os, pathlib, time; from connector.cli.parent import stop_with_parent; stop_with_parent();"
        f"p = pathlib.Path({str(tmp_path / 'new')!r}); p.write_text(str(os.getpid()));"
        f"p.rename({str(tmp_path / 'pid')!r}); time.sleep(60)"
    )
    return [sys.executable, "-c", lines]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as status:  # noqa: PTH123  /proc is no place for paths
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def eventually(look):
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail("it did not come")


def test_our_modules_are_run_without_searching_the_working_directory():
    assert python("connector.cli.listener")[1:] == ["-P", "-m", "connector.cli.listener"]


@contextmanager
def served(desk, *words: str):
    """`connector serve` over the test's gateway; yields the process and the two addresses."""
    public, admin = (f"127.0.0.1:{port}" for port in free_ports(2))
    text = desk.config.read_text().replace("[server]", f'[server]\nadmin_bind = "{admin}"')
    desk.config.write_text(text)
    command = connector("serve", "--bind", public, "--workers", "1", "--config", str(desk.config), "--json", *words)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, f"http://{public}", f"http://{admin}"
    finally:
        process.kill()
        process.communicate()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def test_it_serves_measures_works_and_ends_cleanly(desk):
    with served(desk, "--with-worker") as (process, public, admin):
        eventually(lambda: process.poll() is not None or answers(f"{public}/readyz"))
        assert process.poll() is None, process.stderr.read()
        eventually(lambda: answers(f"{admin}/metrics"))
        assert "connector_connections" in requests.get(f"{admin}/metrics", timeout=30).text
        assert requests.get(f"{public}/metrics", timeout=30).status_code == 404
        said = next(line for line in process.stdout if "admin_bind" in line)
        process.send_signal(signal.SIGTERM)
        _, warned = process.communicate(timeout=90)
        assert process.returncode == 0, warned
        assert json.loads(said)["worker"] is True
        assert "DEVELOPMENT MODE" in warned


def test_an_address_that_is_taken_is_a_sentence_before_anything_starts(desk, loopback_server):
    taken = loopback_server(lambda *_: []).removeprefix("http://")
    done = desk.run("serve", "--bind", taken)
    assert (done.exit_code, "name another with --bind" in done.stderr) == (1, True)


@pytest.mark.parametrize("bind", ["8080", "here", "host:http"])
def test_an_address_that_is_none_is_a_misuse(desk, bind):
    assert desk.run("serve", "--bind", bind).exit_code == 2


def test_a_gateway_that_must_not_start_says_why_once(desk, town):
    with town.store.transaction() as tx:
        tx.run("UPDATE vault_canaries SET epoch = epoch + 1")
    done = desk.run("serve")
    assert (done.exit_code, "canary" in done.stderr) == (1, True)


def test_rehearsal_serves_until_it_is_told_to_stop():
    command = connector("rehearsal", "--bind", "127.0.0.1:0", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        issuer = json.loads(process.stdout.readline())["issuer"]
        assert requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()["issuer"] == issuer
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize("text", ["{}", "no json", '[{"endpoint": "nowhere"}]'])
def test_rules_for_failing_that_are_none_are_a_misuse(tmp_path, text):
    (tmp_path / "faults.json").write_text(text)
    done = run("rehearsal", "--bind", "127.0.0.1:0", "--faults", str(tmp_path / "faults.json"))
    assert done.exit_code == 2
    assert "defect" not in done.stderr
