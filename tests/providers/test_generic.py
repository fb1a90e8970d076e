"""The generic adapter against answers that no entry foresees: every failure is typed, no grant is lost for a trifle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.capabilities import Grant
from providers.entries.values import Limits
from providers.exchange import Response
from providers.generic.answers import wait_s
from providers.generic.paths import at
from providers.secret import Secret
from tests.contracts.entry import Case, failure_of
from tests.contracts.shapes import SHAPES, shaped
from tests.standins.by_entry.provider import NOW

ODD = ("by the book", "a nested token", "a number that is not 0", "lists and filters", "an answer in a list", "form-encoded answers")  # fmt: skip  # noqa: E501
HELD = Grant(Secret("issued-access-held"), Secret("issued-refresh-held"), id_claims={"sub": "person-1"})

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(
        ["id", "error", "ok", "errcode", "access_token", "token_type", "expires_in", "scope", "data", "mail", "display_name", "names"]  # noqa: E501
    ), below, max_size=4),
    max_leaves=8,
)  # fmt: skip
_bodies = _json.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
_statuses = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503])


def ways(case: Case) -> dict[str, Callable[[], Any]]:
    """Everything that asks the provider something."""
    return {
        "token": lambda: case.redeem(case.code()),
        "refresh": lambda: case.refresh(HELD),
        "userinfo": lambda: case.item(HELD),
        "revocation": lambda: case.revoke(HELD),
    }


@pytest.fixture(params=ODD)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return Case(shaped(tmp_path, SHAPES[request.param]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(body=_bodies, status=_statuses, data=st.data())
def test_whatever_comes_back_is_read_or_sorted(case: Case, body: bytes, status: int, data: st.DataObject) -> None:
    kind, ask = data.draw(st.sampled_from(sorted(ways(case).items(), key=lambda pair: pair[0])))
    case.provider.faults = {name: [Response(status, {"retry-after": "x", "date": "y"}, body)] for name in ways(case)}
    case.provider.faults["token"] *= 1 + (kind == "refresh")

    error = failure_of(ask)

    assert error is None or error.hint.endswith(".")
    assert "issued-" not in str(error)
    assert "issued-access-held" not in "".join(request.url for request in case.provider.requests)


@pytest.mark.parametrize("depth", [100, 100_000])
def test_an_answer_nested_without_end_is_garbage(tmp_path: Path, depth: int) -> None:
    case = Case(shaped(tmp_path, {}))
    case.provider.faults["userinfo"] = [Response(200, {}, b'{"id":' + b"[" * depth + b"]" * depth + b"}")]

    assert case.fails(lambda: case.item(HELD), "garbage").code in {"no_account_id", "not_json"}


@pytest.mark.parametrize("subject", [True, 0, -1, 1.5, "", "a\nb", "x" * 256, [], {}, None, 1 << 70])
def test_what_is_no_identifier_names_nobody(tmp_path: Path, subject: Any) -> None:
    case = Case(shaped(tmp_path, {}))
    case.provider.faults["userinfo"] = [Response(200, {}, json.dumps({"id": subject}).encode())]

    case.fails(lambda: case.account(HELD), "garbage")


def test_a_number_names_the_account_by_its_exact_digits(tmp_path: Path) -> None:
    case = Case(shaped(tmp_path, {}))
    case.provider.faults["userinfo"] = [Response(200, {}, b'{"id": 9007199254740993}')]

    assert case.account(HELD).subject == "9007199254740993"


def test_the_profile_of_another_account_is_a_mismatch(tmp_path: Path) -> None:
    case = Case(shaped(tmp_path, {}))
    case.provider.faults["userinfo"] = [Response(200, {}, b'{"id": "somebody-else", "display_name": "Eve"}')]

    assert case.fails(lambda: case.item(HELD), "mismatch").code == "userinfo_subject"


def test_twin_without_a_known_subject_the_other_profile_would_be_taken(tmp_path: Path) -> None:
    case = Case(shaped(tmp_path, {}))
    case.provider.faults["userinfo"] = [Response(200, {}, b'{"id": "somebody-else", "display_name": "Eve"}')]

    assert case.item(Grant(Secret("issued-access-held"))).values


def test_what_a_person_left_out_leaves_the_rest(tmp_path: Path) -> None:
    case = Case(shaped(tmp_path, SHAPES["addresses apart"]))
    grant = case.grant()
    case.provider.faults["also0"] = [case.provider.failure("insufficient_scope", 403)]

    account = case.account(grant)

    assert "email" not in account.claims
    assert account.claims["name"] == "Ada Lovelace"


def test_an_address_is_not_verified_unless_the_provider_says_so(tmp_path: Path) -> None:
    case = Case(shaped(tmp_path, {}))

    assert not case.account(case.grant()).claims.get("email_verified")


def test_a_rotated_token_is_not_lost_for_a_lifetime_that_is_no_number(tmp_path: Path) -> None:
    case = Case(shaped(tmp_path, {}))
    answer = {"access_token": "a", "refresh_token": "r2", "token_type": "bearer", "expires_in": "soon"}
    case.provider.faults["token"] = [Response(200, {}, json.dumps(answer).encode())]

    fresh = case.refresh(HELD)

    assert (fresh.refresh_token, fresh.expires_in_s) == (Secret("r2"), None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("list.1.x", 3),
        ("list.[ok=true].x", 3),
        ("list.[n=7].x", 2),
        ("list.9.x", None),
        ("list.[n=8].x", None),
        ("a.b.c", None),
        ("missing", None),
    ],
)
def test_a_path_leads_to_what_it_names_or_nowhere(path: str, value: Any) -> None:
    document = {"a": {"b": 1}, "list": [{"x": 2, "n": 7, "ok": False}, {"x": 3, "ok": True}, "text"]}

    assert at(document, path) == value


@pytest.mark.parametrize(
    ("kind", "text", "wait"),
    [
        ("seconds", "30", 30),
        ("epoch_s", "1767225660", 60),
        ("epoch_s", "1", 1),
        ("epoch_ms", "1767225660000", 60),
        ("iso_8601", "2026-01-01T00:01:00Z", 60),
        ("iso_8601", "soon", None),
        ("seconds", "nan", None),
        ("seconds", "inf", None),
        ("seconds", "", None),
    ],
)
def test_how_long_to_wait_is_read_by_the_answers_own_clock(kind: Any, text: str, wait: int | None) -> None:
    limits = Limits(reset_header="x-reset", reset_is=kind)
    response = Response(429, {"x-reset": text, "date": "Thu, 01 Jan 2026 00:00:00 GMT"}, b"")

    assert wait_s(limits, response) == wait
    assert NOW == 1_767_225_600_000  # the same moment, for whoever reads the numbers above
