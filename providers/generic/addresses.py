"""An entry's addresses for one integration: places filled with the operator's values, checked once more.

The pattern of the entry is held here again, whatever was stored: a value that does not fit sends nothing anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from providers.capabilities import Registration
from providers.entries.addresses import fill, fits, places
from providers.entries.values import Entry
from providers.errors import ProviderError


def endpoint(entry: Entry, registration: Registration, address: str) -> str:
    """The address as this integration asks it; in development a stand-in's, where the settings name one.

    Raises:
        ProviderError: misconfigured, where a value is missing or does not fit its pattern.
    """
    if not address:
        return ""
    filled = fill(address, _values(entry, registration, address))
    stand_in = registration.settings.get("base_url", "") if registration.development else ""
    return stand_in.rstrip("/") + urlsplit(filled).path if stand_in else filled


def issuer(entry: Entry, registration: Registration) -> str:
    """The issuer of accounts there: with a customer's own host, that customer's. Raises ProviderError as `endpoint`."""
    filled = fill(entry.issuer, _values(entry, registration, entry.issuer))
    stand_in = registration.settings.get("base_url", "") if registration.development else ""
    return stand_in.rstrip("/") if stand_in and entry.protocol == "openid" else filled


def constants(table: Mapping[str, str], registration: Registration) -> list[tuple[str, str]]:
    """Constant parameters with the registration's own values in them."""
    own = {"client_id": registration.client_id, "redirect_uri": registration.redirect_uri}
    return [(name, fill(value, own)) for name, value in table.items()]


def _values(entry: Entry, registration: Registration, address: str) -> dict[str, str]:
    values = {"client_id": quote(registration.client_id, safe="")}
    for name in places(address):
        if name not in entry.parameters:
            continue
        one = entry.parameters[name]
        value = registration.settings.get(name, "") or one.default
        if not fits(one, value):
            raise ProviderError(
                "misconfigured",
                "setting_unusable",
                f"The integration's setting {name} is missing or unusable; set one such as {one.example}.",
            )
        values[name] = value
    return values
