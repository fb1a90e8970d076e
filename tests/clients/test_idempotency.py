"""Answers kept for requests that are sent again."""

from __future__ import annotations

import pytest

from connector.clients import Kept, begin_request, forget_answers, forget_request, keep_answer, sweep
from connector.clients.idempotency import OtherRequest
from connector.model.errors import BadInput, Conflict
from tests.clock import ManualClock
from tests.gateways import House


def begin(house: House, key: str = "k", request: bytes = b"POST /v1/x", client=None) -> Kept | None:
    with house.gateway.store.transaction() as tx:
        return begin_request(tx, house.gateway.vault, client or house.web, key, request)


def keep(house: House, answer: bytes = b"canary answer") -> None:
    with house.gateway.store.transaction() as tx:
        keep_answer(tx, house.gateway.vault, house.web, "k", Kept(201, answer))


def test_a_request_sent_again_gets_the_first_answer(house: House) -> None:
    assert begin(house) is None
    keep(house)
    assert begin(house) == Kept(201, b"canary answer")


def test_while_the_first_runs_the_second_is_told_so(house: House) -> None:
    begin(house)
    with pytest.raises(Conflict) as caught:
        begin(house)
    assert caught.value.code == "request_running"


def test_another_request_under_the_same_key_is_refused(house: House) -> None:
    begin(house)
    with pytest.raises(OtherRequest):
        begin(house, request=b"POST /v1/y")
    keep(house)
    with pytest.raises(OtherRequest) as caught:
        begin(house, request=b"POST /v1/y")
    assert caught.value.status == 422


def test_a_failed_request_frees_its_key(house: House) -> None:
    begin(house)
    with house.gateway.store.transaction() as tx:
        forget_request(tx, house.web, "k")
    assert begin(house, request=b"another") is None


def test_keys_are_each_clients_own(house: House) -> None:
    begin(house)
    assert begin(house, client=house.worker) is None
    assert begin(house, client=house.other) is None


def test_answers_are_kept_a_day_and_sealed(house: House, clock: ManualClock) -> None:
    begin(house)
    keep(house)
    with house.gateway.store.read() as tx:
        row = tx.one("SELECT answer, request_hash FROM idempotency_keys")
    assert row is not None
    assert b"canary" not in bytes(row["answer"])
    clock.advance(hours=23)
    assert begin(house) == Kept(201, b"canary answer")
    clock.advance(hours=1)
    with house.gateway.store.transaction() as tx:
        assert sweep(tx) == 1
    assert begin(house) is None


def test_what_a_killed_process_left_running_is_taken_over(house: House, clock: ManualClock) -> None:
    begin(house)
    clock.advance(minutes=5)
    assert begin(house) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a\nb", "\0"])
def test_a_key_is_printable_and_short(house: House, key: str) -> None:
    with pytest.raises(BadInput) as caught:
        begin(house, key=key)
    assert caught.value.code == "bad_idempotency_key"


def test_a_request_that_runs_while_its_person_is_deleted_keeps_no_answer(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        begin_request(tx, house.gateway.vault, house.web, "k", b"PATCH /v1/x", about="usr_1")
        assert forget_answers(tx, "usr_2") == 0
        assert forget_answers(tx, "usr_1") == 1
    keep(house)
    with house.gateway.store.read() as tx:
        assert tx.all("SELECT * FROM idempotency_keys") == []
