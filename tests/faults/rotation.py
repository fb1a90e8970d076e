"""A rotation of keys in a process of its own, which ends itself without warning at a report of its progress."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from connector.flows import rotate_indexes, rotate_keys, rotation_parts
from connector.model.clock import SystemClock
from connector.storage import open_store
from vault import FileKeySource, Vault

BATCH = 200


def rotate(url: str, path: str, kind: str, phase: str, calls: str) -> int:
    """Rotate these keys of a vault; killed at the `calls`th report of `phase`. The exit code: 0 where it is done."""
    rotate_keys.DATA_KEY_BATCH = rotate_indexes.BATCH = BATCH
    left = int(calls)

    def tell(now: str, _done: int, _total: int) -> None:
        nonlocal left
        left -= now == phase
        if now == phase and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    source = FileKeySource(Path(path))
    parts = rotation_parts.Parts(open_store(url), Vault(source, now=SystemClock().now), source, "killed", tell)
    return 0 if rotate_keys.rotate(parts, kind).finished else 3
