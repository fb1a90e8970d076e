"""What every test may ask for. The fixtures live in `tests/services`, one file per server."""

pytest_plugins = [
    "tests.services.gaps",
    "tests.services.loopback",
    "tests.services.postgresql",
    "tests.services.redis",
    "tests.services.database",
    "tests.services.node",
    "tests.services.oidc_provider",
    "tests.services.openid_client",
    "tests.services.chromium",
]
