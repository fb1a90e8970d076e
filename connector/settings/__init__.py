"""What an operator may set, read once at the start and frozen.

Owns the settings file, its overrides from the environment, and the way to the data that ships with
the product (`shipped`). Nothing else reads `CONNECTOR_…` variables or `connector.toml`. Every refusal is
a `Misconfigured` whose hint says how to mend it, and no message shows a value that may be secret.
"""

from connector.settings.key_sources import VaultSettings
from connector.settings.load import development, find, load
from connector.settings.mail import SmtpSettings
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
)
from connector.settings.recipients import Affiliate, Agent, Outsider
from connector.settings.shipped import shipped

__all__ = [
    "Affiliate",
    "Agent",
    "ControllerSettings",
    "DatabaseSettings",
    "EgressSettings",
    "FacebookSettings",
    "LogSettings",
    "NoticeWindows",
    "Outsider",
    "PolicySettings",
    "ProviderSettings",
    "RedisSettings",
    "Retention",
    "ServerSettings",
    "Settings",
    "SmtpSettings",
    "VaultSettings",
    "development",
    "find",
    "load",
    "shipped",
]
