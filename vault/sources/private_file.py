"""Files that only their owner may read."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vault.errors import KeySourceError

_MAX_BYTES = 1 << 16
_OTHERS = 0o077


def read_private(path: Path, *, owners: frozenset[int] | None = None) -> bytes:
    """The file's bytes, if it is a regular file of one of the owners and closed to group and world.

    Absent `owners` are this process's user and root. A symbolic link is followed only if one of the owners
    made it: whoever may plant a link may choose the key. What is checked is what was opened, not its name.

    Raises:
        KeySourceError: missing, unreadable, too open, another's, no regular file, or larger than 64 KiB.
    """
    trusted = owners if owners is not None else frozenset({os.geteuid(), 0})
    try:
        link = path.lstat()
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in trusted:
            raise KeySourceError(
                f"{path} is a symbolic link that another user made.", "Replace it by the key file itself."
            )
        with os.fdopen(_open_without_waiting(path), "rb") as file:
            _refuse_unless_private(path, os.fstat(file.fileno()), trusted)
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise KeySourceError(
            f"There is no key file at {path}.",
            "Restore it from where keys are kept; make a new one only for a new database.",
        ) from None
    except OSError as error:
        raise KeySourceError(
            f"{path} cannot be read ({error.strerror}).", "Let the gateway's user own and read it."
        ) from None
    if len(content) > _MAX_BYTES:
        raise KeySourceError(f"{path} is too large for a key file.", "Check that the path is the right one.")
    return content


def write_new_private(path: Path, content: bytes) -> None:
    """A new file with mode 0600, on disk when this returns; a failed write leaves none behind.

    Raises:
        KeySourceError: something is there already, or the directory cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeySourceError(
            f"{path} exists and is never overwritten.", "Choose another path, or keep using that file."
        ) from None
    except OSError as error:
        raise KeySourceError(
            f"{path} cannot be made ({error.strerror}).", "Make its directory and let this user write there."
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise KeySourceError(
            f"{path} could not be written ({error.strerror}).", "Free some space and try again."
        ) from None


def replace_private(path: Path, content: bytes) -> None:
    """Other content in the place of a private file, all of it or nothing, also when the power fails.

    A symbolic link stays, and what it leads to is replaced. The owner stays, where this process may give files away.

    Raises:
        KeySourceError: the directory cannot be written.
    """
    real = path.resolve()
    fresh = real.with_name(f".{real.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        write_new_private(fresh, content)
        before = real.stat()
        if os.geteuid() == 0:
            os.chown(fresh, before.st_uid, before.st_gid)
        fresh.replace(real)
        _sync_directory(real.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise KeySourceError(
            f"{path} could not be replaced ({error.strerror}).", "Let this user write in its directory."
        ) from None


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile, whoever holds to this."""
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_without_waiting(path: Path) -> int:
    # A pipe in the file's place would otherwise block the start for ever.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _refuse_unless_private(path: Path, found: os.stat_result, trusted: frozenset[int]) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeySourceError(f"{path} is not a regular file.", "Put the key file itself there.")
    if found.st_uid not in trusted:
        raise KeySourceError(
            f"{path} belongs to another user.", f"Give it to the gateway's user: chown the-user {path}"
        )
    if found.st_mode & _OTHERS:
        raise KeySourceError(f"{path} is open to users other than its owner.", f"Close it to them: chmod 600 {path}")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
