"""`connector vault seal`: the last step after an upgrade from the release that knew of no seals of people's rows."""

from __future__ import annotations

from connector.cli import checks
from connector.cli.checks import Patient
from connector.model.ids import GATEWAY_TENANT
from tests.cli.conftest import Desk
from tests.connected import Linked
from vault import start_checks, tables


def as_the_release_before_left_it(town: Linked) -> None:
    """Rows of people without their seals, and a canary of the first epoch."""
    vault = town.gateway.vault
    with town.store.transaction() as tx:
        tx.run("UPDATE users SET seal = NULL")
        tx.run("DELETE FROM data_keys WHERE owner_kind = 'vault_canary' AND owner_id = :id", id=GATEWAY_TENANT)
        key = vault.create_key(tx, start_checks.canary_owner(GATEWAY_TENANT))
        tables.put_canary(tx, GATEWAY_TENANT, start_checks.seal_canary(key, GATEWAY_TENANT), key.epoch)


def seals_in_question(town: Linked) -> list[str]:
    """What the doctor says about row seals."""
    patient = Patient(town.gateway.settings, town.gateway.clock)
    try:
        return [check.status for check in checks.keys(patient) if check.name == "row seals"]
    finally:
        patient.close()


def test_rows_are_sealed_once_and_demanded_from_then_on(desk: Desk, town: Linked) -> None:
    as_the_release_before_left_it(town)
    assert not desk.json("vault", "status")["seals_demanded"]
    assert "connector vault seal" in desk.run("vault", "status").stdout
    assert seals_in_question(town) == ["warn"]
    assert desk.json("vault", "seal") == {"rows": 1, "before": False}
    assert desk.json("vault", "seal") == {"rows": 0, "before": True}
    assert desk.json("vault", "status")["seals_demanded"]
    assert seals_in_question(town) == []
    assert desk.run("vault", "verify").exit_code == 0


def test_it_says_how_many_there_were(desk: Desk, town: Linked) -> None:
    as_the_release_before_left_it(town)
    assert "1 rows sealed" in desk.run("vault", "seal", "--yes").stdout
    assert "already" in desk.run("vault", "seal", "--yes").stdout


def test_a_new_gateway_demands_them_from_the_beginning(desk: Desk) -> None:
    assert desk.json("vault", "status")["seals_demanded"]
