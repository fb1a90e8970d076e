"""Run a server for as long as another process lives: `minder.py PID FOLDER ACCOUNT -- COMMAND…`.

Started by the first test process that needs the server, it outlives that process and ends with the run itself (PID),
however the run ends. Then the server is stopped and FOLDER removed. ACCOUNT is the user that the server becomes, or
empty: this process itself stays who it is, for that user may not be able to run the interpreter of the tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

LOOK_EVERY_S = 0.3
STOP_WITHIN_S = 10


def lives(pid: int) -> bool:
    """Whether a process of that number is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def mind(pid: int, folder: str, account: str, command: list[str]) -> None:
    """Hold the server until `pid` is gone or this process is told to end."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    other: dict[str, Any] = (
        {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}
    )
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **other) as server:
        while server.poll() is None and lives(pid) and not asked:
            time.sleep(LOOK_EVERY_S)
        server.send_signal(signal.SIGINT)  # to PostgreSQL: end now, and in order
        try:
            server.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    mind(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[sys.argv.index("--") + 1 :])
