"""The doctor finds what is wrong, and says how to mend it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.cli import checks
from connector.cli.checks import Patient
from connector.ledger import Entry, append
from connector.settings import load
from tests.cli.conftest import run

_ROOT = Path(__file__).resolve().parents[2]


def found(desk, exit_code: int = 0) -> dict[str, dict]:
    document = desk.json("doctor", exit_code=exit_code)
    assert document["ok"] is (exit_code == 0)
    return {one["name"]: one for one in document["checks"]}


@pytest.fixture
def well(desk, town):
    """A gateway whose only integration, of which nothing can be reached here, is removed."""
    desk.json("integrations", "remove", town.house.integration.id)
    return desk


def test_a_gateway_that_is_well_is_told_so(well):
    checked = found(well)
    assert {"settings", "keys", "database", "clock", "policy", "work", "redis", "providers"} <= checked.keys()
    assert {one["status"] for one in checked.values()} == {"ok", "warn"}
    assert "All is well" in well.run("doctor").stdout


def test_every_finding_says_how_to_mend_it(well):
    for one in found(well).values():
        assert (one["mend"] is None) == (one["status"] == "ok")


def test_no_settings_is_the_first_thing_it_finds():
    done = run("doctor")
    assert done.exit_code == 1
    assert "connector init" in done.stdout


def test_a_missing_key_is_found_and_the_rest_is_looked_at_all_the_same(well):
    (well.folder / "kek.json").unlink()
    checked = found(well, 1)
    assert checked["keys"]["status"] == "fail"
    assert "no key file" in checked["keys"]["mend"]
    assert checked["database"]["status"] == "ok"


def test_an_empty_database_is_found(well):
    well.config.write_text(
        f'[server]\nmode = "development"\n[database]\nurl = "sqlite:///{well.folder}/empty.db"\n'
        f'[vault]\nkek = "file:{well.folder}/kek.json"\n'
    )
    assert found(well, 1)["database"]["mend"] == "Run: connector init"


def test_a_database_that_is_away_is_found(well):
    well.config.write_text(
        '[server]\nmode = "development"\n[database]\nurl = "postgresql+psycopg://x@/x?host=/nowhere"\n'
        f'[vault]\nkek = "file:{well.folder}/kek.json"\n'
    )
    assert "cannot be" in found(well, 1)["database"]["words"]


def test_files_that_others_may_write_are_found(well, town):
    well.config.chmod(0o666)
    assert found(well, 1)["settings file"]["mend"].startswith("Run: chmod go-w")
    well.config.chmod(0o600)
    if town.store.dialect == "sqlite":
        (well.folder / "connector.db").chmod(0o666)
        assert found(well, 1)["database file"]["mend"].startswith("Run: chmod go-w")


def test_a_redis_that_is_away_is_a_warning_since_nothing_is_lost(well):
    well.config.write_text(well.config.read_text() + '[redis]\nurl = "unix:///nowhere/redis.sock"\n')
    assert found(well)["redis"]["status"] == "warn"


def test_a_clock_that_lags_behind_the_ledger_is_found(well, town, clock):
    clock.advance(days=40_000)
    with town.store.transaction() as tx:
        append(tx, Entry("key_destroyed", town.house.tenant.id))
    assert "in the future" in found(well, 1)["clock"]["words"]


def test_work_that_nobody_does_is_a_warning(well, town):
    connection = town.connection()
    with town.store.transaction() as tx:
        tx.run(
            "INSERT INTO deliveries (id, tenant_id, sub, connection_id, field_group, state, next_at, pointers,"
            " idempotency_key, created_at) VALUES ('dlv_a', :tenant, :sub, :con, 'phones', 'queued', 1, '[]', 'k', 1)",
            tenant=connection.tenant_id,
            sub=connection.sub,
            con=connection.id,
        )
    assert "No worker runs" in found(well)["work"]["mend"]


@pytest.mark.loopback
def test_a_provider_that_cannot_be_reached_is_found(desk):
    assert found(desk, 1)["provider rehearsal"]["status"] == "fail"


@pytest.mark.loopback
def test_a_provider_is_reached_by_the_same_door_as_in_earnest(desk, town, loopback_server):
    url = loopback_server(town.rehearsal)
    file = desk.file("secret", "rehearsal-secret")
    desk.json("integrations", "remove", town.house.integration.id)
    words = ("--tenant", "shop", "--client-id", "g", "--client-secret-file", file, "--issuer", url)
    desk.json("integrations", "add", "rehearsal", *words)
    assert found(desk)["provider rehearsal"]["status"] == "ok"


class Skewed:
    """A machine whose clock is some way off."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> int:
        return int(1_767_225_600_000 + self._by.total_seconds() * 1000)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


def test_a_machine_that_lives_in_the_past_is_found(desk):
    patient = Patient(load(desk.config), Skewed(timedelta(days=-3000)))
    (found_one,) = checks.clocks(patient)
    patient.close()
    assert (found_one.status, "NTP" in found_one.mend) == ("fail", True)


def test_a_key_beside_its_database_is_warned_of_in_production(tmp_path):
    settings = load(
        environ={},
        directory=tmp_path,
        key_needed=False,
        config=_production(tmp_path),
    )
    (warning,) = checks._key_file(settings)
    assert "another volume" in warning.mend


def _production(folder):
    page = (_ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    file = folder / "connector.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    return file
