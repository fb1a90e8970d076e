"""Files for answers that could not be stored in time: one file for one answer, sealed before it comes here.

A file is on the disk (file and folder, both synced) before `put` returns, and locked by whoever holds the answer; the
kernel lets the lock go with the process, so a file that can be locked is one that nobody looks after. What is done with
it is cut to nothing before it is removed. Whatever cannot be read is set aside and never served.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connector.tokens.rows import TokenOwner
from vault import DataKey

PLACE = "journal.landing"
ENDING, SET_ASIDE = ".landing", ".unreadable"


@dataclass(eq=False, slots=True)
class Kept:
    """One answer in the journal, locked by this process until it is dropped, set aside or left."""

    path: Path
    _descriptor: int

    def content(self) -> bytes:
        """What was put there."""
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)

    def drop(self) -> None:
        """The answer is in the database, or of no use to anybody: cut it to nothing, then remove it."""
        os.ftruncate(self._descriptor, 0)
        os.fsync(self._descriptor)
        self.path.unlink(missing_ok=True)
        _sync(self.path.parent)
        self.leave()

    def set_aside(self) -> None:
        """Not ours, or damaged: kept for an operator to look at, and out of the way."""
        self.path.rename(self.path.with_suffix(SET_ASIDE))
        _sync(self.path.parent)
        self.leave()

    def leave(self) -> None:
        """Let go of it: whoever comes next may try."""
        os.close(self._descriptor)


class Journal:
    """The folder, made when it is first needed. Without one (`folder` None) nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes) -> Kept | None:
        """Keep an answer; None where there is no folder. Raises OSError where it cannot be written."""
        if self.folder is None:
            return None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{name}{ENDING}"
        fresh = path.with_suffix(".tmp")
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, content)
            os.fsync(descriptor)
            fresh.rename(path)
            _sync(self.folder)
        except OSError:
            os.close(descriptor)
            fresh.unlink(missing_ok=True)
            raise
        return Kept(path, descriptor)

    def abandoned(self) -> Iterator[Kept]:
        """Answers whose process is gone, oldest first, each locked for the caller."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob(f"*{ENDING}"), key=_written_at):
            kept = _locked(path)
            if kept is not None:
                yield kept


def sealed_for_journal(key: DataKey, whose: TokenOwner, plain: bytes, *, generation: int, head: bytes) -> bytes:
    """An answer as it lies in the journal: under the connection's token key, bound to its head and its generation."""
    return key.seal(whose.address(PLACE), plain, generation=generation, tags=head)


def opened_from_journal(key: DataKey, whose: TokenOwner, blob: bytes, *, generation: int, head: bytes) -> bytes:
    """The answer; raises vault errors where it is another connection's, another generation's, or damaged."""
    return key.open(whose.address(PLACE), blob, generation=generation, tags=head)


def _locked(path: Path) -> Kept | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None  # removed this moment, or no file of ours
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return Kept(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
