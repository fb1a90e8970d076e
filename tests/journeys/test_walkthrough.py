"""The demonstration plays the whole story between real processes, and its example app works in front of them."""

from __future__ import annotations

import re
import time

import pytest
import requests

from connector.demo import story as stories
from connector.demo import walkthrough
from connector.demo.actors import Surprise
from connector.demo.browser import Browser
from connector.demo.example_app import create_example_app
from connector.demo.stage import set_up
from tests.services.loopback import serving

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def stage():
    with set_up(lambda _: None) as made:
        yield made


def test_every_step_of_the_story_holds(stage):
    story = stories.Story.on(stage)
    for step in walkthrough.STEPS:
        assert step.act(story), step.title


def test_a_step_whose_promise_is_broken_does_not_hold(stage):
    """The twin: the provider hears of the revocation from nobody, and the story stops there."""
    story = stories.Story.on(stage)
    story.connection = "con_nobody"
    with pytest.raises(Surprise, match="202 with a receipt"):
        walkthrough.revoked(story)
    with pytest.raises(Surprise, match="a token by token exchange"):
        walkthrough.token(story)


@pytest.fixture
def shop(stage):
    """The example app, served where its redirect URI says, and a person's browser that goes everywhere."""
    port = int(stage.app.rpartition(":")[2])
    with serving(create_example_app(stage), port=port):
        yield Browser("http://nowhere.invalid")


def signed_up(shop, stage, *ticked: str, person: str = "bo"):
    page = shop.open(f"{stage.app}/sign-up")
    if not page.url.startswith(stage.rehearsal):
        form = page.forms[0]
        form.choose("push", *ticked)
        if form.options("age"):
            form.choose("age", "yes")
        page = shop.send(page, form, action="go")
    page.forms[0].choose("person", person)
    return shop.send(page, page.forms[0], decision="approve")


def pressed(shop, stage, action: str, **fields: str):
    page = shop.open(f"{stage.app}/")
    form = next(one for one in page.forms if one.action == action and set(fields.items()) <= set(one.data()))
    return shop.send(page, form)


def test_the_example_app_signs_up_shows_pushes_takes_tokens_and_revokes(shop, stage):
    page = signed_up(shop, stage, "phones")
    assert page.url == f"{stage.app}/"
    assert "Bo Jansen" in page.text
    page = stories.eventually(lambda: imported(shop, stage), "the import on the page")
    assert "imported" in page.text
    form = next(one for one in page.forms if one.action == "/phone")
    next(iter(form.options("number"))).value = "+46 8 555 0123"
    assert "Saved." in shop.send(page, form).text
    assert stories.eventually(lambda: written(stage, "bo"), "the number at Rehearsal")
    assert "got a token for service" in pressed(shop, stage, "/token", purpose="service").text
    assert re.search(r"no token for sell.*clause 3", pressed(shop, stage, "/token", purpose="sell").text)
    assert "withheld" in shop.open(f"{stage.app}/?purpose=sell").text
    assert pressed(shop, stage, "/portal").url.startswith(f"{stage.gateway}/portal")
    assert "Revoked." in pressed(shop, stage, "/revoke").text


def imported(shop, stage):
    page = shop.open(f"{stage.app}/")
    return page if "/name" in page.text else None


def written(stage, person: str) -> list:
    log = requests.get(f"{stage.rehearsal}/_control/log", timeout=5).json()
    return [one for one in log["writes"] if one["person"] == person and one["effect"]]


def test_a_person_who_says_no_comes_back_to_the_app_with_a_sentence(shop, stage):
    page = shop.open(f"{stage.app}/sign-up")
    if page.url.startswith(stage.rehearsal):
        page = shop.send(page, page.forms[0], decision="deny")
    else:
        page = shop.send(page, page.forms[0], action="cancel")
    assert page.status == 400
    assert "Sign up with Rehearsal" in page.text


def test_nothing_of_the_stage_is_left_behind():
    with set_up(lambda _: None) as made:
        folder, gateway = made.folder, made.gateway
        assert requests.get(f"{gateway}/healthz", timeout=5).ok
    assert not folder.exists()
    assert soon_silent(gateway)


def soon_silent(gateway: str, within_s: float = 20.0) -> bool:
    """Whether nobody answers there any more. On a busy machine a listener may outlive its parent by a moment."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            requests.get(f"{gateway}/healthz", timeout=5)
        except requests.ConnectionError:
            return True
        time.sleep(0.1)
    return False
