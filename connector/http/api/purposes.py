"""The purpose of a read, as a request names it."""

from __future__ import annotations

from connector.clients import Client
from connector.model.errors import BadInput
from connector.model.tags import Purpose, UnknownWord


def purpose_of(client: Client, named: str | None) -> Purpose:
    """The purpose that was named, else the client's first. Raises BadInput for an unknown word."""
    try:
        return Purpose(named or client.default_purpose)
    except UnknownWord as error:
        raise BadInput("unknown_purpose", f"purpose is one of: {', '.join(error.known)}.") from None
