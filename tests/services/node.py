"""The peers from npm, installed by their lock file once. `python -m tests.services.node` does it ahead of the tests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.gaps import gap
from tests.services.once import locked

FOLDER = Path(__file__).resolve().parents[1] / "node"
_MODULES = FOLDER / "node_modules"
_LOCK = FOLDER / "package-lock.json"
_STAMP = _MODULES / ".installed"


def install() -> str | None:
    """Install what the lock file names, unless it is there; why that cannot be done, or None."""
    if shutil.which("node") is None:
        return "no node on PATH; install the package nodejs"
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    _MODULES.mkdir(exist_ok=True)
    with locked(FOLDER / "node_modules" / ".lock"):
        if _STAMP.exists() and _STAMP.read_text() == wanted:
            return None
        return _install(wanted)


def _install(wanted: str) -> str | None:
    if shutil.which("npm") is None:
        return "no npm on PATH; install the package npm"
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        return f"npm ci failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}"
    _STAMP.write_text(wanted)
    return None


@pytest.fixture(scope="session")
def node_peers() -> Path:
    """The folder with the node scripts; their packages are installed."""
    lack = install()
    if lack:
        gap("node", lack)
    return FOLDER


class NodeScript:
    """A running script of `tests/node` that speaks JSON, a line at a time. It ends when its input does."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            ["node", name],
            cwd=FOLDER,
            env={"PATH": os.environ["PATH"], "OPTIONS": json.dumps(options), "NODE_NO_WARNINGS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> dict[str, Any]:
        """The next line that the script says."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the node script ended with {self._process.wait(15)} and without an answer")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def say(self, line: str) -> None:
        """Hand the script a line."""
        if self._process.stdin:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End the script."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(15)


if __name__ == "__main__":
    reason = install()
    if reason:
        sys.stderr.write(f"The node peers are not to be had: {reason}\n")
