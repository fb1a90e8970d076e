"""What a Python process can do to keep keys out of files, and no more.

Done: no core dumps, and on Linux the process is marked undumpable, which also keeps other processes of the same
user from attaching to it or reading its memory.

Not promised: that keys are wiped. Python copies strings and bytes as it likes and frees them when it likes; a token
that has passed through a parser leaves copies behind. Memory is not locked either, so a machine that swaps to an
unencrypted disk may write keys there. Whoever runs code in this process, or is root, can read everything in it.

A side effect on Linux: files under /proc/self belong to root from then on, so a process that is not root can no
longer read its own /proc/self/fd or /proc/self/io.
"""

import ctypes
import resource
import sys
from dataclasses import dataclass

_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class Hardening:
    """What was reached. `notes` says in words what was not, and why."""

    no_core_dumps: bool
    undumpable: bool
    notes: tuple[str, ...]


def harden_process() -> Hardening:
    """Switch off core dumps and, on Linux, attaching; best effort, never raises for what a platform lacks.

    Call it at the start of every process that opens sealed values: limits are inherited by children, the mark
    is reset when a new program is executed.
    """
    core = _forbid_core_dumps()
    dumpable = _forbid_attaching()
    notes = tuple(note for note in (core, dumpable) if note)
    return Hardening(no_core_dumps=core is None, undumpable=dumpable is None, notes=notes)


def _forbid_core_dumps() -> str | None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        return f"core dumps are still possible: {error}"
    return None


def _forbid_attaching() -> str | None:
    if sys.platform != "linux":
        return f"marking the process undumpable is known for Linux only, not for {sys.platform}"
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError) as error:
        return f"the C library offers no prctl: {error}"
    if prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        return f"prctl refused with errno {ctypes.get_errno()}"
    return None
