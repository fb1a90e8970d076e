"""Which folder of policy versions a command is about."""

from __future__ import annotations

import os
from pathlib import Path

import click

from connector.cli.session import Session
from connector.policy import Policy, load_policy
from connector.settings import load, shipped

directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of policy versions; else the one in the settings, else those shipped.",
)


def known_policy(session: Session, directory: Path | None) -> Policy:
    """The versions in the folder that is meant. Raises PolicyUnreadable."""
    return load_policy(*places(session, directory))


def places(session: Session, given: Path | None) -> tuple[Path, Path | None]:
    """The folder of versions and the text they quote: what was named, else configured; else the shipped versions."""
    if session.config is None and not Path("connector.toml").is_file() and "CONNECTOR_CONFIG" not in os.environ:
        return given or shipped("policy"), None
    settings = load(session.config, key_needed=False).policy
    return given or settings.directory or shipped("policy"), settings.text
