"""A PostgreSQL that may be crashed, and a disk that may be full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.services import postgresql
from tests.services.once import server_account, server_folder

_READY_WITHIN_S = 60.0


class PostgreSQL:
    """A server of this run's own, with fsync on, as it would be in earnest."""

    def __init__(self, tools: Path) -> None:
        self._tools = tools
        self.account = server_account("postgres", "nobody")
        self.folder = server_folder("connector-chaos", self.account)
        self._process: subprocess.Popen[bytes] | None = None
        self._small = ""
        made = subprocess.run(
            [tools / "initdb", "-D", self.folder / "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-locale"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **self.account.popen,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr[-1000:]}")

    def start(self) -> None:
        """Start it and wait until it takes connections; after a crash it first reads its log again."""
        options = {
            "listen_addresses": "",
            "max_connections": "800",
            "shared_buffers": "64MB",
            "log_min_messages": "fatal",
        }
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._tools / "postgres", "-D", self.folder / "data", "-k", self.folder, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.account.popen,
            )
        until = time.monotonic() + _READY_WITHIN_S
        while not postgresql._answers(str(self.folder)):
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not come up; see {self.folder / 'log'}")
            time.sleep(0.02)

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does: everybody drops dead, nothing is written out."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """In order."""
        self._end(signal.SIGINT)

    def database(self, name: str, tablespace: Path | None = None) -> str:
        """A fresh database; its URL. `tablespace`: where its files shall be."""
        url = postgresql.database({"socket": str(self.folder), "user": "tests"}, name)
        if tablespace is not None:
            with postgresql._connect(str(self.folder)) as connection:
                place = tablespace / "files"
                place.mkdir()
                if self.account.name:
                    shutil.chown(place, self.account.name)
                connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'".encode())
                connection.execute(f'ALTER DATABASE "{name}" SET TABLESPACE small'.encode())
                self._small = name
        return url

    def forget_small(self) -> None:
        """Drop the database with files of its own, and their place."""
        with postgresql._connect(str(self.folder)) as connection:
            connection.execute(f'DROP DATABASE "{self._small}" WITH (FORCE)'.encode())
            connection.execute(b"DROP TABLESPACE small")

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None


def may_mount() -> bool:
    """Whether a small file system can be made here."""
    return os.geteuid() == 0 and Path("/proc/filesystems").read_text(encoding="ascii").find("tmpfs") >= 0
