"""What may come of one request for a fresh token: what is answered, what gets lost, and what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connector import tokens
from providers.exchange import NetworkFailure, Request, Response
from tests.connected import recovered

Honest = Callable[[Request], Any]


class Died(BaseException):
    """The process ends at this point of a refresh."""


def _json(status: int, body: bytes) -> Callable[..., Response]:
    return lambda _life, _request, _honest: Response(status, {"content-type": "application/json"}, body)


def _lost(_life: Any, request: Request, honest: Honest) -> NetworkFailure:
    honest(request)
    return NetworkFailure("maybe", "deadline")


def _died(_life: Any, request: Request, honest: Honest) -> None:
    honest(request)
    raise Died


def _died_before(_life: Any, _request: Request, _honest: Honest) -> None:
    raise Died


def _revoked_meanwhile(life: Any, request: Request, honest: Honest) -> Any:
    given = honest(request)
    life.revoke_by_person()
    return given


def _frozen(life: Any, request: Request, honest: Honest) -> Any:
    """The process stands still past its lease; another takes over and gets nothing; then the first one goes on."""
    given = honest(request)
    life.clock.advance(16)
    life.script = [ANSWERS["unsent"]]
    recovered(replace(life.gateway, flights=tokens.Flights(), worker_id="wrk_second"))
    return given


ANSWERS: dict[str, Callable[..., Any]] = {
    "good": lambda _life, request, honest: honest(request),
    "lost on the way back": _lost,
    "lost on the way there": lambda *_: NetworkFailure("maybe", "deadline"),
    "unsent": lambda *_: NetworkFailure("no", "connect_failed"),
    "down": _json(503, b'{"error":"temporarily_unavailable"}'),
    "limited": _json(429, b'{"error":"slow_down"}'),
    "a proxy's page": lambda *_: Response(502, {"content-type": "text/html"}, b"<html>"),
    "garbage": _json(200, b"\x00{"),
    "not our client": _json(401, b'{"error":"invalid_client"}'),
    "died after use": _died,
    "died before use": _died_before,
    "revoked meanwhile": _revoked_meanwhile,
    "frozen meanwhile": _frozen,
}
