"""Files that a command writes for one person's eyes."""

from __future__ import annotations

import os
from pathlib import Path

from connector.model.errors import BadInput


def new_file(file: Path) -> int:
    """A file that only this user may read and that was not there; its descriptor. Raises BadInput."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise BadInput("file_exists", f"{file} is there already; move it, or name another folder.") from error
    except OSError as error:
        raise BadInput("cannot_write", f"{file} cannot be written ({error.strerror}); name another folder.") from error
