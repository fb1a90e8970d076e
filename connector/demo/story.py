"""What the walkthrough's steps hand on to each other, and how they look at what became of their acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connector.demo.actors import Rehearsal, Surprise, WebApp, Worker, hold
from connector.demo.browser import Browser, Page
from connector.demo.stage import Stage

T = TypeVar("T")
WITHIN_S = 30.0


@dataclass(slots=True)
class Story:
    """What the steps hand on to each other."""

    stage: Stage
    app: WebApp
    worker: Worker
    rehearsal: Rehearsal
    browser: Browser
    asked: dict[str, str] = field(default_factory=dict)
    page: Page | None = None
    sub: str = ""
    connection: str = ""
    token: str = ""
    receipt: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def on(cls, stage: Stage) -> Story:
        """The story's beginning."""
        return cls(
            stage, WebApp(stage, stage.web), Worker(stage, stage.worker), Rehearsal(stage), Browser(stage.callback)
        )


def eventually(look: Callable[[], T | None], what: str) -> T:
    """What `look` finds, waiting for background work. Raises Surprise."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Surprise(f"Expected {what} within {WITHIN_S:.0f} s; it did not come")
        time.sleep(0.2)


def profile_with(story: Story, *, at_least: str) -> dict[str, Any] | None:
    """The profile as the app reads it; None until `at_least` is there."""
    answer = story.app.call("GET", f"/v1/users/{story.sub}/profile", purpose="service")
    hold(answer.ok, "the profile", answer.text)
    found: dict[str, Any] = answer.json()
    return found if not at_least or at_least in found["card"] else None


def contacts(story: Story) -> list[dict[str, Any]] | None:
    """The contacts as the app reads them; None until there are some."""
    query = {"purpose": "service", "limit": "200"}
    answer = story.app.call("GET", f"/v1/users/{story.sub}/contacts", **query)
    hold(answer.ok, "the contacts", answer.text)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found or None


def delivered(story: Story) -> dict[str, Any] | None:
    """The delivery that is done; None until one is."""
    answer = story.app.call("GET", f"/v1/users/{story.sub}/deliveries")
    hold(answer.ok, "the deliveries", answer.text)
    listed: list[dict[str, Any]] = answer.json()["items"]
    return next((one for one in listed if one["state"] == "done"), None)


def final_receipt(story: Story) -> bytes | None:
    """The receipt's file; None until the provider was told."""
    answer = story.app.call("DELETE", f"/v1/connections/{story.connection}")  # idempotent; it names the newest receipt
    hold(answer.status_code == 202, "the same answer again", answer.text)  # noqa: PLR2004
    said = answer.json()
    if said["provider"] == "trying":
        return None
    hold(said["provider"] == "confirmed", "the provider's confirmation", said)
    file = story.app.call("GET", said["receipt"])
    hold(file.ok, "the receipt's file", file.text)
    return file.content
