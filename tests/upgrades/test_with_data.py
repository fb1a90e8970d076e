"""A database that a released version has filled, under this version: everything opens, and work goes on."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from connector import app, ledger, people, tokens
from connector.clients import find_client, published_keys
from connector.flows.fresh_token import Wanted, fresh_token
from connector.flows.gateway import Gateway
from connector.flows.read_records import read_for_owner
from connector.flows.seal_rows import seal_rows, seals_demanded
from connector.flows.verify_vault import verify_vault
from connector.ledger import public_keys_from_jwks
from connector.model.errors import SealBroken
from connector.model.tags import Action, Purpose
from connector.storage import copying, current_revision, head_revision, open_store, upgrade
from providers.rehearsal.server import Config
from providers.rehearsal.server import create_app as rehearsal_app
from providers.rehearsal.server.state import Grant as TheirGrant
from providers.rehearsal.server.state import RefreshToken
from tests.clock import ManualClock
from tests.gateways import make_settings, shipped_policy
from tests.signing_up import InProcess
from tests.standins.rehearsal_key import shared_key
from tests.upgrades.test_additive import empty_url, migrated_to

__all__ = ["empty_url"]  # the fixture

FILE = Path(__file__).parent / "released_0001.json"


@pytest.fixture(scope="module")
def released() -> dict[str, Any]:
    """What the released version left behind."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def poured(url: str, released: dict[str, Any]) -> None:
    """The released schema with its rows, through its own columns alone."""
    migrated_to(url, released["revision"])
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for table, rows in released["tables"].items():
            for row in rows:
                columns = ", ".join(f'"{name}"' for name in row)
                places = ", ".join(f":{name}" for name in row)
                connection.execute(
                    sa.text(f'INSERT INTO "{table}" ({columns}) VALUES ({places})'),
                    {name: unpacked(value) for name, value in row.items()},
                )
    engine.dispose()
    store = open_store(url, ManualClock())
    with store.transaction() as tx:
        for table in copying.tables():
            if table.name in released["tables"]:
                copying.set_counter(tx, table)
    store.dispose()


def unpacked(value: Any) -> Any:
    return base64.b64decode(value["b"]) if isinstance(value, dict) else value


@pytest.fixture
def upgraded(empty_url: str, released: dict[str, Any], tmp_path: Path) -> Iterator[Callable[[], Gateway]]:
    """That database at this version's revision, and a gateway over it."""
    poured(empty_url, released)
    (tmp_path / "kek.json").write_text(json.dumps(released["kek"]))
    (tmp_path / "kek.json").chmod(0o600)
    clock = ManualClock(released["now"])
    store = open_store(empty_url, clock)

    def start() -> Gateway:
        assert current_revision(store) == released["revision"]
        assert upgrade(store) == head_revision()
        return app.build(make_settings(tmp_path, empty_url), clock=clock, store=store, policy=shipped_policy())

    yield start
    store.dispose()


def test_everything_opens_and_the_ledger_verifies(upgraded: Callable[[], Gateway], released: dict[str, Any]) -> None:
    gateway = upgraded()
    report = verify_vault(gateway.store, gateway.vault, gateway.clock)
    assert report.broken == 0
    assert sum(report.checked.values()) > 100
    with gateway.store.transaction() as tx:
        keys = public_keys_from_jwks({"keys": published_keys(tx, gateway.vault, "ledger")})
        audited = ledger.verify(tx, keys)
    assert (audited.ok, audited.signed_to) == (True, len(released["tables"]["ledger_entries"]))
    views = read_for_owner(gateway, released["tenant"], released["sub"], Action.SHOW)
    assert sum(len(view.shown) for view in views) > 20


def test_a_worker_gets_the_token_that_is_held_and_then_a_fresh_one(
    upgraded: Callable[[], Gateway], released: dict[str, Any]
) -> None:
    gateway = upgraded()
    with gateway.store.read() as tx:
        worker = find_client(tx, gateway.vault, released["worker"])
        held = tokens.held(tx, released["tenant"], released["connection"])
        assert held is not None
        grant = tokens.opened_grant(tokens.token_key(tx, gateway.vault, held), held, ())
    wanted = Wanted(released["connection"], Purpose.SERVICE)
    assert fresh_token(gateway, worker, wanted).access_token == grant.access_token

    config = Config()
    config.now, config.new_key = gateway.clock.now, shared_key
    rehearsal = rehearsal_app(config)
    provider = rehearsal.extensions["rehearsal"]
    theirs = TheirGrant("g_old", "gateway-at-rehearsal", "ada", ("openid", "profile", "email"), released["now"] // 1000)
    provider.grants[theirs.id] = theirs
    assert grant.refresh_token is not None
    provider.refresh[grant.refresh_token.reveal()] = RefreshToken(theirs, "old")
    gateway.clock.sleep(3600 * 24)
    served = replace(gateway, egress=InProcess(rehearsal))  # type: ignore[arg-type]  # it drives exchanges
    assert fresh_token(served, worker, wanted).access_token != grant.access_token


def test_rows_of_the_version_before_count_until_an_operator_says_that_it_is_gone(
    upgraded: Callable[[], Gateway], released: dict[str, Any]
) -> None:
    gateway, tenant, sub = upgraded(), released["tenant"], released["sub"]
    visited = released["now"] + 1

    def age() -> str:
        with gateway.store.read() as tx:
            found = people.find_user(tx, gateway.vault, tenant, sub)
        assert found is not None
        return found.age.value

    def write(sql: str) -> None:
        with gateway.store.transaction() as tx:
            assert tx.run(sql, sub=sub, at=visited) == 1

    assert age() == "ok"
    with gateway.store.transaction() as tx:
        user = people.find_user(tx, gateway.vault, tenant, sub)
        assert user is not None
        people.visit(tx, gateway.vault, user)
    write("UPDATE users SET age = 'child', last_visit_at = :at WHERE sub = :sub")  # as the version before does
    assert age() == "child"
    assert verify_vault(gateway.store, gateway.vault, gateway.clock).broken == 0

    done = seal_rows(gateway.store, gateway.vault)
    assert (done.rows, done.before) == (len(released["tables"]["users"]), False)
    assert seal_rows(gateway.store, gateway.vault).before
    with gateway.store.read() as tx:
        assert seals_demanded(tx, gateway.vault)
    assert age() == "child"
    assert verify_vault(gateway.store, gateway.vault, gateway.clock).broken == 0
    for altered in ("age = 'ok'", "seal = NULL"):
        write(f"UPDATE users SET {altered}, last_visit_at = :at WHERE sub = :sub")
        with pytest.raises(SealBroken):
            age()


@pytest.mark.parametrize("undone", ["DELETE FROM vault_canaries", "UPDATE vault_canaries SET epoch = 1"])
def test_who_writes_to_the_database_cannot_take_that_back(
    upgraded: Callable[[], Gateway], released: dict[str, Any], undone: str
) -> None:
    gateway = upgraded()
    seal_rows(gateway.store, gateway.vault)
    with gateway.store.transaction() as tx:
        tx.run("UPDATE users SET seal = NULL")
        tx.run(undone)
        with pytest.raises(SealBroken):
            people.find_user(tx, gateway.vault, released["tenant"], released["sub"])
