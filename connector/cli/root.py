"""The command `connector`: its nouns, each loaded when it is asked for, and the way from an error to an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from importlib import import_module, metadata
from typing import Any

import click

from connector.model.errors import BadInput, ConnectorError, RefusedByPolicy

FAILED, MISUSED, REFUSED = 1, 2, 3

# Loading all of them takes a second, and most runs need one.
NOUNS: Mapping[str, str] = {
    "init": "connector.cli.init:init",
    "serve": "connector.cli.serve:serve",
    "worker": "connector.cli.worker:worker",
    "rehearsal": "connector.cli.rehearsal:rehearsal",
    "demo": "connector.cli.demo:demo",
    "tenants": "connector.cli.tenants:tenants",
    "clients": "connector.cli.clients:clients",
    "integrations": "connector.cli.integrations:integrations",
    "providers": "connector.cli.providers:providers",
    "connections": "connector.cli.connections:connections",
    "policy": "connector.cli.policy:policy",
    "users": "connector.cli.users:users",
    "disclosures": "connector.cli.disclosures:disclosures",
    "reports": "connector.cli.reports:reports",
    "vault": "connector.cli.vault:vault",
    "ledger": "connector.cli.ledger:ledger",
    "receipts": "connector.cli.receipts:receipts",
    "deliveries": "connector.cli.deliveries:deliveries",
    "database": "connector.cli.database:database",
    "doctor": "connector.cli.doctor:doctor",
}


class Failure(click.ClickException):
    """An error as one sentence on stderr, and its exit code."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code  # type: ignore[misc]  # a class variable in click; here each failure has its own


def failure_of(error: ConnectorError) -> Failure:
    """The error as the command line tells it: how to mend it, and under which clause it was refused."""
    if isinstance(error, RefusedByPolicy):
        cites = f"Refused by clause {error.clause}: "
        return Failure(cites + error.hint.removeprefix(cites), REFUSED)
    return Failure(error.hint, MISUSED if isinstance(error, BadInput) else FAILED)


class Root(click.Group):
    """Loads a noun when it is asked for; tells every error as a sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own signature
        """The nouns, in the order in which one meets them."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  the same
        """The noun of that name."""
        if cmd_name not in NOUNS:
            return None
        module, _, name = NOUNS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it raises becomes a sentence, never a traceback."""
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            raise failure_of(error) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            raise _defect(error) from error


def _defect(error: Exception) -> Failure:
    """What should not happen: where it did, and no values, which may be secret. The whole of it on request."""
    if os.environ.get("CONNECTOR_TRACEBACK"):
        click.echo("".join(traceback.format_exception(error)), err=True)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {last.name}, line {last.lineno}"
    return Failure(f"This is a defect ({where}). Run it again with CONNECTOR_TRACEBACK=1 to see all of it.", FAILED)


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Begin with: connector init, then connector serve --with-worker. A trial of everything: connector demo.",
)
@click.version_option(metadata.version("account-connector-gateway"), prog_name="connector")
def main() -> None:
    """Account connector gateway: people's third-party accounts, under their control."""
