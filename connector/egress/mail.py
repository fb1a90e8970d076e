"""Letters out: to a mail server under TLS, or as files into a Maildir. Nothing about people is known here.

A letter goes to one address. Headers are made by the standard library, which refuses line breaks in them.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Literal, Protocol

from providers.secret import Secret

TIMEOUT_S = 20.0
_WHOLE_LINES = policy.default.clone(max_line_length=900)  # a folded link is none any more


class MailFailure(Exception):
    """A letter did not leave. `again`: whether trying later may help; `code`: a word for it."""

    def __init__(self, code: str, *, again: bool) -> None:
        super().__init__(code)
        self.code = code
        self.again = again


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter. `opt_out`: the address by which one click ends all mail (RFC 8058). `at` in ms."""

    id: str
    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    opt_out: str
    at: int


class Post(Protocol):
    """Where letters go."""

    def send(self, letter: Letter) -> None:
        """Hand it over. Raises MailFailure."""

    def forget(self, letters: Iterable[str]) -> None:
        """Delete what is still here of letters, by id; what has left is not here."""


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A Maildir (one file a letter, readable by its owner alone)."""

    folder: Path
    sender: str

    def send(self, letter: Letter) -> None:
        """Write it under tmp, then move it to new, so that a reader never sees half of it."""
        try:
            message = bytes(_message(letter, self.sender))
            for part in ("tmp", "new", "cur"):
                (self.folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self.folder / "tmp" / letter.id
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            half.replace(self.folder / "new" / letter.id)
        except (OSError, ValueError) as error:
            raise MailFailure("folder", again=isinstance(error, OSError)) from error

    def forget(self, letters: Iterable[str]) -> None:
        """Delete the files, read ones included."""
        for one in letters:
            (self.folder / "new" / one).unlink(missing_ok=True)
            for read in (self.folder / "cur").glob(f"{one}*"):
                read.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server (RFC 5321), spoken to only under TLS with its certificate checked (RFC 8314, RFC 3207)."""

    host: str
    port: int
    sender: str
    tls: Literal["starttls", "tls"] = "starttls"
    user: str | None = None
    password: Secret | None = None
    ca: Path | None = None

    def send(self, letter: Letter) -> None:
        """One connection, one letter."""
        try:
            message = _message(letter, self.sender)
        except ValueError as error:
            raise MailFailure("address", again=False) from error
        try:
            with self._connected() as server:
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password.reveal())
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise MailFailure("recipient", again=all(code < 500 for code in codes)) from error  # noqa: PLR2004  RFC 5321
        except smtplib.SMTPResponseException as error:
            raise MailFailure("server", again=error.smtp_code < 500 or _is_login(error)) from error  # noqa: PLR2004
        except (smtplib.SMTPException, OSError) as error:  # TLS failures are OSErrors, too
            raise MailFailure("unreachable", again=True) from error

    def forget(self, letters: Iterable[str]) -> None:
        """What was sent is not here."""

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        try:
            server.starttls(context=context)  # raises where the server has none: nothing is said in the clear
        except BaseException:
            server.close()
            raise
        return server


def _is_login(error: smtplib.SMTPResponseException) -> bool:
    """A refused password is the operator's to mend; the letters wait."""
    return isinstance(error, smtplib.SMTPAuthenticationError)


def _message(letter: Letter, sender: str) -> EmailMessage:
    """Raises ValueError for an address or a subject that is none (line breaks)."""
    message = EmailMessage(policy=_WHOLE_LINES)
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = formatdate(letter.at / 1000)
    message["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2].rstrip('>') or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    if letter.opt_out:
        message["List-Unsubscribe"] = f"<{letter.opt_out}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    if len(message["To"].addresses) != 1:
        raise ValueError("not one address")
    return message
