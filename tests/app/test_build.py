"""A gateway that cannot be trusted is not built."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from connector import app
from connector.clients import add_tenant
from connector.model.errors import Misconfigured
from connector.settings import shipped
from connector.storage import Store, known_revisions, marks, open_store
from connector.work import ProcessWakeup
from tests.clock import ManualClock
from tests.gateways import House, make_house, make_settings, shipped_policy
from vault import FileKeySource


@pytest.fixture
def house(tmp_path: Path, store: Store, clock: ManualClock) -> House:
    return make_house(tmp_path, store, clock)


def build(house: House, store: Store, **parts: object):
    return app.build(house.gateway.settings, clock=ManualClock(), store=store, policy=shipped_policy(), **parts)


def refused(house: House, store: Store, **parts: object) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        build(house, store, **parts)
    return caught.value


def test_a_gateway_is_built_again_over_what_is_there(house: House, open_another: Callable[..., Store]) -> None:
    again = build(house, open_another())
    assert again.worker_id != house.gateway.worker_id
    assert isinstance(again.wakeup, ProcessWakeup)
    assert app.close(again)


def test_an_empty_database_says_which_command_makes_it(house: House, tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}", ManualClock())
    error = refused(house, empty)
    empty.dispose()
    assert (error.code, "connector init" in error.hint) == ("database_empty", True)


def test_a_schema_that_is_behind_says_which_command_mends_it(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "known_revisions", lambda: ("9999", *known_revisions()))
    error = refused(house, store)
    assert (error.code, "connector database upgrade" in error.hint) == ("database_behind", True)


def test_a_newer_schema_is_served_so_that_nodes_upgrade_one_by_one(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "known_revisions", lambda: ("0000",))
    with store.transaction() as tx:
        marks.mark(tx, marks.COMPATIBLE_FROM, "0000")
    assert build(house, store)


@pytest.mark.parametrize("says", [None, "9998"])
def test_a_newer_schema_that_says_nothing_or_names_a_newer_code_is_not_touched(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, says: str | None
) -> None:
    monkeypatch.setattr(app, "known_revisions", lambda: ("0000",))
    with store.transaction() as tx:
        marks.unmark(tx, marks.COMPATIBLE_FROM)
        if says is not None:
            marks.mark(tx, marks.COMPATIBLE_FROM, says)
    assert refused(house, store).code == "database_newer"


def test_a_missing_key_file_stops_the_start(house: House, store: Store) -> None:
    (house.folder / "kek.json").unlink()
    assert refused(house, store).code == "key_source"


def test_another_key_stops_the_start_and_makes_no_new_one(house: House, store: Store) -> None:
    (house.folder / "kek.json").unlink()
    FileKeySource.create(house.folder / "kek.json")
    error = refused(house, store)
    assert error.code in {"kek_mismatch", "kek_unknown"}
    assert len(error.hint) > 20


def test_an_altered_tenant_key_stops_the_start(house: House, store: Store) -> None:
    with store.transaction() as tx:
        tx.run("UPDATE tenant_keys SET wrapped = :x WHERE tenant_id = :t", x=b"x" * 60, t=house.tenant.id)
    assert refused(house, store).code


def test_a_policy_that_breaks_a_promise_stops_the_start(house: House, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(shipped("policy"), folder)
    for file in folder.glob("*/policy.toml"):
        text = file.read_text()
        file.write_text(text.replace('effect = "deny"', 'effect = "allow"'))
    settings = make_settings(house.folder, store.url, policy={"directory": str(folder)})
    with pytest.raises(Misconfigured) as caught:
        app.build(settings, clock=ManualClock(), store=store)
    assert caught.value.code in {"policy_unsound", "policy_unreadable"}


def test_a_policy_that_cannot_be_read_stops_the_start(house: House, store: Store, tmp_path: Path) -> None:
    settings = make_settings(house.folder, store.url, policy={"directory": str(tmp_path / "nowhere")})
    with pytest.raises(Misconfigured) as caught:
        app.build(settings, clock=ManualClock(), store=store)
    assert caught.value.code == "policy_unreadable"


def test_the_shipped_policy_holds(house: House) -> None:
    assert app.sound_policy(house.gateway.settings).versions


def test_tenants_added_later_are_checked_at_the_next_start(house: House, open_another: Callable[..., Store]) -> None:
    with house.gateway.store.transaction() as tx:
        add_tenant(tx, house.gateway.vault, "third")
    assert build(house, open_another())
