"""The one client: send a request, or drive an adapter's whole exchange, within one deadline."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from connector.egress.allowance import Allowance, Exceeded, using
from connector.egress.body import BodyRefused, check_encoding, read_body
from connector.egress.limits import Bulkheads, Circuits
from connector.egress.resolve import Resolve, resolve
from connector.egress.rules import Refused, Rules, Target
from connector.egress.wire import Wire
from connector.model.clock import Clock
from providers.exchange import Exchange, NetworkFailure, Request, Response

T = TypeVar("T")
Observer = Callable[[Request, Response | NetworkFailure], None]

_AGENT = "account-connector-gateway"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect", "te"})
_NO_BODY = frozenset({204, 304})
_FIRST_FINAL = 200  # statuses below announce an answer, RFC 9110 section 15.2
_DOWN = frozenset({"dns_failed", "dns_timeout", "connect_failed", "tls_failed", "deadline", "broken_answer"})
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_DIGITS = 18
_IDLE_S = 30.0
_IDLE_ONCE_S = 3.0  # what must not be sent twice does not go out on a connection the other side may be closing


class Egress:
    """Sends requests to providers, and to nowhere else.

    Thread safe; one per process. No redirects are followed, no environment is read (proxies, netrc), nothing is
    retried, no cookies are kept.

    Args:
        clock: for deadlines (monotonic).
        deadline_s: seconds for a whole exchange, from DNS to the last byte.
        max_bytes: the largest body, before and after decompression; a request may ask for less.
        development: whether loopback may be reached, also by http.
        ca_bundle: a file of trusted roots instead of the shipped ones.
        bulkhead: exchanges at once per provider.
        circuit_threshold, circuit_pause_s: network failures in a row that stop calls to a host, and for how long.
        rules, resolve: what may be reached, and how names become addresses.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        deadline_s: float = 10.0,
        max_bytes: int = 4 * 1024 * 1024,
        development: bool = False,
        ca_bundle: Path | None = None,
        bulkhead: int = 32,
        circuit_threshold: int = 8,
        circuit_pause_s: float = 5.0,
        rules: Rules | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._clock = clock
        self._deadline_s = deadline_s
        self._max_bytes = max_bytes
        self._verify: bool | str = str(ca_bundle) if ca_bundle else True
        self._rules = rules or Rules(development=development)
        self._resolve = resolve
        self._bulkheads = Bulkheads(bulkhead)
        self._circuits = Circuits(clock.monotonic, threshold=circuit_threshold, pause_s=circuit_pause_s)
        self._wire = Wire(connections=bulkhead)

    def send(self, request: Request, *, provider: str, deadline: float | None = None) -> Response:
        """Send one request. `deadline` is a moment of the monotonic clock; default: `deadline_s` from now.

        Any status is an answer, redirects included. `provider` names the bulkhead: where the host is an operator's to
        choose (generic OpenID Connect, webhooks), give the integration's id, so that one cannot starve another.

        Raises:
            NetworkFailure: no whole answer; `sent` is "no" only where no byte of the request can have left.
            TryLater: the provider's bulkhead is full; nothing was sent.
        """
        with self._bulkheads.enter(provider):
            return self._perform(request, provider, self._deadline(deadline, None))

    def drive(
        self,
        exchange: Exchange[T],
        *,
        provider: str,
        deadline_s: float | None = None,
        observe: Observer | None = None,
    ) -> T:
        """Drive an adapter's exchange to its result, all of it within one deadline.

        A network failure is thrown into the exchange, which sorts it. `observe` is told of each request with its answer
        or failure; it must not raise, as an answer may hold a token that exists nowhere else.

        Raises:
            ProviderError: as the adapter sorted it.
            TryLater: the provider's bulkhead is full; nothing was sent.
        """
        deadline = self._deadline(None, deadline_s)
        try:
            with self._bulkheads.enter(provider):
                return self._drive(exchange, provider, deadline, observe)
        finally:
            exchange.close()

    def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    def _drive(self, exchange: Exchange[T], provider: str, deadline: float, observe: Observer | None) -> T:
        try:
            request = next(exchange)
            while True:
                outcome = self._outcome(request, provider, deadline)
                if observe is not None:
                    observe(request, outcome)
                request = exchange.throw(outcome) if isinstance(outcome, NetworkFailure) else exchange.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _outcome(self, request: Request, provider: str, deadline: float) -> Response | NetworkFailure:
        try:
            return self._perform(request, provider, deadline)
        except NetworkFailure as failure:
            return failure

    def _deadline(self, moment: float | None, seconds: float | None) -> float:
        if moment is not None:
            return moment
        return self._clock.monotonic() + (self._deadline_s if seconds is None else seconds)

    def _perform(self, request: Request, provider: str, deadline: float) -> Response:
        try:
            target = self._rules.target(request.url)
            prepared = _prepare(request, target)
        except Refused as refused:
            raise NetworkFailure("no", refused.code) from None
        circuit = (provider, f"{target.host}:{target.port}")
        if not self._circuits.may_pass(circuit):
            raise NetworkFailure("no", "circuit_open")
        down = True  # whatever ends it: a trial call that never reports back would keep the circuit open for good
        try:
            response = self._exchange(request, prepared, target, deadline)
            down = False
        except NetworkFailure as failure:
            down = failure.code in _DOWN
            raise
        finally:
            (self._circuits.failed if down else self._circuits.succeeded)(circuit)
        return response

    def _exchange(
        self, request: Request, prepared: requests.PreparedRequest, target: Target, deadline: float
    ) -> Response:
        allowance = Allowance(
            target=target,
            deadline=deadline,
            monotonic=self._clock.monotonic,
            rules=self._rules,
            resolve=self._resolve,
            max_idle_s=_IDLE_ONCE_S if request.once else _IDLE_S,
        )
        with using(allowance):
            try:
                return self._answer(request, prepared, allowance)
            except (
                requests.RequestException,
                urllib3.exceptions.HTTPError,
                http.client.HTTPException,
                BodyRefused,
                OSError,
                ValueError,
            ) as error:
                raise NetworkFailure("maybe" if allowance.sent else "no", _code(error, allowance)) from None

    def _answer(self, request: Request, prepared: requests.PreparedRequest, allowance: Allowance) -> Response:
        answer = self._wire.send(
            prepared, stream=True, timeout=allowance.remaining_s(), verify=self._verify, proxies={}
        )
        try:
            headers = {name.lower(): value for name, value in answer.raw.headers.items()}
            bodyless = request.method == "HEAD" or answer.status_code in _NO_BODY
            coding = "" if bodyless else headers.get("content-encoding", "")
            max_bytes = min(request.max_bytes, self._max_bytes)
            _check_head(answer.status_code, coding, headers.get("content-length", ""), max_bytes, bodyless=bodyless)
            allowance.open_body(max_bytes)
            body = read_body(answer.raw, coding, max_bytes)
        except BaseException:
            answer.close()
            raise
        return Response(answer.status_code, headers, body)


def _prepare(request: Request, target: Target) -> requests.PreparedRequest:
    if request.method not in _METHODS:
        raise Refused("method_refused")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
    headers = {"User-Agent": _AGENT, **headers, "Accept-Encoding": "gzip, deflate"}
    try:
        prepared = requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()
        parsed = urllib3.util.parse_url(prepared.url or "")
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
        raise Refused("request_unreadable") from None
    host, port = (parsed.host or "").strip("[]").lower(), parsed.port or _DEFAULT_PORTS.get(parsed.scheme or "")
    if (parsed.scheme, host, port) != (target.scheme, target.host, target.port):
        raise Refused("url_ambiguous")  # two parsers read it differently: an attack, never an accident
    return prepared


def _check_head(status: int, coding: str, length: str, max_bytes: int, *, bodyless: bool) -> None:
    if status < _FIRST_FINAL:
        raise BodyRefused("broken_answer")
    check_encoding(coding)
    if not bodyless and length.isdecimal() and (len(length) > _MAX_DIGITS or int(length) > max_bytes):
        raise BodyRefused("too_large")


def _code(error: BaseException, allowance: Allowance) -> str:
    if allowance.code:
        return allowance.code
    if isinstance(error, BodyRefused | Exceeded):
        return error.code
    if isinstance(error, requests.exceptions.SSLError) or "ssl" in type(error).__name__.lower():
        return "tls_failed"
    if isinstance(error, requests.Timeout | TimeoutError | urllib3.exceptions.TimeoutError):
        return "deadline"
    return "broken_answer" if allowance.sent else "connect_failed"
