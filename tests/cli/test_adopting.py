"""Moving many connections in from a file: what is taken, what is refused and how it is mended, and being cut off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from connector.cli import adoption_file, connections_adopt
from connector.flows.adopt import Arrived
from connector.model.errors import TryLater
from connector.storage import Store
from tests.cli.conftest import Desk
from tests.connected import Linked

SECRET = "s3cret-t0ken"
LINES = int(os.environ.get("ADOPT_LINES", "400"))


def line(number: int, **more: Any) -> dict[str, Any]:
    return {
        "integration": "rehearsal",
        "subject": f"someone-{number}",
        "access_token": f"{SECRET}-{number}",
        "refresh_token": f"{SECRET}-refresh-{number}",
        "scopes": ["openid", "profile"],
        "obtained_at": 1_700_000_000,
        "age_stated": True,
        "unsafe_skip_verification": True,
        **more,
    }


def written(desk: Desk, lines: list[dict[str, Any] | str], name: str = "moved.jsonl", mode: int = 0o600) -> str:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    return desk.file(name, text, mode)


def connections_in(town: Linked) -> int:
    with town.store.read() as tx:
        return int((tx.one("SELECT COUNT(*) AS n FROM adoptions") or {})["n"])


def test_what_can_be_taken_is_and_what_cannot_is_handed_back_with_the_way_to_mend_it(desk: Desk, town: Linked) -> None:
    bad = line(3)
    del bad["scopes"]
    lines = [line(1), "{broken", bad, line(4, integration="nowhere"), "", line(5), "x" * 70_000]
    file = written(desk, lines)
    done = desk.json("connections", "adopt", file, "--tenant", "shop", exit_code=1)
    assert (done["adopted"], done["refused"], done["lines"]) == (2, 4, 6)
    assert [(one["line"], one["code"]) for one in done["problems"]] == [
        (2, "bad_line"),
        (3, "bad_field"),
        (4, "unknown_integration"),
        (7, "bad_line"),
    ]
    rejected = Path(done["rejected_file"])
    assert rejected.stat().st_mode & 0o777 == 0o600
    assert rejected.read_text().splitlines()[1] == json.dumps(bad)
    report = Path(file + ".report.jsonl")
    assert report.stat().st_mode & 0o777 == 0o600
    assert SECRET not in report.read_text()
    mended = written(desk, [json.loads(rejected.read_text().splitlines()[1]) | {"scopes": []}], "mended.jsonl")
    assert desk.json("connections", "adopt", mended, "--tenant", "shop")["adopted"] == 1
    assert connections_in(town) == 3


def test_nothing_of_a_token_is_printed(desk: Desk, town: Linked) -> None:
    file = written(desk, [line(1), line(2, obtained_at=SECRET), '{"access_token": "' + SECRET])
    for words in ((), ("--json",), ("--dry-run",)):
        done = desk.run("connections", "adopt", file, "--tenant", "shop", *words)
        assert (done.exit_code, SECRET in done.output) == (1, False)


def test_a_trial_looks_at_everything_and_adopts_nothing(desk: Desk, town: Linked) -> None:
    file = written(desk, [line(1), line(2, scopes=None)])
    done = desk.json("connections", "adopt", file, "--tenant", "shop", "--dry-run", exit_code=1)
    assert (done["adopted"], done["refused"], connections_in(town)) == (1, 1, 0)
    assert not Path(file + ".report.jsonl").exists()
    assert not Path(file + ".rejected").exists()


def test_csv_with_its_heading_comes_in_and_is_handed_back_with_it(desk: Desk, town: Linked) -> None:
    heading = "subject,access_token,scopes,reference,expires_at"
    text = f"{heading}\na,tok-a,openid profile,kim,4000000000\nb,tok b,openid,,\nc,tok-c\nd,tok-d,,kim,4000000000\n"
    file = desk.file("moved.csv", text)
    switches = ("--tenant", "shop", "--integration", "rehearsal", "--age-stated", "--unsafe-skip-verification")
    done = desk.json("connections", "adopt", file, *switches, exit_code=1)
    assert (done["adopted"], done["refused"]) == (2, 2)
    assert Path(done["rejected_file"]).read_text() == f"{heading}\nb,tok b,openid,,\nc,tok-c\n"
    with town.store.read() as tx:
        rows = tx.all("SELECT c.sub FROM connections c JOIN adoptions a ON a.connection_id = c.id")
    assert len({row["sub"] for row in rows}) == 1  # the same reference is the same person


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_may_read_is_refused(desk: Desk, town: Linked, mode: int) -> None:
    done = desk.run("connections", "adopt", written(desk, [line(1)], mode=mode))
    assert (done.exit_code, "chmod 600" in done.output, connections_in(town)) == (2, True, 0)


def test_the_app_it_comes_in_by_is_remembered_and_must_be_of_the_tenant(desk: Desk, town: Linked) -> None:
    file = written(desk, [line(1)])
    assert desk.run("connections", "adopt", file, "--app", town.house.other.id, "--tenant", "shop").exit_code != 0
    desk.json("connections", "adopt", file, "--app", town.house.web.id, "--tenant", "shop")
    with town.store.read() as tx:
        assert (tx.one("SELECT client_id FROM adoptions") or {})["client_id"] == town.house.web.id


def test_a_provider_that_is_down_stops_the_run_and_the_next_one_goes_on(
    desk: Desk, town: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_adopt, "LONGEST_PAUSE_S", 0.0)
    monkeypatch.setattr(connections_adopt, "BATCH", 2)
    real = connections_adopt.arrived
    asked: list[str] = []

    def down(gateway: Any, mover: Any, wanted: Any) -> Arrived:
        asked.append(wanted.subject)
        if wanted.subject in {"someone-3", "someone-4"} and len(asked) < 20:
            raise TryLater("down", retry_after_s=1)
        return real(gateway, mover, wanted)

    monkeypatch.setattr(connections_adopt, "arrived", down)
    file = written(desk, [line(number) for number in range(1, 7)])
    first = desk.json("connections", "adopt", file, "--tenant", "shop", exit_code=1)
    assert (first["adopted"], first["later"], first["not_reached"]) == (2, 2, 2)
    asked.extend(["enough"] * 20)
    second = desk.json("connections", "adopt", file, "--tenant", "shop")
    assert (second["adopted"], second["not_reached"], connections_in(town)) == (6, 0, 6)
    assert "someone-1" not in asked[-4:]
    assert not Path(file + ".rejected").exists()


@pytest.mark.loopback
def test_a_run_that_is_killed_goes_on_where_it_was_and_adopts_none_twice(desk: Desk, town: Linked) -> None:
    """`ADOPT_LINES=10000` makes it the large one."""
    file = written(desk, [line(number) for number in range(LINES)])
    report = Path(file + ".report.jsonl")
    words = ["connections", "adopt", file, "--tenant", "shop", "--config", str(desk.config), "--json"]
    command = [sys.executable, "-P", "-c", "from connector.cli import main; main()", *words]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (report.exists() and report.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    with report.open("ab") as torn:
        torn.write(b'{"line": 1, "dig')  # as a machine that loses its power leaves it
    before = connections_in(town)
    assert 0 < before < LINES
    done = desk.json("connections", "adopt", file, "--tenant", "shop")
    assert done["adopted"] + done["unchanged"] == LINES
    assert connections_in(town) == LINES
    with town.store.read() as tx:
        assert (tx.one("SELECT COUNT(*) AS n FROM users") or {})["n"] == LINES + 1  # one was there before


def test_a_line_is_never_held_whole_where_it_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "endless.jsonl"
    path.write_bytes(b"x" * (3 * adoption_file.MAX_LINE) + b"\n{}\n")
    path.chmod(0o600)
    found = list(adoption_file.AdoptionFile(path, None).lines())
    assert [(one.number, len(one.raw) <= adoption_file.MAX_LINE + 1) for one in found] == [(1, True), (2, True)]


def test_twin_where_a_digest_is_forgotten_the_tokens_themselves_still_keep_it_from_coming_twice(
    desk: Desk, town: Linked, store: Store
) -> None:
    file = written(desk, [line(1)])
    desk.json("connections", "adopt", file, "--tenant", "shop")
    Path(file + ".report.jsonl").unlink()
    assert desk.json("connections", "adopt", file, "--tenant", "shop")["unchanged"] == 1
    assert connections_in(town) == 1
