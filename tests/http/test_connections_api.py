"""/v1/connections: what a client may see of a tenant's connections, and nothing else."""

from __future__ import annotations

import pytest

from connector.flows.revoke import revoke
from connector.http import create_app
from connector.model.states import Ended
from tests.connected import linked
from tests.gateways import api_token, bearer


@pytest.fixture
def town(tmp_path, store, clock):
    return linked(tmp_path, store, clock)


@pytest.fixture
def app(town):
    return create_app(town.gateway)


@pytest.fixture
def read(town, app):
    token = api_token(app, town.house.worker, town.house.worker_secret, "connections:read")
    return lambda path: app.test_client().get(path, headers=bearer(token))


def test_a_connection_says_where_it_stands_in_words(town, read):
    seen = read(f"/v1/connections/{town.connection_id}").json
    assert (seen["id"], seen["state"], seen["state_in_words"]) == (town.connection_id, "active", "Working.")
    assert seen["granted_scopes"] == ["openid", "profile", "email", "contacts"]
    assert (seen["missing_scopes"], seen["can_refresh"]) == ([], True)
    assert not {"access_token", "refresh_token", "identity_id", "pseudonym"} & seen.keys()


def test_a_revoked_connection_says_who_ended_it(town, read):
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    seen = read(f"/v1/connections/{town.connection_id}").json
    assert (seen["state"], seen["ended_by"]) == ("revoked", "person")
    assert seen["revoked_at"]


def test_connections_are_listed_a_page_at_a_time(town, read):
    made = sorted([town.connection_id, *(town.connect(f"person-{number}") for number in range(4))])
    found, path = [], "/v1/connections?limit=2"
    while path:
        page = read(path).json
        found += [one["id"] for one in page["items"]]
        path = f"/v1/connections?limit=2&cursor={page['next']}" if page.get("next") else ""
    assert found == made


def test_a_list_can_be_narrowed_by_user_provider_and_state(town, read):
    other = town.connect("grace")
    user = town.connection(other).sub
    assert [one["id"] for one in read(f"/v1/connections?user={user}").json["items"]] == [other]
    assert read("/v1/connections?provider=google").json["items"] == []
    assert read("/v1/connections?state=revoked").json["items"] == []
    assert len(read("/v1/connections?state=active&provider=rehearsal").json["items"]) == 2


@pytest.mark.parametrize("query", ["state=asleep", "limit=0", "limit=201", "nonsense=1"])
def test_a_query_that_makes_no_sense_is_refused(read, query):
    assert read(f"/v1/connections?{query}").status_code == 400


def test_another_tenants_connection_is_not_there(town, app):
    token = api_token(app, town.house.other, town.house.other_secret)
    answer = app.test_client().get(f"/v1/connections/{town.connection_id}", headers=bearer(token))
    never = app.test_client().get("/v1/connections/con_never", headers=bearer(token))
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_connection")
    assert answer.json["detail"] == never.json["detail"]
    assert app.test_client().get("/v1/connections", headers=bearer(token)).json["items"] == []
