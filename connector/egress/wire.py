"""Connections that go only to checked addresses, and readers that stop at a limit.

A connection resolves its host once, checks every address, and dials one of those it checked: there is no second lookup
that could answer otherwise. It is kept for the next request to the same host, so what is reused was checked as well.
The name stays the connection's host: SNI, certificate and Host header are those of the provider.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from connector.egress.allowance import Allowance, current
from connector.egress.rules import Address, Refused

_SLICE = 64 * 1024


class _Reader(io.RawIOBase):
    """Reads off a socket within the allowance of the request that asked."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._allowance = current()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill the buffer with what comes before the deadline."""
        self._socket.settimeout(self._allowance.remaining_s())
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            raise self._allowance.stop("deadline") from None
        self._allowance.took(count or 0)
        return count

    def close(self) -> None:
        """Give the socket back to the connection."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose bytes come through `_Reader`."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock), _SLICE)


class _Guarded(HTTPConnection):
    """What both kinds of connection share: dial checked addresses, send within the deadline, tire of idling."""

    response_class = _Answer
    _idle_since: float | None = None

    @property
    def is_connected(self) -> bool:
        """Whether it can be used again: open, silent, and not idle for longer than the request takes a chance on."""
        allowance = current()
        if self._idle_since is not None and allowance.monotonic() - self._idle_since > allowance.max_idle_s:
            return False
        return super().is_connected

    def send(self, data: Any) -> None:
        """Send, and note that something may have left before the first byte does."""
        allowance = current()
        if self.sock is None:
            self.connect()
        allowance.sent = True
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            self.sock.settimeout(allowance.remaining_s())
            try:
                super().send(view[start : start + _SLICE])
            except TimeoutError:
                raise allowance.stop("deadline") from None

    def getresponse(self) -> Any:
        """The answer's head; from now on this connection counts as idle."""
        answer = super().getresponse()
        self._idle_since = current().monotonic()
        return answer

    def _new_conn(self) -> socket.socket:
        return dial(self.host, int(self.port or 0), current())


class _Plain(_Guarded):
    """http, which rules allow on loopback in development only."""


class _Secure(_Guarded, HTTPSConnection):
    """https."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class Wire(HTTPAdapter):
    """The transport adapter of `requests` over guarded connections: no retries, pools by host."""

    def __init__(self, *, hosts: int = 64, connections: int = 32) -> None:
        super().__init__(pool_connections=hosts, pool_maxsize=connections, max_retries=0, pool_block=False)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: FBT001, FBT002  the signature is that of requests
        """Pools whose connections are guarded."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def dial(host: str, port: int, allowance: Allowance) -> socket.socket:
    """Connect to a host by one of its addresses, all of which are checked first.

    Raises:
        Exceeded: a rule forbids it (host_changed, address_refused …), DNS failed, or no address could be reached;
            `allowance.code` says which.
    """
    if (host, port) != (allowance.target.host, allowance.target.port):
        raise allowance.stop("host_changed")
    addresses = _checked(host, port, allowance)
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        share = allowance.remaining_s() / left  # an address that swallows packets must not take the others' time
        try:
            sock = socket.create_connection((str(address), port), timeout=share)
        except OSError:
            continue
        sock.settimeout(allowance.remaining_s())  # the TLS handshake has all that is left
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    allowance.remaining_s()
    raise allowance.stop("connect_failed")


def _checked(host: str, port: int, allowance: Allowance) -> tuple[Address, ...]:
    try:
        addresses = allowance.resolve(host, port, allowance.remaining_s())
        if not addresses:
            raise allowance.stop("dns_failed")
        for address in addresses:
            allowance.rules.check(allowance.target, address)
    except Refused as refused:
        raise allowance.stop(refused.code) from None
    except TimeoutError:
        raise allowance.stop("dns_timeout") from None
    except OSError:
        raise allowance.stop("dns_failed") from None
    return addresses
