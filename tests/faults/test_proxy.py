"""The relay does what it is told, and nothing else: what is proved through it rests on this."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from tests.faults.proxy import Fault, Proxy

pytestmark = pytest.mark.loopback

SAID = b"0123456789" * 100


@pytest.fixture
def echo():
    """A server that says everything back; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answering(connection):
        with connection, contextlib.suppress(ConnectionError):
            while piece := connection.recv(65_536):
                connection.sendall(piece)

    def serving():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answering, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serving, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def heard(proxy: Proxy, *, within_s: float = 5.0) -> tuple[bytes, str]:
    """What comes back of what is said through the relay, and how it ends: whole, end, reset or silence."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=within_s) as connection:
        connection.settimeout(within_s)
        found = b""
        try:
            connection.sendall(SAID)
            while len(found) < len(SAID):
                piece = connection.recv(65_536)
                if not piece:
                    return found, "end"
                found += piece
        except ConnectionError:
            return found, "reset"
        except TimeoutError:
            return found, "silence"
        return found, "whole"


@pytest.mark.parametrize(
    ("fault", "passed", "end"),
    [
        (None, 1000, "whole"),
        (Fault(delay_s=0.2), 1000, "whole"),
        (Fault(trickle=(100, 0.02)), 1000, "whole"),
        (Fault(truncate_after=300), 300, "end"),
        (Fault(half_close_after=300), 300, "end"),
        (Fault(direction="request", truncate_after=0), 0, "end"),
    ],
)
def test_each_fault_lets_through_what_it_says(echo, fault, passed, end):
    with Proxy(echo) as proxy:
        proxy.fault = fault
        began = time.monotonic()
        assert heard(proxy) == (SAID[:passed], end)
        if fault is not None and (fault.delay_s or fault.trickle):
            assert time.monotonic() - began >= 0.15


def test_a_reset_is_a_reset_and_a_black_hole_is_silent(echo):
    with Proxy(echo) as proxy:
        proxy.next(Fault(reset_after=300), Fault(black_hole=True))
        assert heard(proxy)[1] == "reset"
        assert heard(proxy, within_s=0.3) == (b"", "silence")
        assert heard(proxy) == (SAID, "whole")  # each was for one connection


def test_what_is_open_can_be_cut_and_the_door_closed_and_opened_again(echo):
    with Proxy(echo) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
            connection.sendall(b"x")
            assert connection.recv(1) == b"x"
            assert proxy.cut() == 1
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        proxy.accept()
        assert heard(proxy) == (SAID, "whole")
