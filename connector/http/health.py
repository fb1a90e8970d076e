"""`/healthz`: the process answers. `/readyz`: it can do its work."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint

from connector.clients import tenant_named
from connector.http.context import gateway
from connector.http.operations import TEXT, an_object, operation
from connector.model.errors import ConnectorError
from vault import SERVES_WITHOUT_SERVICE_S

blueprint = Blueprint("health", __name__)

LONGEST_HOLD_S = 12.0  # a sign-up holds its answer while it asks whose it is, which has a deadline of 10 s
KEYS_FROM_MEMORY = "the key service does not answer; what is in memory serves"

_log = structlog.get_logger()


@blueprint.get("/healthz")
@operation("Whether the process answers", "Health", answers={200: an_object({"status": TEXT})})
def healthy() -> dict[str, str]:
    """Yes, if you read this. Asks nothing of the database, so that a lost database restarts nobody."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@operation(
    "Whether requests can be served",
    "Health",
    answers={
        200: an_object({"status": TEXT, "checks": {"type": "object"}}),
        503: an_object({"status": TEXT, "checks": {"type": "object"}}),
    },
)
def ready() -> tuple[dict[str, Any], int]:
    """The database answers, its schema is there, and no provider's answer waits to be stored.

    Redis is a helper: losing it makes nobody unready. A key service that is out makes nobody unready either, while
    the keys in memory serve: else one outage would take every node out at once.
    """
    checks = {"database": _database(), "policy": _policy(), "held_answers": _held(), "keys": _keys()}
    good = all(found in {"ok", KEYS_FROM_MEMORY} for found in checks.values())
    return {"status": "ok" if good else "unavailable", "checks": checks}, 200 if good else 503


def _database() -> str:
    try:
        with gateway().store.read() as tx:
            tenant_named(tx, "")  # any statement that needs the connection and the schema
    except ConnectorError as error:
        _log.warning("health.database", code=error.code, detail=error.detail)
        return "cannot be used"
    return "ok"


def _policy() -> str:
    parts = gateway()
    return "ok" if parts.policy.in_effect(parts.clock.now()) is not None else "no version is in effect yet"


def _keys() -> str:
    found = gateway().vault.health()
    if found.ok:
        return "ok"
    _log.warning("health.keys", words=found.words, out_for_s=round(found.out_for_s))
    return KEYS_FROM_MEMORY if found.out_for_s < SERVES_WITHOUT_SERVICE_S else "the key service does not answer"


def _held() -> str:
    return "ok" if gateway().flights.held_for_s < LONGEST_HOLD_S else "an answer of a provider cannot be stored"
