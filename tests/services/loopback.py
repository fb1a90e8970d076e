"""Sockets to this machine, for tests that say so, and WSGI applications served on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from werkzeug.serving import make_server

HOSTS = ["127.0.0.1", "::1"]
_MARKERS = ("loopback", "browser", "node")
_FIXTURES = {"loopback_server", "oidc_provider", "start_oidc_provider", "openid_client", "browser", "page"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked for loopback, or asking for a fixture that needs it, may connect to this machine alone."""
    for item in items:
        marked = any(item.get_closest_marker(name) for name in _MARKERS)
        if marked or _FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.allow_hosts(HOSTS))


@contextmanager
def serving(app: Any, *, port: int = 0) -> Iterator[str]:
    """`app` (WSGI) served by threads on 127.0.0.1; yields its base URL. Port 0 is any free one."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()


@pytest.fixture
def loopback_server() -> Iterator[Callable[..., str]]:
    """A function that serves a WSGI application until the test ends, and answers its base URL."""
    with ExitStack() as servers:
        yield lambda app, port=0: servers.enter_context(serving(app, port=port))
