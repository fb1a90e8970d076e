"""The ledger as files for others to keep: tiles first, the checkpoint that covers them last."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from connector.flows.evidence import sign_ledger
from connector.flows.gateway import Gateway
from connector.ledger import tiles
from connector.model.errors import BadInput

_CHECKPOINT = "checkpoint"


def export_tiles(gateway: Gateway, folder: Path, tell: Callable[[int], None]) -> tuple[str, int]:
    """Write what is new to `folder`; the checkpoint's note, and how many files were written. `tell` hears each.

    Somebody who reads the folder meanwhile sees the old checkpoint or the new one, and always what it covers.

    Raises:
        BadInput: the folder cannot be written, or holds the tree of another ledger.
    """
    with gateway.store.transaction() as tx:
        note = sign_ledger(gateway, tx)
    origin, size, *_ = note.split("\n")
    try:
        _refuse_stranger(folder, origin, int(size))
        written = 0
        with gateway.store.read() as tx:
            for path, content in tiles(tx, int(size), lambda path: (folder / path).is_file()):
                _write(folder / path, content)
                written += 1
                tell(written)
        _write(folder / _CHECKPOINT, note.encode())
    except OSError as error:
        raise BadInput("folder_unwritable", f"{folder} cannot be written; name a folder of your own.") from error
    return note, written


def _refuse_stranger(folder: Path, origin: str, size: int) -> None:
    before = folder / _CHECKPOINT
    if not before.is_file():
        return
    lines = before.read_text(encoding="utf-8", errors="replace").split("\n")
    if lines[0] != origin or not lines[1].isdecimal() or int(lines[1]) > size:
        raise BadInput(
            "another_ledger", f"{folder} holds another ledger's tiles, or a longer one's; name an empty folder."
        )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(path)
