"""`python -m connector.cli.document`: writes docs/commands.md from the commands themselves.

With `--check` it writes nothing and fails when the page is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from connector.cli.root import main as root

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
_HEAD = """# Commands

Written by `python -m connector.cli.document`; do not edit. Every command has `--help`. Where `--json` is listed, stdout
is one JSON document and nothing else; sentences about what went wrong are on stderr. Exit codes: 0 done, 1 failed,
2 misused, 3 refused by policy. Long work shows a bar on a terminal.
"""


def commands(command: click.Command, path: str = "connector") -> Iterator[tuple[str, click.Command]]:
    """Every command under one, with its whole name, groups left out."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    ctx = click.Context(command)
    for name in command.list_commands(ctx):
        found = command.get_command(ctx, name)
        if found is not None and not found.hidden:
            yield from commands(found, f"{path} {name}")


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(path, command) for path, command in commands(root))])


def main(arguments: list[str]) -> int:
    """Write or check the page. Returns the exit code: 0 done, 1 stale, 2 misused."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m connector.cli.document [--check]\n")
        return 2
    if not arguments:
        _PAGE.write_text(page(), encoding="utf-8")
    elif not _PAGE.is_file() or _PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write("docs/commands.md is stale; run: python -m connector.cli.document\n")
        return 1
    return 0


def _section(path: str, command: click.Command) -> str:
    ctx = click.Context(command, info_name=path)
    words = " ".join([path, *command.collect_usage_pieces(ctx)])
    rows = [_row(one) for one in command.params if isinstance(one, click.Option) and not one.hidden]
    table = ["| option | meaning |", "|---|---|", *rows] if rows else []
    lines = [f"## {path}", "", command.help or "", "", f"    {words}", "", *table, "", _example(command)]
    return "\n".join(lines) + "\n"


def _row(option: click.Option) -> str:
    shown = ", ".join(f"`{name}`" for name in option.opts)
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    values = f" ({', '.join(str(choice) for choice in choices)})" if choices else ""
    default = f" Default: `{option.default}`." if option.show_default and option.default is not None else ""
    needed = " Required." if option.required else ""
    return f"| {shown} | {(option.help or '').strip()}{values}{default}{needed} |"


def _example(command: click.Command) -> str:
    return (command.epilog or "").replace("*", "\\*")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
