"""How commands answer: tables and sentences for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

NOTHING = "-"
WIDE = 400  # where nobody sees a screen, nothing is cut: ids are for copying


class Output:
    """Where a command's answer goes. With `as_json` it is one document and nothing else on stdout."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, value: Any, show: Callable[[], None]) -> None:
        """The answer: `value` as JSON, or what `show` prints for people."""
        if self.as_json:
            click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        else:
            show()

    def event(self, value: Any, sentence: str) -> None:
        """What a process that goes on has to tell: one line, as its stdout is a stream of lines."""
        click.echo(json.dumps(value, ensure_ascii=False) if self.as_json else sentence)

    def say(self, sentence: str) -> None:
        """A sentence for people; machines do not get it."""
        if not self.as_json:
            click.echo(sentence)

    def warn(self, sentence: str) -> None:
        """A sentence that both should see, on stderr."""
        click.echo(sentence, err=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
        """Rows under headings; `empty` says what to do where there are none."""
        if not rows:
            click.echo(empty)
            return
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        _console().print(table)

    def facts(self, pairs: Mapping[str, object]) -> None:
        """Names and values, one a line."""
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs.items():
            table.add_row(Text(name), Text(shown(value)))
        _console().print(table)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A function that is told (done, all); a bar on a terminal, silence elsewhere."""
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        with Progress(
            *columns, console=console, disable=self.as_json or not console.is_terminal, transient=True
        ) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, every: bar.update(task, completed=done, total=every)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Nothing where nothing was done yet."""
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def shown(value: object) -> str:
    """A value for people: lists with spaces, nothing for None, yes and no. Control characters are not passed on."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(shown(part) for part in value) or NOTHING
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def confirmed(question: str, *, yes: bool) -> None:
    """Ask a person at a terminal; machines are taken at their word. Aborts on anything but yes."""
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True)


def _console() -> Console:
    found = Console(highlight=False, markup=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, width=WIDE)
