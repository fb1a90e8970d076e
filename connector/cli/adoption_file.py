"""A file of connections to be moved in: its lines, what became of each, and the lines that were refused.

Beside FILE stand `FILE.report.jsonl` (one line of JSON for each that was looked at; no token in it) and
`FILE.rejected` (the refused lines as they came, to be mended and handed in again; it holds their tokens). Both are for
their owner's eyes alone. The report is what a run that was cut off goes on from; that nothing is adopted twice does not
hang on it, as the same tokens again change nothing.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from connector.clients.json_text import strict_object
from connector.model.errors import BadInput

MAX_LINE = 64 * 1024
DONE = frozenset({"adopted", "renewed", "unchanged", "kept"})
REFERENCE = "reference"  # the app's own name for a person: the same one twice is the same person
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `digest` stands for it in the report; `values` is None where it cannot be read (`problem` says why)."""

    number: int
    raw: bytes = field(repr=False)
    digest: str
    values: Mapping[str, Any] | None = field(repr=False)
    problem: str = ""


class AdoptionFile:
    """The file, checked: a regular file of this user's that nobody else may read."""

    def __init__(self, path: Path, form: str | None) -> None:
        self.path = path
        self.is_csv = (form or path.suffix.lstrip(".").lower()) == "csv"
        _refuse_loose(path)

    def count(self) -> int:
        """How many lines there are to look at."""
        return sum(1 for _ in self.lines())

    def lines(self, about: str = "") -> Iterator[Line]:
        """Every line that is not empty, one at a time.

        `about` goes into the digests: the same line for another tenant is another line.

        Raises:
            BadInput: a CSV file without a usable heading.
        """
        with self.path.open("rb") as file:
            columns = self._columns(file) if self.is_csv else None
            for number, raw in _bounded(file, start=2 if self.is_csv else 1):
                if not raw.strip():
                    continue
                digest = hashlib.sha256(about.encode() + b"\0" + raw.strip()).hexdigest()
                yield _read(number, raw, digest, columns)

    def heading(self) -> bytes:
        """What the rejected lines need in front of them."""
        if not self.is_csv:
            return b""
        with self.path.open("rb") as file:
            return file.readline(MAX_LINE).rstrip(b"\r\n") + b"\n"

    def _columns(self, file: IO[bytes]) -> list[str]:
        try:
            columns = next(csv.reader([file.readline(MAX_LINE).decode("utf-8-sig")], strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            columns = []
        if "access_token" not in columns or len(set(columns)) != len(columns):
            raise BadInput(
                "bad_heading", "The first line of a CSV file names its columns, access_token among them, each once."
            )
        return columns


class Report:
    """What became of each line, written as it goes and read by the next run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, dict[str, Any]] = {}
        self.people: dict[str, str] = {}  # reference → sub
        for entry in _entries(path):
            self._remember(entry)
        self._file = _private(path, os.O_APPEND)

    def write(self, entries: list[dict[str, Any]]) -> None:
        """Note them, on disk when this returns."""
        for entry in entries:
            self._remember(entry)
            self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """No more."""
        self._file.close()

    def _remember(self, entry: dict[str, Any]) -> None:
        if entry.get("outcome") in DONE:
            self.done[entry["digest"]] = entry
            if entry.get(REFERENCE) and entry.get("user"):
                self.people[entry[REFERENCE]] = entry["user"]


def write_rejected(file: AdoptionFile, path: Path, digests: frozenset[str], about: str) -> int:
    """The refused lines as they came, whole or not at all; how many. None: the file of an earlier run goes."""
    if not digests:
        path.unlink(missing_ok=True)
        return 0
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    count = 0
    with _private(part, os.O_EXCL) as out:
        out.write(file.heading())
        for line in file.lines(about):
            if line.digest in digests:
                out.write(line.raw.rstrip(b"\r\n") + b"\n")
                count += 1
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
    return count


def _read(number: int, raw: bytes, digest: str, columns: list[str] | None) -> Line:
    if len(raw) > MAX_LINE:
        return Line(number, raw, digest, None, f"The line is longer than {MAX_LINE} bytes.")
    try:
        values = strict_object(raw) if columns is None else _row(raw, columns)
    except ValueError as error:
        known = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        return Line(number, raw, digest, None, f"The line cannot be read: {known}.")
    return Line(number, raw, digest, values)


def _row(raw: bytes, columns: list[str]) -> dict[str, Any]:
    try:
        cells = next(csv.reader([raw.decode("utf-8").rstrip("\r\n")], strict=True))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except csv.Error:
        raise ValueError("it is not CSV") from None
    if len(cells) != len(columns):
        raise ValueError(f"it has {len(cells)} cells, and the heading {len(columns)}")
    row: dict[str, Any] = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    return {"scopes": "", **row} if "scopes" in columns else row


def _bounded(file: IO[bytes], *, start: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers. Of one that is too long only so much is held as shows it."""
    number = start
    while raw := file.readline(MAX_LINE + 1):
        rest = raw
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE + 1)
        yield number, raw
        number += 1


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """What an earlier run wrote. A last line that was cut off counts as not written."""
    if not path.exists():
        return
    _refuse_loose(path)
    with path.open("rb") as file:
        for raw in file:
            try:
                entry = strict_object(raw)
            except ValueError:
                continue
            if isinstance(entry.get("digest"), str):
                yield entry


def _private(path: Path, how: int) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
    try:
        return os.fdopen(os.open(path, flags, 0o600), "ab" if how & os.O_APPEND else "wb")
    except OSError as error:
        raise BadInput(
            "report_unwritable", f"{path} cannot be written ({error.strerror}); it stands beside the file."
        ) from error


def _refuse_loose(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise BadInput("file_unreadable", f"{path} cannot be read ({error.strerror}).") from error
    if not stat.S_ISREG(found.st_mode):
        raise BadInput("file_unreadable", f"{path} is no regular file; a run that is cut off could not go on from it.")
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise BadInput("loose_permissions", f"Others may read {path}, which holds tokens; run: chmod 600 {path}")
