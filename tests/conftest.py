"""What every test may ask for. The fixtures live in `tests/services`, one file per server."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.services.gaps",
    "tests.services.loopback",
    "tests.services.applications",
    "tests.services.postgresql",
    "tests.services.redis",
    "tests.services.openbao",
    "tests.services.database",
    "tests.services.node",
    "tests.services.oidc_provider",
    "tests.services.openid_client",
    "tests.services.chromium",
]


@pytest.fixture(autouse=True)
def logging_as_it_is_by_default() -> Iterator[None]:
    """A test that sets up logging, as a process does at its start, leaves nothing of it to the next."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
