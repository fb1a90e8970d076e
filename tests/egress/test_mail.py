"""Letters leave under TLS with a certificate that was checked, or they wait; a folder takes them otherwise."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from connector.egress.mail import Letter, MailFailure, MailFolder, MailServer
from tests.egress.test_tls import certificate

pytestmark = pytest.mark.loopback
NAME = "mail.localhost"
LETTER = Letter("mal_1", "ada@example.org", "A notice", "Words.\n", "https://x.example/mail/1/2", 0)


class Smtp:
    """A mail server of one connection at a time: STARTTLS or TLS from the start, and an answer to each recipient."""

    def __init__(self, pem: Path, *, tls: bool, starttls: bool = True, answer: str = "250 ok") -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.tls, self.starttls, self.answer = tls, starttls, answer
        self.clear: list[str] = []
        self.got = ""
        self.held: list[Any] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                self._talk(self.context.wrap_socket(connection, server_side=True) if self.tls else connection)
            except (OSError, ValueError):
                continue
            finally:
                self._close(connection)

    def _close(self, *more: Any) -> None:
        for one in (*self.held, *more):
            with suppress(OSError):
                one.close()
        self.held.clear()

    def _talk(self, connection: socket.socket) -> None:
        secure, file = self.tls, connection.makefile("rwb")
        self.held += [file, connection]
        self._say(file, "220 ready")
        while line := file.readline().decode().strip():
            if not secure:
                self.clear.append(line)
            word = line.split(" ")[0].upper()
            if word == "EHLO":
                offers = self.starttls and not secure
                self._say(file, "250-here\r\n250 STARTTLS" if offers else "250 here")
            elif word == "STARTTLS" and self.starttls:
                self._say(file, "220 go")
                connection = self.context.wrap_socket(connection, server_side=True)
                secure, file = True, connection.makefile("rwb")
                self.held += [file, connection]
            elif word == "RCPT":
                self._say(file, self.answer)
            elif word == "DATA":
                self._say(file, "354 go on")
                while (part := file.readline()) not in {b".\r\n", b""}:
                    self.got += part.decode()
                self._say(file, "250 taken")
            elif word == "QUIT":
                self._say(file, "221 bye")
                return
            else:
                self._say(file, "250 ok" if word in {"MAIL", "RSET"} else "502 no")

    @staticmethod
    def _say(file: object, words: str) -> None:
        file.write(words.encode() + b"\r\n")  # type: ignore[attr-defined]
        file.flush()  # type: ignore[attr-defined]


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path, NAME)


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the server leads to this machine."""
    true = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *more, **how: true("127.0.0.1", *more, **how))


def server(smtp: Smtp, ca: Path | None) -> MailServer:
    return MailServer(NAME, smtp.port, "notices@x.example", "tls" if smtp.tls else "starttls", ca=ca)


@pytest.mark.parametrize("tls", [True, False])
def test_a_letter_is_taken_under_tls_and_nothing_of_it_is_said_in_the_clear(pem: Path, *, tls: bool) -> None:
    smtp = Smtp(pem, tls=tls)
    server(smtp, pem).send(LETTER)
    assert "To: ada@example.org" in smtp.got
    assert "List-Unsubscribe: <https://x.example/mail/1/2>" in smtp.got
    assert [line.split(" ")[0] for line in smtp.clear] == ([] if tls else ["ehlo", "STARTTLS"])


def test_a_server_without_tls_or_with_a_strangers_certificate_gets_nothing(pem: Path, tmp_path: Path) -> None:
    bare = Smtp(pem, tls=False, starttls=False)
    (tmp_path / "other").mkdir()
    stranger = Smtp(certificate(tmp_path / "other", "other.localhost"), tls=True)
    for smtp in (bare, stranger):
        with pytest.raises(MailFailure) as failed:
            server(smtp, pem).send(LETTER)
        assert failed.value.again
        assert smtp.got == ""
    assert not any("ada" in line for line in bare.clear)


@pytest.mark.parametrize(("answer", "again"), [("451 later", True), ("550 nobody", False)])
def test_a_refused_recipient_is_tried_again_only_where_that_may_help(pem: Path, answer: str, *, again: bool) -> None:
    with pytest.raises(MailFailure) as failed:
        server(Smtp(pem, tls=True, answer=answer), pem).send(LETTER)
    assert (failed.value.code, failed.value.again) == ("recipient", again)


@pytest.mark.parametrize("to", ["ada@example.org\nBcc: eve@example.org", "ada@example.org, eve@example.org", ""])
def test_an_address_that_is_more_or_less_than_one_gets_nothing(pem: Path, tmp_path: Path, to: str) -> None:
    letter = Letter("mal_2", to, "A notice", "Words.\n", "", 0)
    for post in (server(Smtp(pem, tls=True), pem), MailFolder(tmp_path / "mail", "notices@localhost")):
        with pytest.raises(MailFailure) as failed:
            post.send(letter)
        assert not failed.value.again
    assert not list((tmp_path / "mail").rglob("mal_2"))


def test_a_letter_in_the_folder_is_forgotten_where_it_was_read_too(tmp_path: Path) -> None:
    post = MailFolder(tmp_path / "mail", "notices@localhost")
    post.send(LETTER)
    (tmp_path / "mail/new/mal_1").rename(tmp_path / "mail/cur/mal_1:2,S")
    post.forget(["mal_1"])
    assert not [file for file in (tmp_path / "mail").rglob("*") if file.is_file()]
