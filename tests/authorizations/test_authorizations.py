from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector import authorizations
from connector.authorizations import Authorization, AuthorizationRequest, Ended, Kind, MovedOn, Progress
from connector.model.states import AuthorizationState
from connector.storage import Store, Transaction
from providers.secret import Secret
from tests.clock import ManualClock
from tests.rooms_vault import TENANT, make_vault
from vault import Vault

S = AuthorizationState
REQUEST = AuthorizationRequest("https://app.example/cb", ("openid",), "c" * 43, state="canary-state")


@pytest.fixture
def vault(tmp_path: Path, store: Store, clock: ManualClock) -> Vault:
    return make_vault(tmp_path, store, clock)


def started(tx: Transaction, vault: Vault, request_uri: str | None = None) -> Authorization:
    return authorizations.start(
        tx,
        vault,
        tenant_id=TENANT,
        client_id="cli_1",
        integration_id="int_1",
        kind=Kind.SIGN_IN,
        request=REQUEST,
        request_uri=request_uri,
        lifetime_s=60,
    )


def held(tx: Transaction, vault: Vault, code: str = "our-code") -> Authorization:
    flow = authorizations.arrive(tx, vault, started(tx, vault), browser="b", lifetime_s=60)
    flow = authorizations.move(tx, vault, flow, S.AT_PROVIDER, state_hash=authorizations.token_hash("s"))
    progress = replace(flow.progress, code=Secret("canary-code"), extra={"a": "b"}, imports=("profile",))
    return authorizations.move(
        tx, vault, flow, S.HELD, progress=progress, code_hash=authorizations.token_hash(code), state_hash=None
    )


def test_what_was_kept_comes_back_as_it_was(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        flow = held(tx, vault)
    with store.read() as tx:
        assert authorizations.by_code(tx, vault, "our-code") == flow
        assert authorizations.by_id(tx, vault, flow.id) == flow
        assert authorizations.by_code(tx, vault, "another") is None
    assert flow.request == REQUEST
    assert flow.progress.code == Secret("canary-code")
    assert flow.progress.imports == ("profile",)


def test_no_secret_of_the_flow_is_in_the_row(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        held(tx, vault)
        row = dict(tx.one("SELECT * FROM authorizations") or {})
    whole = b"".join(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row.values())
    for secret in (b"canary-code", b"canary-state", b"our-code"):
        assert secret not in whole


def test_a_move_happens_once(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        flow = held(tx, vault)
        authorizations.move(tx, vault, flow, S.REDEEMING, redeemer="wrk_1", intent_at=1)
        with pytest.raises(MovedOn):
            authorizations.move(tx, vault, flow, S.REDEEMING, redeemer="wrk_2", intent_at=1)


def test_a_move_that_is_not_in_the_table_is_refused(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        flow = started(tx, vault)
        with pytest.raises(ValueError, match="does not go"):
            authorizations.move(tx, vault, flow, S.HELD)
        with pytest.raises(ValueError, match="does not go"):
            authorizations.end(tx, vault, flow)


def test_an_ended_flow_has_no_content_and_no_key(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        flow = held(tx, vault)
        authorizations.end(tx, vault, flow, failure="expired")
        ended = authorizations.by_code(tx, vault, "our-code")
        assert isinstance(ended, Ended)
        assert (ended.state, ended.failure) == (S.FAILED, "expired")
        assert authorizations.by_id(tx, vault, flow.id) is None
        key = tx.one("SELECT wrapped FROM data_keys WHERE owner_id = :id", id=flow.id)
        assert key is not None
        assert key["wrapped"] is None
        with pytest.raises(MovedOn):
            authorizations.end(tx, vault, flow, failure="again")


@pytest.mark.parametrize(
    "change",
    [
        "client_id = 'cli_2'",
        "integration_id = 'int_2'",
        "expires_at = expires_at + 1",
        "kind = 'link'",
        "generation = 1",
    ],
)
def test_a_row_that_was_changed_is_as_if_it_never_was(store: Store, vault: Vault, change: str) -> None:
    with store.transaction() as tx:
        held(tx, vault)
        tx.run(f"UPDATE authorizations SET {change}")
        assert authorizations.by_code(tx, vault, "our-code") is None


def test_a_pushed_request_is_found_by_its_uri_and_bound_by_the_first_browser(store: Store, vault: Vault) -> None:
    with store.transaction() as tx:
        pushed = started(tx, vault, "urn:x:1")
        assert authorizations.by_request_uri(tx, vault, "urn:x:1") == pushed
        first = authorizations.arrive(tx, vault, pushed, browser="first", lifetime_s=60)
        assert first.browser_hash == authorizations.token_hash("first")
        with pytest.raises(MovedOn):
            authorizations.arrive(tx, vault, pushed, browser="second", lifetime_s=60)


def test_overdue_flows_are_listed_and_old_ends_are_dropped(store: Store, vault: Vault, clock: ManualClock) -> None:
    with store.transaction() as tx:
        flow = started(tx, vault)
    with store.transaction() as tx:
        assert authorizations.overdue(tx, vault, before=clock.now(), redeeming_before=0, limit=9) == []
    clock.advance(61)
    with store.transaction() as tx:
        late = authorizations.overdue(tx, vault, before=clock.now(), redeeming_before=0, limit=9)
        assert late == [flow]
        authorizations.end(tx, vault, flow, failure="expired")
        assert authorizations.forget_ended(tx, before=clock.now() - 1, limit=9) == 0
        assert authorizations.forget_ended(tx, before=clock.now(), limit=9) == 1


def test_progress_shows_no_secret_when_it_is_printed() -> None:
    shown = repr(Progress(code=Secret("canary"), posted={"code": "canary"}, extra={"user": "canary"}))
    assert "canary" not in shown
