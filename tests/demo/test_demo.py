"""What the demonstration is made of: a browser that reads forms as one does, and a story that can fail."""

from __future__ import annotations

import io

import pytest
from click.testing import CliRunner
from rich.console import Console

from connector.cli import main
from connector.demo import run
from connector.demo.actors import Surprise, hold
from connector.demo.browser import Browser, Page
from connector.demo.example_app import in_words, told_by
from connector.demo.stage import StageFailed, environment, free_ports
from connector.demo.walkthrough import STEPS, Step

FORM = b"""<form method="post" action="/answer"><input type="hidden" name="token" value="t">
<input type="checkbox" name="push" value="phones"><input type="checkbox" name="push" value="emails" checked>
<input type="radio" name="age" value="yes"><input name="gone" value="x" disabled>
<button name="action" value="go">Go</button></form><style>p { color: red }</style><p>Words</p>"""


def page_of(loopback_server) -> tuple[Browser, Page, list[bytes]]:
    seen: list[bytes] = []

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/away":
            start_response("303 See Other", [("Location", "http://app.example/callback?code=c&state=s")])
            return [b""]
        seen.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        start_response("200 OK", [("Content-Type", "text/html")])
        return [FORM]

    browser = Browser("http://app.example/callback")
    return browser, browser.open(loopback_server(app)), seen


@pytest.mark.loopback
def test_a_form_sends_what_a_browser_would(loopback_server):
    browser, page, seen = page_of(loopback_server)
    form = page.forms[0]
    assert (page.text, form.action, form.method) == ("Go Words", "/answer", "post")
    assert form.data() == [("token", "t"), ("push", "emails")]
    form.choose("push", "phones")
    browser.send(page, form, action="go")
    assert seen[-1] == b"token=t&push=phones&action=go"


@pytest.mark.loopback
def test_what_a_page_does_not_offer_cannot_be_chosen(loopback_server):
    _, page, _ = page_of(loopback_server)
    with pytest.raises(LookupError, match="offers no push=pictures"):
        page.forms[0].choose("push", "pictures")


@pytest.mark.loopback
def test_the_browser_stops_at_the_apps_own_address(loopback_server):
    browser, page, _ = page_of(loopback_server)
    back = browser.open(f"{page.url}/away".replace("//away", "/away"))
    assert back.query == {"code": "c", "state": "s"}


def test_what_does_not_hold_says_what_was_expected_and_what_came():
    hold([1], "something")
    with pytest.raises(Surprise, match="Expected a clause; got none"):
        hold("", "a clause", "none")


def told(*steps: Step) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=100)
    results = [run._played(number, step, None, console) for number, step in enumerate(steps, start=1)]
    return all(results), console.file.getvalue()


def test_a_step_that_fails_is_told_with_what_was_expected():
    def broken(_story):
        raise Surprise("Expected a receipt; got nothing")

    held, words = told(Step("It works", lambda _: ["seen"]), Step("It breaks", broken))
    assert not held
    assert "✓  1 It works" in words
    assert "✗  2 It breaks" in words
    assert "Expected a receipt; got nothing" in words


def test_the_story_stops_at_the_first_step_that_fails(monkeypatch):
    played = []
    monkeypatch.setattr(run, "_played", lambda number, *_: played.append(number) or number < 2)
    monkeypatch.setattr(run.Story, "on", classmethod(lambda *_: None))
    assert not run._play(None, Console(file=io.StringIO()))
    assert played == [1, 2]


@pytest.mark.parametrize("held", [True, False])
def test_the_command_exits_0_only_if_every_step_held(monkeypatch, held):
    monkeypatch.setattr("connector.cli.demo.run_walkthrough", lambda _: held)
    assert CliRunner().invoke(main, ["demo", "--walkthrough"]).exit_code == (0 if held else 1)


def test_a_stage_that_does_not_come_up_is_a_sentence(monkeypatch):
    def broken(_tell):
        raise StageFailed("Rehearsal did not come up. It said: no")

    monkeypatch.setattr(run, "set_up", broken)
    for play in (run.run_walkthrough, run.run_demo):
        console = Console(file=io.StringIO(), width=100)
        assert not play(console)
        assert "Rehearsal did not come up" in console.file.getvalue()


def test_every_step_has_a_title_and_says_why_in_its_docstring():
    assert len({step.title for step in STEPS}) == len(STEPS)
    assert all(step.act.__doc__ for step in STEPS)


@pytest.mark.loopback
def test_ports_are_free_and_different():
    assert len(set(free_ports(5))) == 5


def test_settings_of_another_gateway_do_not_reach_the_stage(monkeypatch):
    monkeypatch.setenv("CONNECTOR_DATABASE__URL", "postgresql+psycopg://elsewhere")
    assert "CONNECTOR_DATABASE__URL" not in environment()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"full": "Ada Lindqvist", "components": []}, "Ada Lindqvist"),
        ({"components": [{"value": "Ada"}, {"value": "Lindqvist"}]}, "Ada Lindqvist"),
        ({"full": "", "components": [{"value": "Ada"}]}, "Ada"),
        ({"components": [{"value": "Ada"}, {"kind": "separator", "value": ", "}, {"value": "Berg"}]}, "Ada Berg"),
        ({"full": ""}, "…"),
        ({"number": "+46 8"}, "+46 8"),
        ({"kind": "birth", "date": {"year": 1988, "month": 12, "day": 1}}, "1988-12-01"),
        ({"unknown": 1}, "…"),
        ("plain", "plain"),
    ],
)
def test_the_example_app_shows_a_value_as_one_would_say_it(value, words):
    assert in_words(value) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"detail": "Refused by clause 3: Not sold.", "clause": "3"}, "Refused by clause 3: Not sold."),
        ({"error_description": "Not now.", "clause": "3"}, "Not now. (clause 3)"),
        ({"title": "Gone", "clause": ""}, "Gone"),
    ],
)
def test_a_clause_is_said_once(error, words):
    assert told_by(error) == words
