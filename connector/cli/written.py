"""Lengths of time, moments and files as they are written on the command line."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from connector.model.errors import BadInput
from connector.settings.durations import parse_duration

MAX_SECRET_FILE = 16_384


class Duration(click.ParamType):  # type: ignore[type-arg]  # older releases of click know no type arguments
    """`24h`, `30m`, `7d`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The length of time; anything else is a misuse."""
        try:
            return parse_duration(value)
        except ValueError:
            self.fail(f"{value!r} is no length of time; write a number and s, m, h, d or w, such as 24h.", param, ctx)


class Moment(click.ParamType):  # type: ignore[type-arg]  # the same
    """A moment: `2026-11-02`, `2026-11-02T10:00:00Z`, or how long ago: `48h`. Becomes ms since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The moment; anything else is a misuse."""
        try:
            ago: timedelta = parse_duration(value)
        except ValueError:
            return self._written(str(value), param, ctx)
        return int((datetime.now(UTC) - ago).timestamp() * 1000)

    def _written(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no time; write 2026-11-02, 2026-11-02T10:00:00Z, or 48h for so long ago.", param, ctx
            )
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def secret_in(path: Path) -> tuple[str, str | None]:
    """The secret in a file (`-`: standard input), without the line's end; and a warning where others may read it.

    Raises:
        BadInput: it cannot be read, is empty, too long, or others may write it.
    """
    if str(path) == "-":
        return _one_line(sys.stdin.read(MAX_SECRET_FILE + 1), "standard input"), None
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "secret_file_unreadable", f"{path} cannot be read as text; name a file that this user may read."
        ) from error
    if mode & 0o022:
        raise BadInput("loose_permissions", f"Others may write {path}; run: chmod go-w {path}")
    warning = f"Others may read {path}; unless that is meant, run: chmod 600 {path}" if mode & 0o044 else None
    return _one_line(text, str(path)), warning


def pairs_of(words: Iterable[str], option: str) -> dict[str, str]:
    """`KEY=VALUE`, each key once.

    Raises:
        BadInput: a word without `=`, or a key that is there twice.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise BadInput("bad_pair", f"{word!r} is no pair; write {option} KEY=VALUE.")
        if key in found:
            raise BadInput("bad_pair", f"{key} is there twice; write {option} {key}=… once.")
        found[key] = value
    return found


def _one_line(text: str, where: str) -> str:
    secret = text.strip()
    if not secret or "\n" in secret or len(text) > MAX_SECRET_FILE:
        raise BadInput("secret_file_content", f"The secret in {where} must be one line, and not empty.")
    return secret
