"""`openid-client` from npm as a web app that signs people up, knowing nothing of us but the standards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.node import NodeScript


class OpenidClient:
    """One sign-up under way."""

    def __init__(self, script: NodeScript) -> None:
        self.script = script
        said = script.hear()
        self.refusal: dict[str, Any] | None = said.get("error")
        self.authorization_url: str = said.get("authorization_url", "")

    def redeem(self, came_back_to: str) -> dict[str, Any]:
        """Hand over where the browser came back to: `tokens` and `claims`, or `error`."""
        self.script.say(came_back_to)
        return self.script.hear()


@pytest.fixture
def openid_client(node_peers: Path) -> Iterator[Callable[..., OpenidClient]]:
    """A function that begins a sign-up with options of `openid-client.mjs`."""
    with ExitStack() as running:

        def begin(**options: Any) -> OpenidClient:
            script = NodeScript("openid-client.mjs", options)
            running.enter_context(closing(script))
            return OpenidClient(script)

        yield begin
