"""Errors, headers, request ids and logs: what every answer has in common."""

from __future__ import annotations

import io
import json

import pytest
import structlog
from flask import Blueprint, Flask
from flask.testing import FlaskClient

from connector import logs
from connector.http import create_app, errors
from connector.http.oauth.errors import OAuthError
from connector.model.errors import (
    BadInput,
    Conflict,
    Forbidden,
    Gone,
    InvalidTarget,
    Misconfigured,
    NotFound,
    RefusedByPolicy,
    TooMany,
    TryLater,
    Unauthenticated,
)
from connector.settings import LogSettings
from providers.secret import Secret
from tests.gateways import House, api_token, bearer

ERRORS = [
    (BadInput("bad_thing", "Mend it."), 400, "invalid_request"),
    (InvalidTarget("bad_target", "Mend it."), 400, "invalid_target"),
    (Unauthenticated("invalid_client", "No."), 401, "invalid_client"),
    (Forbidden("not_granted", "No."), 403, "unauthorized_client"),
    (RefusedByPolicy("PU-6", "No."), 403, None),
    (NotFound("connection", code="unknown_connection"), 404, "invalid_request"),
    (Conflict("needs_reauth", "Sign in again."), 409, "invalid_request"),
    (Gone("revoked", "It has ended."), 410, "invalid_request"),
    (TooMany("Slow down.", retry_after_s=7), 429, "temporarily_unavailable"),
    (TryLater("Later.", retry_after_s=7), 503, "temporarily_unavailable"),
    (Misconfigured("no_key", "Set /etc/secret/place."), 500, "server_error"),
    (OAuthError("invalid_grant", "No.", code="account_already_linked", clause="PU-1"), 400, "invalid_grant"),
]


@pytest.fixture
def raising(app: Flask) -> FlaskClient:
    """The application with addresses on each surface that raise what a test puts into the list."""
    blueprint = Blueprint("raising", __name__)

    def fail() -> str:
        raise app.config["RAISE"]

    for number, path in enumerate(("/v1/fail", "/oauth/fail", "/portal/fail")):
        blueprint.add_url_rule(path, f"fail{number}", fail)
    app.register_blueprint(blueprint)
    return app.test_client()


@pytest.mark.parametrize(("error", "status", "word"), ERRORS)
def test_an_error_is_told_in_the_form_of_its_surface(
    app: Flask, raising: FlaskClient, error: Exception, status: int, word: str | None
) -> None:
    app.config["RAISE"] = error
    problem, oauth, page = (raising.get(path) for path in ("/v1/fail", "/oauth/fail", "/portal/fail"))
    assert (problem.status_code, problem.content_type) == (status, "application/problem+json")
    assert problem.json.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert problem.json["code"] == error.code
    assert oauth.content_type == "application/json"
    assert oauth.json["error"] == (
        word or "unauthorized_client" if isinstance(error, Forbidden) else word or "invalid_request"
    )
    assert (page.status_code, page.mimetype) == (status, "text/html")
    for answer in (problem, oauth, page):
        assert ("Retry-After" in answer.headers) == isinstance(error, TooMany | TryLater)
        assert "/etc/secret" not in answer.get_data(as_text=True)
    clause = getattr(error, "clause", "")
    if clause:
        assert problem.json["clause"] == oauth.json["clause"] == clause


def test_what_nobody_foresaw_shows_nothing_of_itself(
    app: Flask, raising: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    app.config["RAISE"] = ValueError("canary-secret in the text")
    for path in ("/v1/fail", "/oauth/fail", "/portal/fail"):
        answer = raising.get(path)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 500
        assert "canary" not in text
        assert "Traceback" not in text
        assert "ValueError" not in text
    logged = capsys.readouterr().out
    assert "canary" not in logged
    assert "http.unexpected" in logged
    assert "ValueError" in logged


def test_private_detail_stays_in_the_log(app: Flask, raising: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    app.config["RAISE"] = BadInput("bad", "Mend it.", detail="private words")
    for path in ("/v1/fail", "/oauth/fail", "/portal/fail"):
        assert "private words" not in raising.get(path).get_data(as_text=True)
    assert "private words" in capsys.readouterr().out


def test_words_from_outside_are_escaped_on_pages(app: Flask, raising: FlaskClient) -> None:
    app.config["RAISE"] = BadInput("bad", "<script>alert(1)</script>{{7*7}}")
    text = raising.get("/portal/fail").get_data(as_text=True)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "{{7*7}}" in text


def test_an_oauth_description_has_only_the_characters_it_may_have(app: Flask, raising: FlaskClient) -> None:
    app.config["RAISE"] = BadInput("bad", 'say "x"\\ \r\n ü')
    said = raising.get("/oauth/fail").json["error_description"]
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in said)


def test_an_unknown_address_is_404_in_the_form_of_its_surface(http: FlaskClient) -> None:
    assert http.get("/v1/nothing").json["code"] == "not_found"
    assert http.get("/oauth/nothing").json["error"] == "invalid_request"
    assert http.get("/portal/nothing").mimetype == "text/html"
    assert http.get("//v1/providers").status_code == 404
    assert http.get("/v1/providers/").status_code == 404


PATHS = [
    "/healthz",
    "/v1/providers",
    "/oauth/jwks",
    "/docs",
    "/openapi.json",
    "/nothing",
    "/portal/nothing",
    "/static/pages.css",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(http: FlaskClient, path: str) -> None:
    with http.get(path) as answer:
        headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"]
    assert "Strict-Transport-Security" not in headers
    assert "Access-Control-Allow-Origin" not in headers
    assert "Set-Cookie" not in headers


def test_what_may_be_kept_by_caches_is_only_what_is_public(http: FlaskClient) -> None:
    assert "public" in http.get("/oauth/jwks").headers["Cache-Control"]
    assert http.get("/v1/providers").headers["Cache-Control"] == "no-store"
    assert http.get("/healthz").headers["Cache-Control"] == "no-store"


def test_no_page_loads_anything_from_elsewhere_or_runs_scripts(http: FlaskClient) -> None:
    for path in ("/docs", "/portal/nothing"):
        text = http.get(path).get_data(as_text=True)
        assert "<script" not in text
        assert "style=" not in text
        assert 'src="http' not in text
        assert "Development mode" in text


def test_each_request_has_an_id_of_its_own_that_the_log_knows(
    http: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (http.get("/nothing", headers={"X-Request-Id": "mine"}) for _ in range(2))
    ids = {one.headers["X-Request-Id"], two.headers["X-Request-Id"]}
    assert len(ids) == 2
    assert "mine" not in ids
    assert one.json["request_id"] == one.headers["X-Request-Id"]
    logged = capsys.readouterr().out
    assert all(one in logged for one in ids)


def test_a_query_string_is_in_no_log_line(http: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    http.get("/v1/providers?code=canary&token=canary")
    http.get("/canary-path?x=canary")
    http.post("/oauth/token", data={"client_secret": "canary", "client_id": "canary"})
    assert "canary" not in capsys.readouterr().out


def test_log_lines_are_one_json_object_each_and_show_no_secret() -> None:
    stream = io.StringIO()
    before = structlog.get_config()
    try:
        logs.configure(LogSettings(format="json", level="info"), stream)
        log = structlog.get_logger()
        log.info("a.word", secret=Secret("canary"), forged="x\n{}\r\x1b[31m", long="y" * 9000, thing=object(), number=1)
        log.debug("left.out")
    finally:
        structlog.configure(**before)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    read = json.loads(lines[0])
    assert (read["event"], read["secret"], read["number"], read["level"]) == ("a.word", "<secret>", 1, "info")
    assert read["thing"] == "<object>"
    assert "\x1b" not in read["forged"]
    assert len(read["long"]) < 3000


def test_production_says_https_only_and_no_development_banner(house: House, tmp_path) -> None:
    settings = house.gateway.settings
    server = settings.server.model_copy(update={"mode": "production", "public_url": "https://connect.example.org"})
    production = create_app(
        type(house.gateway)(
            **{name: getattr(house.gateway, name) for name in house.gateway.__dataclass_fields__ if name != "settings"},
            settings=settings.model_copy(update={"server": server}),
        )
    )
    answer = production.test_client().get("/docs")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "Development mode" not in answer.get_data(as_text=True)
    token = api_token(production, house.web, house.web_secret)
    names = [
        one["name"]
        for one in production.test_client().get("/v1/providers?limit=200", headers=bearer(token)).json["items"]
    ]
    assert "rehearsal" not in names
    assert "google" in names


def test_an_error_outside_a_route_is_answered_too(app: Flask) -> None:
    with app.test_request_context("/v1/x"):
        answer = errors.answer_for(BadInput("bad", "Mend it."))
    assert answer.status_code == 400
