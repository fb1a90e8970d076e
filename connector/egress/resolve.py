"""From a host name to addresses, within a deadline.

`getaddrinfo` knows no timeout, so it runs in a thread of its own; how many may hang at once is bounded.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable

from connector.egress.rules import Address, Refused, as_literal

Resolve = Callable[[str, int, float], tuple[Address, ...]]

_MAX_LOOKUPS = 32
_lookups = threading.BoundedSemaphore(_MAX_LOOKUPS)


def resolve(host: str, port: int, timeout_s: float) -> tuple[Address, ...]:
    """Every address of a host, in the system's order, each once.

    Raises:
        Refused: dns_busy, where too many lookups hang already.
        TimeoutError: no answer within `timeout_s` seconds.
        OSError: no such host.
    """
    literal = as_literal(host)
    if literal is not None:
        return (literal,)
    if not _lookups.acquire(blocking=False):
        raise Refused("dns_busy")
    answer: list[tuple[Address, ...] | OSError] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            answer.append(_addresses(host, port))
        except (OSError, UnicodeError) as error:
            answer.append(error if isinstance(error, OSError) else OSError("host name cannot be encoded"))
        finally:
            _lookups.release()
            done.set()

    threading.Thread(target=look_up, name="egress-dns", daemon=True).start()
    if not done.wait(timeout_s):
        raise TimeoutError("dns")
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]


def _addresses(host: str, port: int) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
