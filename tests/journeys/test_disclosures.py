"""What goes to somebody outside: only with a name that answers for it, as the policy allows, and the person is told."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector import inbox
from connector.cli import disclosures as command
from connector.cli import session
from connector.flows import hand_outside as handing
from connector.flows import import_records, post_notices
from connector.flows.edit_profile import edit_profile
from connector.flows.erase import delete_user
from connector.flows.explain_flows import flows_of
from connector.flows.hand_everybody import hand_everybody
from connector.flows.hand_outside import hand_outside
from connector.flows.outside_notices import announce_outside
from connector.flows.outside_requests import Request
from connector.flows.own_records import put_note
from connector.inbox import Toward
from connector.model.errors import BadInput, Forbidden, RefusedByPolicy
from connector.model.states import Ended
from connector.model.tags import Notice
from connector.people import everybody
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import api_token, bearer
from tests.journeys.test_notices import PARTNER, api, portal
from tests.signing_up import Town, make_town

NOTE = "canary note owes me forty"
PRINTER = {
    "name": "printer",
    "title": "Print Ltd",
    "fields": ["name", "nicknames"][:1],
    "purposes": ["service", "contact"],
    "contact": "privacy@print.example",
    "contract": "DPA-7",
    "since": "2020-01-01",
}
COURT = Request("authority", "court", ("name", "emails"), "Grace Hopper", "court order", "case 12/26")
BUYER = replace(COURT, recipient="acquirer", name="buyer", reason="sale of the business", reference="deal 4")
AGENT = replace(COURT, recipient="agent", name="printer", fields=("name",), reason="print cards", reference="job 9")
AFFILIATE = replace(COURT, recipient="affiliate", name="partner", fields=("name",), reason="order", reference="order 3")
DAY_MS = 86_400_000


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    sections: Any = {"affiliates": [PARTNER], "agents": [PRINTER]}
    return make_town(tmp_path, store, clock, **sections)


@pytest.fixture
def sub(town: Town) -> str:
    found = str(town.sign_up("ada")["claims"]["sub"])
    while import_records.step(town.gateway):
        pass
    edit_profile(town.gateway, town.house.web, found, {"name": {"full": "Ada Typed"}})
    contact = next(row for row in town.rows("cards") if row["kind"] == "contact")
    put_note(town.gateway, town.house.web, found, contact["id"], NOTE)
    return found


def give(town: Town, sub: str, request: Request = COURT) -> handing.Handed:
    return hand_outside(town.gateway, town.house.tenant.id, sub, request)


def said(handed: handing.Handed) -> set[str]:
    return {one["source"] for one in handed.document["values"]}


def announced(town: Town, to: tuple[str, str]) -> None:
    announce_outside(town.gateway, town.house.tenant.id, to, "What will happen", ["In words."], 0)
    while post_notices.spread(town.gateway):
        pass


def stance(town: Town, sub: str, toward: Toward, name: str, what: Any) -> None:
    with town.gateway.store.transaction() as tx:
        inbox.take(tx, town.gateway.vault, town.house.tenant.id, sub, toward, name, what, by="subject")


def test_an_authority_gets_the_named_fields_and_the_person_learns_who_answers_for_it(town: Town, sub: str) -> None:
    handed = give(town, sub)
    values = handed.document["values"]
    names = {one["source"]: str(one["value"]) for one in values if one["pointer"] == "/name"}
    assert "Ada Typed" in names["given"]
    assert all(one["pointer"].startswith(("/name", "/nicknames", "/emails")) for one in values)
    entries = [entry for entry in town.entries("release") if entry["recipient"] == "authority"]
    assert {entry["clause"] for entry in entries} == {"3d"}
    assert sum(entry["count"] for entry in entries) == handed.count == len(handed.document["values"])
    (notice,) = api(town, "GET", f"/v1/inbox?user={sub}").json["items"]
    assert "Grace Hopper answers for it. Reason: court order. Reference: case 12/26." in notice["paragraphs"]
    listed = api(town, "GET", f"/v1/users/{sub}/disclosures").json["items"]
    assert {one["recipient"] for one in listed if one.get("release") == handed.release_id} == {"court"}
    browser, _ = portal(town, sub)
    assert "court" in browser.get("/portal/disclosures").text
    assert "Given outside" in browser.get("/portal/receipts").text


@pytest.mark.parametrize("lacking", ["approver", "reason", "reference", "fields"])
def test_nothing_goes_without_a_name_a_reason_a_reference_and_a_list(town: Town, sub: str, lacking: str) -> None:
    empty: Any = () if lacking == "fields" else " "
    with pytest.raises(BadInput):
        give(town, sub, replace(COURT, **{lacking: empty}))
    assert town.rows("releases") == []


def test_the_ledger_comes_first_so_what_cannot_be_written_down_does_not_go(
    town: Town, sub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    true_open = handing._opened

    def fails(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(handing, "append_all", fails)
    monkeypatch.setattr(handing, "_opened", lambda *given: opened.append("x") or true_open(*given))
    with pytest.raises(ConnectionError):
        give(town, sub)
    assert opened == []
    assert town.rows("releases") == []


def test_what_the_law_keeps_silent_is_told_on_the_day_it_ends_and_nowhere_before(
    town: Town, sub: str, clock: ManualClock
) -> None:
    until = clock.now() + 10 * DAY_MS
    handed = give(town, sub, replace(COURT, silent_until=until, silent_because="section 7"))
    browser, _ = portal(town, sub)
    export = api(town, "POST", f"/v1/users/{sub}/export")
    for before in (
        api(town, "GET", f"/v1/inbox?user={sub}").text,
        api(town, "GET", f"/v1/users/{sub}/disclosures").text,
        browser.get("/portal/disclosures").text,
        browser.get("/portal/receipts").text,
        browser.get("/portal/inbox").text,
        str(unzipped(export.data)),
    ):
        assert "court" not in before
        assert handed.release_id not in before
    post_notices.send_letters(town.gateway)
    assert [row["state"] for row in town.rows("mails")] == ["queued"]
    clock.advance(hours=10 * 24 + 1)
    (notice,) = api(town, "GET", f"/v1/inbox?user={sub}").json["items"]
    assert "section 7" in notice["paragraphs"][-1]
    assert handed.release_id in api(town, "GET", f"/v1/users/{sub}/disclosures").text
    browser, _ = portal(town, sub)
    assert "Given outside" in browser.get("/portal/receipts").text
    assert "court order" in str(unzipped(api(town, "POST", f"/v1/users/{sub}/export").data))


def unzipped(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize(
    "request_", [replace(COURT, silent_until=1), replace(AGENT, silent_until=2**45, silent_because="x")]
)
def test_silence_needs_a_law_a_day_to_come_and_an_authority(town: Town, sub: str, request_: Request) -> None:
    with pytest.raises(BadInput, match=r"law|authority"):
        give(town, sub, request_)


def test_an_agent_gets_the_fields_of_its_contract_and_no_others(town: Town, sub: str) -> None:
    handed = give(town, sub, AGENT)
    assert handed.document["contract"] == "DPA-7"
    assert {one["clause"] for one in handed.document["values"]} == {"3b"}
    for beyond in (
        replace(AGENT, fields=("emails",)),
        replace(AGENT, name="stranger"),
        replace(AGENT, purpose="account"),
    ):
        with pytest.raises(Forbidden):
            give(town, sub, beyond)


def test_an_objection_keeps_everything_from_an_agent_until_it_is_taken_back(town: Town, sub: str) -> None:
    browser, token = portal(town, sub)
    data = {"form_token": token, "toward": "agent", "name": "printer", "stance": "no"}
    assert browser.post("/portal/stances", data=data).status_code == 303
    with pytest.raises(RefusedByPolicy) as refused:
        give(town, sub, AGENT)
    assert refused.value.clause == "3e"
    browser.post("/portal/stances", data=data | {"stance": "none"})
    assert give(town, sub, AGENT).count


def test_an_affiliate_takes_part_only_where_the_person_let_it_and_gets_what_they_typed(town: Town, sub: str) -> None:
    with pytest.raises(RefusedByPolicy):
        give(town, sub, AFFILIATE)
    stance(town, sub, Toward.AFFILIATE, "partner", "yes")
    assert said(give(town, sub, AFFILIATE)) == {"given"}
    stance(town, sub, Toward.AFFILIATE, "", "no")  # as Global Privacy Control says it
    with pytest.raises(RefusedByPolicy) as refused:
        give(town, sub, AFFILIATE)
    assert refused.value.clause == "3e"


def test_sharing_with_notice_begins_when_the_window_is_over_and_ends_with_an_objection(
    town: Town, sub: str, clock: ManualClock
) -> None:
    greeting = replace(AFFILIATE, purpose="personalise")
    assert not allowed(town, sub, greeting)
    announced(town, ("affiliate", "partner"))
    clock.advance(hours=29 * 24)
    assert not allowed(town, sub, greeting)
    clock.advance(hours=2 * 24)
    assert allowed(town, sub, greeting)
    (item,) = [one for one in api(town, "GET", f"/v1/inbox?user={sub}").json["items"] if one["kind"] == "sharing"]
    assert api(town, "POST", f"/v1/inbox/{item['id']}/objection").status_code == 200
    assert not allowed(town, sub, greeting)


def allowed(town: Town, sub: str, request: Request) -> bool:
    try:
        return give(town, sub, request).count > 0
    except RefusedByPolicy:
        return False


def test_a_transfer_goes_on_the_day_after_the_window_without_who_objected_or_left(
    town: Town, sub: str, clock: ManualClock
) -> None:
    bo, cy = (str(town.sign_up(person)["claims"]["sub"]) for person in ("bo", "cy"))
    tenant = town.house.tenant.id
    while import_records.step(town.gateway):
        pass

    def transferred() -> set[str]:
        with town.gateway.store.read() as tx:
            subs = everybody(tx, tenant)
        found = zip(subs, hand_everybody(town.gateway, tenant, subs, BUYER), strict=True)
        return {one for one, handed in found if handed is not None}

    announced(town, ("acquirer", "buyer"))
    clock.advance(hours=29 * 24)
    assert transferred() == set()
    delete_user(town.gateway, tenant, cy, Ended.PERSON)
    stance(town, bo, Toward.TRANSFER, "buyer", "no")
    clock.advance(hours=2 * 24)
    assert transferred() == {sub}


def test_twin_without_looking_at_notices_a_transfer_goes_on_the_first_day(
    town: Town, sub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not allowed(town, sub, BUYER)
    monkeypatch.setattr(handing, "notice_toward", lambda *_: Notice.CLEAR)
    assert allowed(town, sub, BUYER)


@pytest.mark.parametrize("request_", [AGENT, AFFILIATE, BUYER, COURT])
def test_a_note_goes_to_no_agent_and_no_affiliate_whatever_is_asked_for(
    town: Town, sub: str, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "checked", lambda *_: None)  # as if the settings named notes
    monkeypatch.setattr(handing, "notice_toward", lambda *_: Notice.CLEAR)
    stance(town, sub, Toward.AFFILIATE, "partner", "yes")
    handed = None
    with pytest.raises(RefusedByPolicy) if request_ in {AGENT, AFFILIATE} else nothing():
        handed = give(town, sub, replace(request_, fields=("notes",)))
    assert (handed is None) == (request_ in {AGENT, AFFILIATE})


def nothing() -> Any:
    return nullcontext()


def test_the_command_writes_a_file_for_one_pair_of_eyes_and_refuses_with_the_clause(
    town: Town, sub: str, tmp_path: Path, run_here: Callable[..., Any]
) -> None:
    out = tmp_path / "given" / "court.json"
    words = ["release", "--to", "authority:court", "--user", sub, "--fields", "name", "--approver", "Grace Hopper"]
    words += ["--reason", "court order", "--reference", "case 12/26", "--json"]
    done = run_here(command.disclosures, *words, "--out", str(out))
    assert done.exit_code == 0, done.output
    assert out.stat().st_mode & 0o077 == 0
    assert json.loads(out.read_text())["approver"] == "Grace Hopper"
    again = run_here(command.disclosures, *words, "--out", str(out))
    assert "is there already" in str(again.exception.hint)
    words[2] = "acquirer:buyer"
    refused = run_here(command.disclosures, *words, "--out", str(tmp_path / "buyer.json"))
    assert isinstance(refused.exception, RefusedByPolicy)
    assert refused.exception.clause == "3c"
    assert not (tmp_path / "buyer.json").exists()


@pytest.fixture
def run_here(town: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command over this town's gateway, in this process."""
    return at_the_desk(town, monkeypatch)


def at_the_desk(town: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The same, for whoever has a town."""
    monkeypatch.setattr(session.Session, "gateway", town.gateway)
    monkeypatch.setattr(session.Session, "store", town.gateway.store)
    monkeypatch.setattr(session.Session, "vault", town.gateway.vault)
    monkeypatch.setattr(session, "quiet_logs", lambda: None)
    return lambda group, *words: CliRunner().invoke(group, list(words))


def test_another_tenants_app_sees_nothing_of_a_release(town: Town, sub: str) -> None:
    give(town, sub)
    rival = bearer(api_token(town.app, town.house.other, town.house.other_secret))
    assert town.app.test_client().get(f"/v1/inbox?user={sub}", headers=rival).status_code == 404


def test_what_is_explained_of_those_outside_is_what_they_get(town: Town, sub: str) -> None:
    def is_open(flow: str, to: str) -> bool:
        views = {one.flow: one for one in flows_of(town.gateway, town.house.tenant.id, sub, action="share")}
        cases = [case for case in views[flow].cases if case.what.endswith(f", to {to}") and case.source == "given"]
        (found,) = {case.open for case in cases if case.category == "profile"}
        return found

    assert (is_open("share agent service", "Print Ltd"), is_open("share affiliate service", "Partner Shop")) == (
        True,
        False,
    )
    stance(town, sub, Toward.AFFILIATE, "partner", "yes")
    stance(town, sub, Toward.AGENT, "printer", "no")
    assert (is_open("share agent service", "Print Ltd"), is_open("share affiliate service", "Partner Shop")) == (
        False,
        True,
    )
    assert give(town, sub, AFFILIATE).count == 1
    with pytest.raises(RefusedByPolicy):
        give(town, sub, AGENT)


def test_a_release_of_nothing_is_no_release(town: Town, sub: str) -> None:
    assert give(town, sub, replace(COURT, fields=("addresses",))).count == 0
    assert town.rows("releases") == []
