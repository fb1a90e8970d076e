"""What an operator may set, read once at the start and frozen.

Owns the settings file, its overrides from the environment, and the way to the data that ships with
the product (`shipped`). Nothing else reads `CONNECTOR_…` variables or `connector.toml`. Every refusal is
a `Misconfigured` whose hint says how to mend it, and no message shows a value that may be secret.
"""

from connector.settings.load import development, find, load
from connector.settings.models import (
    ControllerSettings,
    DatabaseSettings,
    EgressSettings,
    FacebookSettings,
    LogSettings,
    NoticeWindows,
    PolicySettings,
    ProviderSettings,
    RedisSettings,
    Retention,
    ServerSettings,
    Settings,
    VaultSettings,
)
from connector.settings.shipped import shipped

__all__ = [
    "ControllerSettings",
    "DatabaseSettings",
    "EgressSettings",
    "FacebookSettings",
    "LogSettings",
    "NoticeWindows",
    "PolicySettings",
    "ProviderSettings",
    "RedisSettings",
    "Retention",
    "ServerSettings",
    "Settings",
    "VaultSettings",
    "development",
    "find",
    "load",
    "shipped",
]
