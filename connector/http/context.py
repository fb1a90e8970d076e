"""What a request may ask for: the gateway's parts, its own id, its caller."""

from __future__ import annotations

from typing import cast

from flask import current_app, g

from connector.clients import Caller
from connector.flows.gateway import Gateway

EXTENSION = "account_connector"


def gateway() -> Gateway:
    """The parts that `app` built."""
    return cast("Gateway", current_app.extensions[EXTENSION])


def request_id() -> str:
    """The id that stands in the log lines and the answer of this request."""
    return cast("str", g.get("request_id", ""))


def caller() -> Caller:
    """Who asks, in a view behind `authentication.needs`."""
    return cast("Caller", g.caller)
