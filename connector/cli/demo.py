"""`connector demo`: everything at once, for trying."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from connector.cli.session import quiet_logs
from connector.demo import run_demo, run_walkthrough


@click.command(epilog="Example: connector demo, or without a browser: connector demo --walkthrough")
@click.option(
    "--walkthrough", is_flag=True, help="Play the whole story in the terminal; exits 0 only if every step held."
)
def demo(walkthrough: bool) -> None:
    """Run a throwaway gateway, worker, pretend provider and example app, and print one URL. Leaves nothing behind."""
    quiet_logs()
    console = Console(highlight=False, file=sys.stdout)
    played = run_walkthrough(console) if walkthrough else run_demo(console)
    if not played:
        raise click.exceptions.Exit(1)
