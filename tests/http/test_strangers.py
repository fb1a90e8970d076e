"""Every route that is served, by everybody who may not use it, with the true ids of somebody who may.

The routes come from the application itself: a new one is in the matrix with its first commit, or fails as unsorted.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector import inbox
from connector.clients import (
    API_SCOPES,
    NewClient,
    NewIntegration,
    add_client,
    add_integration,
    issue_access_token,
    remove_client,
    revoke_access_token,
)
from connector.flows import import_records
from connector.http import limits
from connector.http.openapi import routes
from connector.http.operations import operation_of
from connector.storage import open_store
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import APP_RETURN, basic, bearer, web_client
from tests.http.test_matrix import ROUTES
from tests.signing_up import Town, make_town

ANYBODY = {
    ("GET", "/.well-known/gpc.json"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/callback/{integration_id}"),
    ("POST", "/callback/{integration_id}"),
    ("GET", "/deletions/{code}"),
    ("GET", "/docs"),
    ("GET", "/healthz"),
    ("GET", "/oauth/authorize"),
    ("POST", "/oauth/authorize"),
    ("POST", "/oauth/authorize/{authorization_id}"),
    ("GET", "/mail/{item_id}/{proof}"),
    ("POST", "/mail/{item_id}/{proof}"),
    ("GET", "/oauth/jwks"),
    ("GET", "/openapi.json"),
    ("GET", "/readyz"),
    ("POST", "/signals/{integration_id}/{kind}"),
    ("GET", "/portal/enter"),
    ("POST", "/portal/enter"),
}
WORKERS: dict[str, Any] = {"purposes": ("service", "sync")}
KEPT = ("connections", "consents", "cards", "records", "imports", "deliveries", "users", "revocations", "access_tokens")


@dataclass(frozen=True)
class Place:
    """A gateway with somebody in it, the ids that are theirs, and everybody who is not entitled."""

    street: Town
    ids: dict[str, str]
    callers: dict[str, dict[str, str]]

    def ask(self, method: str, path: str, caller: str, **ids: str) -> Any:
        """One request to a route, with a body that would be right."""
        known = self.ids | ids
        address = re.sub(r"{([a-z_]+)}", lambda found: known[found[1]], path)
        parts: dict[str, Any] = {"headers": self.callers[caller], "method": method}
        if method in {"POST", "PUT", "PATCH"}:
            parts["json"] = self.body(path)
        if path == "/v1/inbox":
            parts["query_string"] = {"user": known["sub"]}
        return self.street.app.test_client().open(address, **parts)

    def body(self, path: str) -> dict[str, Any]:
        bodies: dict[str, dict[str, Any]] = {
            "connections": {"integration": "rehearsal", "subject": "ada", "access_token": "x"},
            "consents": {"id": self.ids["consent_id"], "choice": "withdrawn"},
            "note": {"note": "x"},
            "portal": {"return_url": APP_RETURN},
            "profile": {"name": {"full": "X"}},
            "push-preview": {"name": {"full": "X"}},
        }
        return bodies.get(path.rpartition("/")[2], {})


@pytest.fixture(scope="module")
def place(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    shutil.copyfile(migrated_sqlite, folder / "connector.db")
    clock = ManualClock()
    store = open_store(f"sqlite:///{folder / 'connector.db'}", clock)
    street = make_town(folder, store, clock)
    street.app.extensions[limits.EXTENSION].within = lambda _limit, _who: True
    tokens = street.sign_up("ada")
    while import_records.step(street.gateway):
        pass
    callers = _callers(street, clock, tokens)
    yield Place(street, _ids(street, tokens), callers)
    store.dispose()


def _ids(street: Town, tokens: dict[str, Any]) -> dict[str, str]:
    contact = next(row for row in street.rows("cards") if row["kind"] == "contact")
    sub = tokens["claims"]["sub"]
    with street.gateway.store.transaction() as tx:
        notice = inbox.NewItem(street.house.tenant.id, sub, "sharing", words=("Sharing", ["Your e-mail address."]))
        item = inbox.post(tx, street.gateway.vault, notice)
    return {
        "connection_id": tokens["connection"],
        "sub": sub,
        "item_id": item.id,
        "card": contact["id"],
        "number": "1",
        "receipt_id": "rcp_" + "a" * 26,
        "consent_id": street.rows("consents")[0]["id"],
        "group": "name",
    }


def _callers(street: Town, clock: ManualClock, tokens: dict[str, Any]) -> dict[str, dict[str, str]]:
    house, vault = street.house, street.gateway.vault
    with street.gateway.store.transaction() as tx:

        def one(name: str, **parts: Any) -> Any:
            new = NewClient(house.tenant.id, name, "worker", scopes=API_SCOPES, **WORKERS, **parts)
            return add_client(tx, vault, new)[0]

        def token(client: Any, **parts: Any) -> str:
            given = {"kind": "client", "scopes": API_SCOPES} | parts
            return issue_access_token(tx, vault, client, **given).reveal()

        elsewhere = NewIntegration(
            house.tenant.id,
            "rehearsal",
            name="elsewhere",
            client_id="x",
            client_secret=Secret("x"),
            issuer=house.integration.issuer,
        )
        other = add_integration(tx, vault, elsewhere, development=True)
        whole = one("whole")
        rivals = web_client(house.other_tenant, name="everything", scopes=API_SCOPES, **WORKERS)
        rival, _ = add_client(tx, vault, rivals, development=True)
        callers = {
            "rival": token(rival),
            "elsewhere": token(one("elsewhere", integrations=(other.id,))),
            "expired": token(whole, lifetime_s=1),
            "revoked": token(whole),
            "person": tokens["access_token"],
            "scopeless": token(whole, scopes=()),
            "entitled": token(whole, lifetime_s=10**6),
        }
        removed = one("removed")
        callers["removed"] = token(removed)
        remove_client(tx, vault, removed.id)
        revoke_access_token(tx, whole, callers["revoked"])
    clock.advance(2)
    headers = {name: bearer(value) for name, value in callers.items()}
    return headers | {"nobody": {}, "garbage": bearer("gwat_" + "x" * 43)}


def without_request_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in (answer.json or {}).items() if name != "request_id"}


EXPECTED = {
    "nobody": 401,
    "garbage": 401,
    "expired": 401,
    "revoked": 401,
    "removed": 401,
    "person": 403,
    "scopeless": 403,
}


@pytest.mark.parametrize("caller", EXPECTED)
@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_who_holds_no_fitting_token_is_refused_and_changes_nothing(
    place: Place, method: str, path: str, scope: str, caller: str
) -> None:
    before = place.street.how_many(*KEPT)
    answer = place.ask(method, path, caller)
    assert answer.status_code == EXPECTED[caller]
    assert place.ids["sub"] not in answer.text
    assert place.street.how_many(*KEPT) == before


@pytest.mark.parametrize(("method", "path", "scope"), [route for route in ROUTES if "{" in route[1]])
def test_another_tenant_with_every_scope_finds_nothing_and_learns_nothing(
    place: Place, method: str, path: str, scope: str
) -> None:
    before = place.street.how_many(*KEPT)
    answer = place.ask(method, path, "rival")
    made_up = {name: place.ids[name][:4] + "a" * 26 for name in ("connection_id", "sub", "item_id")}
    never = place.ask(method, path, "rival", **made_up)
    assert (answer.status_code, never.status_code) == (404, 404), answer.text
    assert without_request_id(answer) == without_request_id(never)
    assert place.street.how_many(*KEPT) == before


def lists(route: tuple[str, str, str]) -> bool:
    return route[0] == "GET" and "{" not in route[1]


@pytest.mark.parametrize(("method", "path", "scope"), [route for route in ROUTES if lists(route)])
def test_another_tenant_s_lists_are_without_what_is_ours(place: Place, method: str, path: str, scope: str) -> None:
    answer = place.ask(method, path, "rival")
    assert answer.status_code == (404 if path == "/v1/inbox" else 200)  # the inbox is asked for by its person
    assert not any(value in answer.text for value in place.ids.values() if len(value) > 8)


def test_another_tenant_moves_nothing_in_at_our_integration(place: Place) -> None:
    before = place.street.how_many(*KEPT)
    answer = place.ask("POST", "/v1/connections", "rival")
    assert answer.status_code in {400, 404}, answer.text
    assert place.street.how_many(*KEPT) == before


@pytest.mark.parametrize(("method", "path", "scope"), [route for route in ROUTES if "{connection_id}" in route[1]])
def test_a_client_of_another_integration_does_not_see_the_connection(
    place: Place, method: str, path: str, scope: str
) -> None:
    answer = place.ask(method, path, "elsewhere")
    assert answer.status_code == 404, answer.text


def test_twin_who_is_entitled_is_let_in(place: Place) -> None:
    reading = [(method, path) for method, path, _ in ROUTES if method == "GET" and "receipt" not in path]
    assert len(reading) > 8
    for method, path in reading:
        assert place.ask(method, path, "entitled").status_code == 200, path


def _others(place: Place, wanted: Callable[[str, str, Any], bool]) -> list[tuple[str, str]]:
    found = [(method, path, operation_of(view)) for path, method, view in routes(place.street.app)]
    return [(method, path) for method, path, said in found if wanted(method, path, said)]


def test_every_route_is_sorted(place: Place) -> None:
    def unsorted(method: str, path: str, said: Any) -> bool:
        known = said is not None and (said.scope or said.security in {"clients", "person"})
        return not known and (method, path) not in ANYBODY and not path.startswith("/portal")

    assert _others(place, unsorted) == []


def test_the_routes_of_clients_take_no_other_credentials(place: Place) -> None:
    house = place.street.house
    asked = _others(place, lambda _method, _path, said: said is not None and said.security == "clients")
    assert len(asked) == 4
    form = {"grant_type": "client_credentials", "token": "x"}
    wrong = [{}, basic(house.web, house.other_secret), basic(house.other, house.web_secret), place.callers["entitled"]]
    for method, path in asked:
        for headers in wrong:
            answer = place.street.app.test_client().open(path, method=method, data=form, headers=headers)
            assert answer.status_code == 401, (path, answer.text)


def test_the_pages_of_people_open_to_nobody_without_a_session(place: Place) -> None:
    pages = _others(place, lambda _method, path, _said: path.startswith("/portal") and not path.endswith("/enter"))
    assert len(pages) > 10
    before = place.street.how_many(*KEPT)
    for method, path in pages:
        for caller in ("nobody", "entitled", "person"):
            answer = place.ask(method, path, caller)
            assert answer.status_code in {401, 403, 404, 415}, (method, path, answer.status_code)
            assert "ada@example.org" not in answer.text
    assert place.street.how_many(*KEPT) == before
