"""A long mixed journey: each request about a person has one entry, each entry its request, and a note goes nowhere."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from connector import logs
from connector.flows import revoke
from connector.flows.evidence import sign_ledger
from connector.ledger import Entry, verify
from connector.model.states import Ended
from connector.settings import LogSettings
from providers.exchange import Request
from tests.attacks.canaries import Canaries
from tests.gateways import api_token, bearer
from tests.proofs.street import Street, dump, street

pytestmark = pytest.mark.loopback

NOTE = "canary-note-owes-me-forty"
NAME, MAIL, PHONE = "Canaria Wintergreen", "canary.mail@example.net", "+45 55 55 77 01"
MERGE = "application/merge-patch+json"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before, stream = structlog.get_config(), io.StringIO()
    logs.configure(LogSettings(format="json", level="debug"), stream)
    yield stream
    structlog.configure(**before)


@pytest.fixture
def here(tmp_path, store, clock, monkeypatch) -> Iterator[Street]:
    with street(tmp_path, store, clock, monkeypatch) as made:
        yield made


class Journey:
    """What two people, an app and a worker do in some days."""

    def __init__(self, here: Street) -> None:
        self.here = here
        self.canaries = Canaries()
        self.others: list[bytes] = []  # what the other person gets to see

    def api(self, method: str, path: str, **more: Any) -> Any:
        house = self.here.house
        headers = bearer(api_token(self.here.app, house.web, house.web_secret)) | more.pop("headers", {})
        return self.here.app.test_client().open(path, method=method, headers=headers, **more)

    def fresh(self, connection: str) -> int:
        house = self.here.house
        headers = bearer(api_token(self.here.app, house.worker, house.worker_secret))
        answer = self.here.app.test_client().post(f"/v1/connections/{connection}/token", headers=headers)
        if answer.status_code == 200:
            self.canaries.mark("provider token", answer.json["access_token"])  # type: ignore[index]
        return answer.status_code

    def happens(self) -> None:
        here, clock = self.here, self.here.gateway.clock
        first = here.joins("rehearsal", "ada", push=("name", "emails"))
        self.ada, mine = first["claims"]["sub"], first["connection"]
        links = {name: here.joins(name, sub=self.ada)["connection"] for name in ("google", "facebook")}
        links["github"] = here.joins("github", sub=self.ada, push=("name", "about"))["connection"]
        other = here.joins("rehearsal", "bo")
        self.bo = other["claims"]["sub"]
        here.work()
        self.refusals()
        self.typing()
        here.work()
        for connection in (mine, *links.values(), other["connection"]):
            assert self.fresh(connection) == 200
        clock.advance(hours=2)  # type: ignore[attr-defined]  # the test's own clock
        for connection in (mine, links["google"]):
            assert self.fresh(connection) == 200
        self.troubles(mine)
        self.looking()
        self.leaving(links)

    def refusals(self) -> None:
        """Sign-ups that fail late: the provider was asked all the same."""
        here = self.here
        started, query = here.pushed(integration=here.integrations["google"].id, link_user=self.bo)
        back = here.to_app(here.browser(), query)
        assert here.redeem(back, started, link_user=self.bo).json["code"] == "account_already_linked"  # type: ignore[index]
        here.provider_fails({"endpoint": "token", "kind": "hang_up_after", "count": 1})
        started, query = here.pushed(integration=here.integrations["rehearsal"].id)
        assert here.redeem(here.to_app(here.browser(), query, "kim"), started).status_code == 400
        here.provider_fails()

    def typing(self) -> None:
        patch = {"name": {"full": NAME}, "emails": {"m1": {"address": MAIL}}, "phones": {"p1": {"number": PHONE}}}
        path = f"/v1/users/{self.ada}"
        assert self.api("PATCH", f"{path}/profile", data=json.dumps(patch), content_type=MERGE).status_code == 200
        cards = self.api("GET", f"{path}/contacts?purpose=service").json["items"]
        noted = self.api("PUT", f"{path}/contacts/{cards[0]['id']}/note", json={"note": NOTE})
        assert noted.status_code < 300, noted.text
        self.canaries.mark("note", NOTE)

    def troubles(self, mine: str) -> None:
        """Refresh, import and push, each failing in several ways and tried again."""
        here, clock = self.here, self.here.gateway.clock
        unwell = ({"kind": "status", "status": 503}, {"kind": "hang_up_after"}, {"kind": "hang_up_before"})
        for fault in unwell:
            clock.advance(hours=2)  # type: ignore[attr-defined]  # the test's own clock
            here.provider_fails({"endpoint": "token", **fault, "count": 1})
            assert self.fresh(mine) in {200, 503}
            here.provider_fails({"endpoint": "me", **fault, "count": 1}, {"endpoint": "contacts", **fault, "count": 1})
            self.api("POST", f"/v1/connections/{mine}/imports")
            patch = json.dumps({"name": {"full": f"{NAME} {fault['kind']}"}})
            self.api("PATCH", f"/v1/users/{self.ada}/profile", data=patch, content_type=MERGE)
            for _ in range(4):
                here.work()
                clock.advance(minutes=40)  # type: ignore[attr-defined]  # past every pause
        here.provider_fails()
        clock.advance(days=1)  # type: ignore[attr-defined]  # past every pause
        here.work()

    def looking(self) -> None:
        """What the other person gets: profile, contacts, choices, who got what, and their export."""
        for what in ("profile?purpose=service", "contacts?purpose=service", "consents", "disclosures", "deliveries"):
            answer = self.api("GET", f"/v1/users/{self.bo}/{what}")
            assert answer.status_code == 200, answer.text
            self.others.append(answer.data)
        self.others.append(self.api("GET", "/v1/changes?purpose=service").data)
        with zipfile.ZipFile(io.BytesIO(self.api("POST", f"/v1/users/{self.bo}/export").data)) as exported:
            self.others += [exported.read(name) for name in exported.namelist()]
        self.rows = dump(self.here.gateway.store)  # while everything is there
        mine = self.api("POST", f"/v1/users/{self.ada}/export")
        assert NOTE.encode() in b"".join(_files(mine.data))  # its owner has it

    def leaving(self, links: dict[str, str]) -> None:
        here, clock = self.here, self.here.gateway.clock
        here.provider_fails({"endpoint": "revoke", "kind": "status", "status": 503, "count": 1})
        for connection in links.values():
            revoke.revoke(here.gateway, here.house.tenant.id, connection, by=Ended.PERSON)
        here.work()
        assert self.api("DELETE", f"/v1/users/{self.ada}").status_code < 300
        for _ in range(3):
            here.work()
            clock.advance(hours=3)  # type: ignore[attr-defined]  # past every pause


def _files(zipped: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(zipped)) as exported:
        return [exported.read(name) for name in exported.namelist()]


def test_every_request_has_its_entry_and_a_note_goes_nowhere(here, log, tmp_path):
    journey = Journey(here)
    journey.happens()
    received = here.received()
    assert here.unmatched() == ({}, {})
    assert {provider for provider, _ in received} == {"rehearsal", "google", "facebook", "github"}
    assert {status for _, status in received} >= {None, 200, 503}
    assert received.total() > 60

    # Push: each change that took effect at a provider was announced first, and once.
    written = [one for one in here.entries("push_outcome") if one["outcome"] == "written"]
    effects = [one for one in here.rehearsal.extensions["rehearsal"].oracle.report()["writes"] if one["effect"]]
    bodies = here.apps[here.bases["github"].removeprefix("http://")].extensions["state"].bodies
    assert len(effects) + len(bodies) == len(written) > 3
    announced = {(one["delivery"], one["attempt"]) for one in here.entries("push_intent")}
    outcomes = [(one["delivery"], one["attempt"]) for one in here.entries("push_outcome")]
    assert announced == set(outcomes)
    assert len(outcomes) == len(set(outcomes))

    # The ledger: whole after an erasure, and about nobody.
    with here.gateway.store.transaction() as tx:
        sign_ledger(here.gateway, tx)
        report = verify(tx)
    assert (report.problem, report.unanswered, report.waiting) == (None, (), 0)
    canaries = journey.canaries
    canaries.mark("person", NAME, MAIL, PHONE, "ada@example.org", "Lindqvist", journey.ada, journey.bo)
    canaries.mark("account", "110169484474386276334", "10158000000000001", "90071992547409931")
    assert [hit for leaf in here.leaves() for hit in canaries.hits("a leaf", leaf.encode())] == []

    # The note: in no request, log, row, and with nobody else.
    note = Canaries({NOTE: "note"})
    places = {
        "requests": b"\n".join(one.raw for one in here.seen),
        "log": log.getvalue().encode(),
        "rows": journey.rows + dump(here.gateway.store),
        "what others see": b"\n".join(journey.others),
        "files": b"\n".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()),
    }
    assert [hit for where, data in places.items() for hit in note.hits(where, data)] == []
    assert all(len(data) > 1_000 for data in places.values())


@pytest.fixture
def signed_up(here) -> Street:
    here.joins("rehearsal", "ada", push=("name",))
    here.work()
    assert here.unmatched() == ({}, {})
    return here


def test_twin_a_request_sent_around_the_door_is_noticed(signed_up):
    here = signed_up
    body = json.dumps({"bio": "sent by another way"}).encode()
    (token,) = here.rehearsal.extensions["rehearsal"].access
    request = urllib.request.Request(f"{here.bases['rehearsal']}/me", body, bearer(token), method="PATCH")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=5):  # noqa: S310  loopback
        pass
    without_entry, without_request = here.unmatched()
    assert (without_entry.total(), without_request) == (1, {})


def test_twin_a_request_through_the_door_that_nobody_enters_is_noticed(signed_up):
    here = signed_up
    here.gateway.egress.send(Request("GET", f"{here.bases['rehearsal']}/me"), provider="rehearsal")
    assert here.unmatched() == ({("rehearsal", 401): 1}, {})


def test_twin_an_entry_without_a_request_is_noticed(signed_up):
    here = signed_up
    facts = {"integration": here.integrations["google"].id, "outcome": "answered", "http_status": 200}
    here.enter(Entry("provider_request", here.house.tenant.id, None, facts))
    assert here.unmatched() == ({}, {("google", 200): 1})


def test_twin_a_note_that_is_sent_on_is_found(signed_up):
    here = signed_up
    request = Request("POST", f"{here.bases['rehearsal']}/me", body=f"about={NOTE}".encode())
    here.gateway.egress.send(request, provider="rehearsal")
    assert Canaries({NOTE: "note"}).hits("requests", b"\n".join(one.raw for one in here.seen))
