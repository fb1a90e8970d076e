"""The JSON API of what is held about people."""

from __future__ import annotations

import json

import pytest

from tests.agreed import WRITING, Api, agree, deliveries, grant_scopes, imported, push_all, run_imports, typed
from tests.connected import linked

PHONE = {"phones": {"p1": {"number": "+46709999999"}}}
MERGE = "application/merge-patch+json"


@pytest.fixture
def town(tmp_path, store, clock):
    made = linked(tmp_path, store, clock)
    grant_scopes(made, *WRITING)
    agree(made, "import", "profile", "contacts")
    agree(made, "push", "phones")
    return made


@pytest.fixture
def api(town):
    return Api(town)


@pytest.fixture
def user(town):
    return f"/v1/users/{town.connection().sub}"


def test_an_import_is_started_and_followed(town, api):
    started = api("POST", f"/v1/connections/{town.connection_id}/imports")
    assert started.status_code == 202
    assert started.json["state"] == "queued"
    run_imports(town)
    shown = api("GET", started.headers["Location"]).json
    assert shown["state"] == "done"
    assert shown["counts"]["strangers"] == 4
    listed = api("GET", f"/v1/connections/{town.connection_id}/imports").json
    assert [one["number"] for one in listed["items"]] == [1]


def test_the_profile_has_values_with_tags_origin_and_clause(town, api, user):
    imported(town)
    shown = api("GET", f"{user}/profile?purpose=service").json
    assert shown["card"]["@type"] == "Card"
    (email,) = [one for one in shown["values"] if one["pointer"] == "/emails/m1"]
    assert email["tags"]["category"] == "contact"
    assert email["origin"]["provider"] == "rehearsal"
    assert email["clause"] == "2a"
    assert shown["withheld"] == []


@pytest.mark.parametrize("media_type", [MERGE, "application/json"])
def test_a_merge_patch_becomes_given_and_is_delivered(town, api, user, media_type):
    answer = api("PATCH", f"{user}/profile", data=json.dumps(PHONE), content_type=media_type)
    assert answer.status_code == 200, answer.text
    assert answer.json["changed"] == ["/phones/p1"]
    push_all(town)
    (shown,) = api("GET", f"{user}/deliveries").json["items"]
    assert (shown["state"], shown["outcome"]["written"]) == ("done", ["/phones/p1"])
    assert "+467" not in json.dumps(shown)


def test_the_same_patch_under_one_key_is_done_once(town, api, user):
    headers = {"Idempotency-Key": "k1"}
    first = api("PATCH", f"{user}/profile", json=PHONE, headers=headers)
    again = api("PATCH", f"{user}/profile", json=PHONE, headers=headers)
    assert first.json == again.json
    assert len(deliveries(town)) == 1
    other = api("PATCH", f"{user}/profile", json={"language": "sv"}, headers=headers)
    assert other.status_code == 422


def test_a_preview_says_what_would_leave_and_why_the_rest_would_not(town, api, user):
    patch = {**PHONE, "emails": {"m1": {"address": "new@example.org"}}}
    (shown,) = api("POST", f"{user}/push-preview", json=patch).json["connections"]
    assert [one["method"] for one in shown["requests"]] == ["GET", "PATCH"]
    assert shown["not_sent"][0]["clause"] == "3a"
    assert deliveries(town) == []


def test_contacts_come_in_pages_and_go_for_good(town, api, user):
    imported(town)
    seen, path = [], f"{user}/contacts?limit=10"
    while path:
        page = api("GET", path).json
        seen += [one["id"] for one in page["items"]]
        path = f"{user}/contacts?limit=10&cursor={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 24
    assert api("DELETE", f"{user}/contacts/{seen[0]}").status_code == 204
    assert api("DELETE", f"{user}/contacts/{seen[0]}").status_code == 404


def test_a_note_can_be_written_and_removed_and_never_read(town, api, user):
    imported(town)
    card = api("GET", f"{user}/contacts?limit=1").json["items"][0]["id"]
    assert api("PUT", f"{user}/contacts/{card}/note", json={"note": "CANARY"}).status_code == 204
    for path in (f"{user}/contacts?limit=200", f"{user}/profile", "/v1/changes?limit=200"):
        assert "CANARY" not in api("GET", path).text
    assert api("DELETE", f"{user}/contacts/{card}/note").status_code == 204
    assert api("PUT", f"{user}/contacts/{card}/note", json={"text": "x"}).status_code == 400


def test_changes_are_followed_with_the_cursor_that_is_always_there(town, api):
    typed(town, PHONE)
    first = api("GET", "/v1/changes").json
    assert [one["pointer"] for one in first["items"]] == ["/phones/p1"]
    assert first["items"][0]["value"]["value"] == {"number": "+46709999999"}
    nothing = api("GET", f"/v1/changes?cursor={first['next']}").json
    assert nothing == {"items": [], "next": first["next"], "more": False}
    assert api("GET", "/v1/changes?cursor=WzldQQ").status_code == 400
    expired = api("GET", "/v1/changes?cursor=Wzk5OTld")
    assert (expired.status_code, expired.json["code"]) == (410, "cursor_expired")


def test_consents_are_listed_with_their_record_and_may_only_be_withdrawn(town, api, user):
    listed = api("GET", f"{user}/consents?limit=2").json
    assert len(listed["items"]) == 2
    rest = api("GET", f"{user}/consents?cursor={listed['next']}").json
    (push,) = [one for one in (*listed["items"], *rest["items"]) if one["direction"] == "push"]
    assert push["record"]["events"][0]["state"] == "ConsentGiven"
    given = api("PUT", f"{user}/consents", json={"id": push["id"], "choice": "given"})
    assert (given.status_code, given.json["code"]) == (403, "only_withdraw")
    for _ in range(2):
        ended = api("PUT", f"{user}/consents", json={"id": push["id"], "choice": "withdrawn"})
        assert ended.json["choice"] == "withdrawn"
    assert len(town.entries("consent")) == 1
    assert typed(town, PHONE).deliveries == ()


@pytest.mark.parametrize(
    ("method", "path", "more", "code"),
    [
        ("PATCH", "{user}/profile", {"json": {"emails": {"m1": {"address": "x"}}}}, "bad_value"),
        ("PATCH", "{user}/profile", {"json": {"shoeSize": 38}}, "unknown_member"),
        ("PATCH", "{user}/profile", {"data": b"[1]", "content_type": MERGE}, "bad_json"),
        ("PATCH", "{user}/profile", {"data": b"x=1", "content_type": "text/plain"}, "unsupported_media_type"),
        ("GET", "{user}/profile?purpose=gossip", {}, "unknown_purpose"),
        ("GET", "{user}/profile?purpose=sell", {}, "purpose_not_granted"),
        ("GET", "{user}/contacts?limit=201", {}, "bad_limit"),
        ("GET", "{user}/deliveries?cursor=WzFd", {}, "bad_cursor"),
        ("POST", "/v1/connections/{connection}/imports", {"json": {"full": True}}, "unknown_member"),
        ("GET", "/v1/connections/{connection}/imports/x", {}, "not_found"),
        ("GET", "/v1/connections/{connection}/imports/7", {}, "not_found"),
        ("PUT", "{user}/consents", {"json": {"id": "cns_x", "choice": "withdrawn"}}, "not_found"),
        ("PUT", "{user}/consents", {"json": {"id": 7}}, "bad_consent"),
    ],
)
def test_what_cannot_be_taken_is_a_clear_error(town, api, user, method, path, more, code):
    answer = api(method, path.format(user=user, connection=town.connection_id), **more)
    assert answer.status_code < 500
    assert answer.json["code"] == code
    assert answer.content_type == "application/problem+json"


ROUTES = [
    ("GET", "{user}/profile", "records:read"),
    ("PATCH", "{user}/profile", "records:write"),
    ("POST", "{user}/push-preview", "records:read"),
    ("GET", "{user}/contacts", "records:read"),
    ("DELETE", "{user}/contacts/crd_x", "records:write"),
    ("PUT", "{user}/contacts/crd_x/note", "records:write"),
    ("DELETE", "{user}/contacts/crd_x/note", "records:write"),
    ("GET", "{user}/consents", "records:read"),
    ("PUT", "{user}/consents", "records:write"),
    ("GET", "{user}/deliveries", "deliveries:read"),
    ("POST", "/v1/connections/{connection}/imports", "imports:run"),
    ("GET", "/v1/connections/{connection}/imports", "imports:run"),
    ("GET", "/v1/connections/{connection}/imports/1", "imports:run"),
]
BODIES = {"PATCH": PHONE, "PUT": {"note": "x"}}


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_another_tenants_client_finds_nobody(town, user, method, path, scope):
    body = {"id": "cns_x", "choice": "withdrawn"} if path.endswith("consents") else BODIES.get(method)
    rival = Api(town, rival=True)
    json_body = body if method == "PUT" or "profile" in path or "preview" in path else None
    if "preview" in path:
        json_body = PHONE
    if method in {"GET", "DELETE"}:
        json_body = None
    answer = rival(method, path.format(user=user, connection=town.connection_id), json=json_body)
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(("method", "path", "scope"), [*ROUTES, ("GET", "/v1/changes", "changes:read")])
def test_each_route_needs_its_scope(town, user, method, path, scope):
    narrow = Api(town, scopes=("connections:read",))
    answer = narrow(method, path.format(user=user, connection=town.connection_id))
    assert answer.status_code == 403
    assert scope in answer.headers["WWW-Authenticate"] or scope in answer.json["detail"]
