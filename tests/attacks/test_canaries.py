"""C16: a whole life of a connection with marked secrets, failures included; then every place is searched for them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import structlog
from flask import Response as Answer

from connector import logs
from connector.flows import import_records, push_update, revoke
from connector.http.operator import create_operator_app
from connector.model.states import Ended
from connector.settings import LogSettings
from connector.worker.steps import keeping
from providers.exchange import Response
from providers.secret import Secret
from tests.attacks.canaries import Canaries
from tests.gateways import api_token, basic, bearer
from tests.signing_up import Town, answer_of, form_of, let_write

NOTE = "canary-note-owes-me-forty"
NAME = "Canaria Wintergreen"
MAIL = "canary.mail@example.net"


class Life:
    """One person's connection from sign-up to the end, watched."""

    def __init__(self, street: Town, log: io.StringIO) -> None:
        self.street = street
        self.log = log
        self.canaries = Canaries()
        self.refused: list[bytes] = []
        street.house = replace(street.house, integration=let_write(street.house))
        street.callback = f"/callback/{street.house.integration.id}"
        street.app.after_request(self._watch)
        house = street.house
        secrets = [secret.reveal() for secret in (house.web_secret, house.worker_secret, house.other_secret)]
        self.canaries.mark("client secret", *secrets, house.integration.client_secret.reveal())

    def _watch(self, answer: Answer) -> Answer:
        if answer.status_code >= 400:
            self.refused.append(answer.get_data() + str(answer.headers).encode())
        return answer

    # The story --------------------------------------------------------------------------------------

    def live(self) -> None:
        street = self.street
        tokens = self.sign_up()
        self.fail_to_sign_up()
        worker = (street.house.worker, street.house.worker_secret)
        token = api_token(street.app, *worker)
        headers = bearer(token)
        self.canaries.mark("our token", token)
        fresh = f"/v1/connections/{tokens['connection']}/token"
        handed = street.app.test_client().post(fresh, headers=headers)
        self.canaries.mark("provider token", handed.json["access_token"])  # type: ignore[index]
        street.gateway.clock.advance(hours=2)  # type: ignore[attr-defined]  # the test's own clock
        headers = bearer(api_token(street.app, *worker))
        assert street.app.test_client().post(fresh, headers=headers).status_code == 200
        self.work()
        self.write(tokens["claims"]["sub"])
        self.work()
        self.provider_fails(fresh, headers)
        headers = bearer(api_token(street.app, *worker))
        revoke.revoke(street.gateway, street.house.tenant.id, tokens["connection"], by=Ended.PERSON)
        assert street.app.test_client().post(fresh, headers=headers).status_code == 410
        self.work()
        self.mark_provider()

    def sign_up(self) -> dict[str, Any]:
        street, browser = self.street, self.street.browser()
        started, query = street.pushed(offer_push="name emails", integration=street.house.integration.id)
        self.canaries.mark("verifier", started.verifier)
        self.canaries.mark("state and nonce", started.state, started.nonce)
        page = street.page(browser, query)
        self.canaries.mark("form token", form_of(page)[1])
        onward = street.submit(browser, page, push=["name", "emails"])
        self.mark_cookies(browser)
        asked = answer_of(onward.headers["Location"])
        self.canaries.mark("state and nonce", asked["state"], asked["nonce"])
        back = street.at_provider(onward.headers["Location"], "ada")
        self.canaries.mark("provider code", answer_of(back)["code"])
        home = street.follow(browser, back).headers["Location"]
        self.canaries.mark("our code", answer_of(home)["code"])
        tokens = street.finished(home, started)
        self.canaries.mark("our token", tokens["access_token"], tokens["id_token"])
        self.canaries.mark("person", "ada@example.org", "Ada Lindqvist", "Lindqvist", NAME, MAIL, NOTE)
        return tokens

    def mark_cookies(self, browser: Any) -> None:
        self.canaries.mark("cookie", *(cookie.value for cookie in browser._cookies.values() if cookie.value))

    def fail_to_sign_up(self) -> None:
        """Everything that can go wrong, with true secrets in it."""
        street, http = self.street, self.street.app.test_client()
        started, browser = street.start(integration=street.house.integration.id), street.browser()
        self.canaries.mark("verifier", started.verifier, "wrong-" + started.verifier)
        self.canaries.mark("state and nonce", started.state, started.nonce)
        back = street.to_callback(browser, started.query, "ada")
        self.canaries.mark("provider code", answer_of(back)["code"])
        self.canaries.mark("state and nonce", answer_of(back)["state"])
        assert street.follow(street.browser(), back).status_code == 400  # another browser
        started = street.start(integration=street.house.integration.id)
        home = street.to_app(browser, started.query, "ada")
        self.canaries.mark("our code", answer_of(home)["code"])
        wrong = replace(started, verifier="wrong-" + started.verifier)
        assert street.redeem(home, wrong).status_code == 400
        assert street.redeem(home, started).status_code == 400
        for path in ("/v1/providers", "/oauth/userinfo", "/v1/connections/x/token"):
            http.open(path, headers=bearer("gwat_" + started.verifier[:43]))
        self.canaries.mark("made-up token", "gwat_" + started.verifier[:43])
        mixed = basic(street.house.web, Secret(street.house.worker_secret.reveal()))
        http.post("/oauth/token", data={"grant_type": "client_credentials"}, headers=mixed)
        http.get(f"/oauth/authorize?client_id=x&state={started.state}&login_hint={MAIL}")

    def write(self, sub: str) -> None:
        """The app writes what the person typed, and a note about a contact."""
        street, http = self.street, self.street.app.test_client()
        headers = bearer(api_token(street.app, street.house.web, street.house.web_secret))
        patch = {"name": {"full": NAME}, "emails": {"m1": {"address": MAIL}}}
        media = "application/merge-patch+json"
        answer = http.patch(f"/v1/users/{sub}/profile", data=json.dumps(patch), content_type=media, headers=headers)
        assert answer.status_code == 200, answer.text
        contacts = http.get(f"/v1/users/{sub}/contacts?purpose=service", headers=headers)
        card = contacts.json["items"][0]["id"]  # type: ignore[index]
        noted = http.put(f"/v1/users/{sub}/contacts/{card}/note", json={"note": NOTE}, headers=headers)
        assert noted.status_code < 300, noted.text
        bad = {"emails": {"m1": {"address": MAIL, "stranger": NOTE}}}
        assert http.patch(f"/v1/users/{sub}/profile", json=bad, headers=headers).status_code == 400

    def provider_fails(self, path: str, headers: dict[str, str]) -> None:
        """The provider's error repeats what it was sent."""

        def repeats(request: Any) -> Response | None:
            body = request.body or b""
            said = {"error": "server_error", "error_description": body.decode(), "error_uri": f"https://x/?{body!r}"}
            return Response(500, {"content-type": "application/json"}, json.dumps(said).encode())

        self.street.gateway.clock.advance(hours=2)  # type: ignore[attr-defined]  # the test's own clock
        headers = bearer(api_token(self.street.app, self.street.house.worker, self.street.house.worker_secret))
        self.street.egress.before = repeats
        assert self.street.app.test_client().post(path, headers=headers).status_code == 503
        started = self.street.start(integration=self.street.house.integration.id)
        self.canaries.mark("verifier", started.verifier)
        assert self.street.redeem(self.street.to_app(self.street.browser(), started.query), started).status_code == 400
        self.street.egress.before = lambda _request: None
        self.street.gateway.clock.advance(hours=2)  # type: ignore[attr-defined]  # past every pause

    def work(self) -> None:
        gateway = self.street.gateway
        for _ in range(10):
            done = [import_records.step(gateway), push_update.step(gateway), revoke.tell_providers(gateway)]
            if not any(done):
                break
        for step in keeping(gateway):
            step.run()

    def mark_provider(self) -> None:
        """Everything that the provider ever gave, and everything it was sent."""
        state = self.street.rehearsal.extensions["rehearsal"]
        self.canaries.mark("provider token", *state.access, *state.refresh)
        self.canaries.mark("provider code", *state.codes)
        for request in self.street.egress.requests:
            for values in parse_qs((request.body or b"").decode(errors="replace")).values():
                if "code_verifier" in (request.body or b"").decode(errors="replace") and len(values[0]) >= 40:
                    self.canaries.mark("sent to the provider", values[0])

    # The search -------------------------------------------------------------------------------------

    def places(self, captured: str) -> Iterator[tuple[str, bytes]]:
        yield "the log", self.log.getvalue().encode()
        yield "standard output and error", captured.encode()
        yield "metrics", create_operator_app(self.street.gateway).test_client().get("/metrics").data
        for number, body in enumerate(self.refused):
            yield f"error answer {number}", body
        for file in self.street.house.folder.rglob("*"):
            if file.is_file() and file.name != "kek.json":
                yield f"file {file.name}", file.read_bytes()

    def found(self, captured: str) -> list[str]:
        return [hit for where, data in self.places(captured) for hit in self.canaries.hits(where, data)]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before, stream = structlog.get_config(), io.StringIO()
    logs.configure(LogSettings(format="json", level="debug"), stream)
    yield stream
    structlog.configure(**before)


def test_no_marked_secret_is_in_any_log_page_metric_or_file(
    street: Town, log: io.StringIO, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    life = Life(street, log)
    life.live()
    captured = capfd.readouterr()
    assert life.found(captured.out + captured.err) == []
    kinds = set(life.canaries.known.values())
    assert kinds >= {"client secret", "provider token", "provider code", "our code", "our token", "verifier", "person"}
    assert len(life.canaries.known) > 30
    assert len(life.refused) > 8
    assert log.getvalue().count("\n") > 30
    assert any(file.name == "connector.db" and file.stat().st_size > 100_000 for file in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "leak",
    [
        lambda secret: structlog.get_logger().warning("token.refused", token=secret),
        lambda secret: structlog.get_logger().info("sent", body=f'{{"refresh_token":"{secret}"}}'),
        lambda secret: structlog.get_logger().info("sent", head=basic_of(secret)),
        lambda secret: structlog.get_logger().info("sent", blob=secret.encode().hex()),
        lambda secret: print(f"https://x/?code={secret}"),  # noqa: T201  the leak itself
    ],
)
def test_twin_one_line_that_says_too_much_is_found(
    street: Town, log: io.StringIO, capfd: pytest.CaptureFixture[str], leak: Any
) -> None:
    life = Life(street, log)
    secret = street.house.web_secret.reveal()
    leak(secret)
    assert life.found(capfd.readouterr().out)


def basic_of(secret: str) -> str:
    return "Basic " + base64.b64encode(f"cli_x:{secret}".encode()).decode()


def test_twin_a_column_in_plain_text_is_found(street: Town, log: io.StringIO) -> None:
    life = Life(street, log)
    with street.gateway.store.transaction() as tx:
        tx.run(
            "UPDATE tenants SET name = :name WHERE id = :id",
            name=street.house.web_secret.reveal(),
            id=street.house.tenant.id,
        )
    assert any("file connector.db" in hit for hit in life.found(""))
