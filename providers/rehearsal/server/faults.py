"""Failures on demand.

A rule says which endpoint fails, how, and how often:

    {"endpoint": "token", "kind": "status", "status": 503, "count": 2}

    kind      what happens
    status    `status` with `body` (JSON) and `headers`; the request has no effect
    rate_limit  429 with Retry-After `retry_after_s`; no effect
    garbage   200 whose body is not JSON; the request had its effect
    truncated half of the true answer, then the connection ends; the request had its effect
    wrong_types  the true answer with every value of another type
    huge      the true answer followed by `bytes` of padding
    redirect  307 to `location`; no effect
    hang_up_before  the connection ends without an answer; no effect
    hang_up_after   the same, but the request had its effect
    delay     the true answer, late; any kind can have `delay_s` as well

`count` is how many requests fail (absent: all), `skip` how many pass first, `when` compares form fields
({"grant_type": "refresh_token"}). Endpoints: discovery jwks authorize token revoke introspect userinfo me contacts, *.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KINDS = (
    "status",
    "rate_limit",
    "garbage",
    "truncated",
    "wrong_types",
    "huge",
    "redirect",
    "hang_up_before",
    "hang_up_after",
    "delay",
)
KNOWN = (
    "endpoint",
    "kind",
    "status",
    "body",
    "headers",
    "retry_after_s",
    "bytes",
    "location",
    "delay_s",
    "count",
    "skip",
    "when",
)


@dataclass(slots=True)
class Rule:
    """One fault rule; see the module."""

    endpoint: str
    kind: str
    status: int = HTTPStatus.SERVICE_UNAVAILABLE
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: int = 1
    bytes: int = 8 * 1024 * 1024
    location: str = "/elsewhere"
    delay_s: float = 0.0
    count: int | None = None
    skip: int = 0
    when: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, before a fault is worked upon it."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class HangUp(ConnectionError):
    """The connection is to end here. `partial` is what still leaves."""

    def __init__(self, partial: bytes = b"") -> None:
        super().__init__("rehearsed hang-up")
        self.partial = partial


class Faults:
    """The table of rules. Safe for threads."""

    def __init__(self, rules: Iterable[Mapping[str, Any]] = ()) -> None:
        self._lock = threading.Lock()
        self._rules = [rule_from(values) for values in rules]

    def replace(self, rules: Iterable[Mapping[str, Any]]) -> int:
        """Put a new table in place; answers how many rules it has. Raises ValueError for one that cannot be read."""
        new = [rule_from(values) for values in rules]
        with self._lock:
            self._rules = new
        return len(new)

    def take(self, endpoint: str, form: Mapping[str, str]) -> Rule | None:
        """The first rule that applies now, counted down."""
        with self._lock:
            for rule in self._rules:
                if rule.endpoint not in (endpoint, "*") or rule.count == 0:
                    continue
                if any(form.get(name) != value for name, value in rule.when.items()):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    return None
                if rule.count is not None:
                    rule.count -= 1
                return rule
        return None


def rule_from(values: Mapping[str, Any]) -> Rule:
    """A rule from JSON. Raises ValueError that says what is wrong."""
    unknown = sorted(set(values) - set(KNOWN))
    if unknown:
        raise ValueError(f"A fault rule does not know {', '.join(unknown)}; it knows {', '.join(KNOWN)}.")
    if values.get("kind") not in KINDS:
        raise ValueError(f"A fault rule needs a kind out of {', '.join(KINDS)}.")
    if not isinstance(values.get("endpoint"), str):
        raise ValueError("A fault rule needs the endpoint that fails, or * for all.")  # noqa: TRY004  one kind for bad rules
    return Rule(**values)


def answer_with(rule: Rule, produce: Callable[[], Answer]) -> Answer:
    """The answer that `rule` makes of what `produce` would answer; `produce` is called only where there is an effect.

    Raises HangUp where the connection is to end.
    """
    if rule.kind == "hang_up_before":
        raise HangUp
    if rule.kind == "status":
        body = rule.body if rule.body is not None else {"error": "temporarily_unavailable"}
        return _json_answer(rule.status, body, rule.headers)
    if rule.kind == "rate_limit":
        return _json_answer(
            HTTPStatus.TOO_MANY_REQUESTS, {"error": "slow_down"}, {"Retry-After": str(rule.retry_after_s)}
        )
    if rule.kind == "redirect":
        return _json_answer(HTTPStatus.TEMPORARY_REDIRECT, {}, {"Location": rule.location})
    return _spoiled(rule, produce())


def _spoiled(rule: Rule, answer: Answer) -> Answer:
    if rule.kind == "hang_up_after":
        raise HangUp
    if rule.kind == "truncated":
        raise HangUp(_raw(answer)[: -max(1, len(answer.body) // 2)])
    if rule.kind == "garbage":
        return Answer("200 OK", (("Content-Type", "application/json"),), b"\x00<not json>{{{")
    if rule.kind == "wrong_types":
        return Answer(answer.status, answer.headers, json.dumps(_other_types(_parsed(answer.body))).encode())
    if rule.kind == "huge":
        return Answer(answer.status, answer.headers, answer.body + b" " * rule.bytes)
    return answer


def _json_answer(status: int, body: Any, headers: Mapping[str, str]) -> Answer:
    line = f"{int(status)} {HTTPStatus(status).phrase}"
    return Answer(line, (("Content-Type", "application/json"), *headers.items()), json.dumps(body).encode())


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("latin-1")


def _other_types(value: Any) -> Any:
    """A value of another type: maps keep their names, so that only the types are wrong."""
    if isinstance(value, dict):
        return {name: _other_type(inner) for name, inner in value.items()}
    return {"value": value}


def _other_type(value: Any) -> Any:
    if isinstance(value, str):
        return [len(value)]
    if isinstance(value, bool):
        return "perhaps"
    if isinstance(value, int | float):
        return {"amount": value}
    return 7 if isinstance(value, list) else "text"


def _raw(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in answer.headers)]
    if not any(name.lower() == "content-length" for name, _ in answer.headers):
        lines.append(f"Content-Length: {len(answer.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body


class FaultyApp:
    """WSGI middleware: works the rules upon an app, and tells the oracle who is being served.

    Args:
        app: the inner WSGI app.
        faults: the table.
        endpoint_of: path → endpoint name, "" for none.
        sleep: how to wait, seconds.
        serving: called with (endpoint, form); answers a callable that is called when the answer is ready.
    """

    def __init__(
        self,
        app: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]],
        faults: Faults,
        endpoint_of: Callable[[str], str],
        sleep: Callable[[float], Any],
        serving: Callable[[str, Mapping[str, str]], Callable[[], None]],
    ) -> None:
        self._app = app
        self._faults = faults
        self._endpoint_of = endpoint_of
        self._sleep = sleep
        self._serving = serving

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI (PEP 3333)."""
        endpoint = self._endpoint_of(environ.get("PATH_INFO", ""))
        if not endpoint:
            return self._app(environ, start_response)
        form = _form(environ)
        done = self._serving(endpoint, form)
        try:
            answer = self._answer(endpoint, form, environ)
        except HangUp as hang_up:
            _end_connection(environ, hang_up.partial)
            raise
        finally:
            done()
        headers = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
        start_response(answer.status, [*headers, ("Content-Length", str(len(answer.body)))])
        return [answer.body]

    def _answer(self, endpoint: str, form: Mapping[str, str], environ: WSGIEnvironment) -> Answer:
        rule = self._faults.take(endpoint, form)
        if rule is None:
            return _call(self._app, environ)
        if rule.delay_s:
            self._sleep(rule.delay_s)
        return answer_with(rule, lambda: _call(self._app, environ))


def _call(app: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]], environ: WSGIEnvironment) -> Answer:
    head: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _failure: Any = None) -> Callable[[bytes], object]:
        head[:] = [status, tuple(headers)]
        return lambda _late: None

    parts = app(environ, start)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return Answer(head[0], head[1], body)


def _form(environ: WSGIEnvironment) -> dict[str, str]:
    """The form fields of a request, its body put back for the app."""
    if "form-urlencoded" not in environ.get("CONTENT_TYPE", ""):
        return {}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _end_connection(environ: WSGIEnvironment, partial: bytes) -> None:
    """Send what still leaves and end the TCP connection; an in-process client has none, and gets the exception."""
    connection = environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket):
        return
    if partial:
        connection.sendall(partial)
    connection.shutdown(socket.SHUT_RDWR)
