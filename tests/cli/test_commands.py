"""Every command of the public surface is there, explains itself, and says how it is used."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from connector.cli import document, main

# The public surface: whoever removes one of these breaks somebody's script.
PROMISED = [
    *("init", "serve", "worker", "rehearsal", "doctor"),
    *("tenants-add", "tenants-list"),
    *("clients-add", "clients-list", "clients-rotate_secret", "clients-remove"),
    *("integrations-add", "integrations-list", "integrations-show", "integrations-set_secret", "integrations-remove"),
    *("providers-list", "providers-show"),
    *("connections-list", "connections-show", "connections-revoke"),
    *("policy-check", "policy-flows", "policy-explain", "policy-diff", "policy-announce", "policy-export"),
    *("users-export", "users-delete"),
    "vault-status",
    *("ledger-verify", "ledger-checkpoint", "ledger-show"),
    "receipts-verify",
    *("deliveries-list", "deliveries-retry", "deliveries-dead_letters"),
    *("database-status", "database-upgrade"),
    *("users-learned_child", "users-approve_child", "disclosures-release"),
]
# Announced for later: each may come, and then belongs above.
ANNOUNCED = [
    *("dev", "connections-adopt"),
    *("webhooks-add", "webhooks-list", "webhooks-rotate_secret", "webhooks-replay"),
    *("vault-verify", "vault-rotate", "vault-backup", "vault-restore"),
    "database-copy",
]
# Further than the contract, each by a record in docs/decisions/ (38, 41, 42).
FURTHER = ["disclosures-announce", "disclosures-list", "disclosures-erasures", "disclosures-told", "reports-usage"]
FURTHER += ["vault-seal"]
COMMANDS = dict(document.commands(main))


def words_of(promised: str) -> list[str]:
    return [word.replace("_", "-") for word in promised.split("-")]


@pytest.mark.parametrize("promised", PROMISED)
def test_every_promised_command_exists_and_explains_itself_with_an_example(promised):
    words = words_of(promised)
    done = CliRunner().invoke(main, [*words, "--help"])
    assert done.exit_code == 0, done.output
    assert "Example: connector" in " ".join(done.output.split())
    assert "--json" in done.output
    assert f"connector {' '.join(words)}" in COMMANDS


def test_no_command_is_there_that_was_not_announced_but_the_demonstration():
    announced = {f"connector {' '.join(words_of(one))}" for one in (*PROMISED, *ANNOUNCED, *FURTHER)}
    assert set(COMMANDS) - announced == {"connector demo"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name):
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{name} {parameter.opts}"


def test_the_page_of_commands_is_that_of_the_commands():
    assert document.main(["--check"]) == 0


def test_the_page_takes_no_other_argument():
    assert document.main(["--chek"]) == 2


def test_a_command_that_is_none_is_a_misuse():
    done = CliRunner().invoke(main, ["tenant", "list"])
    assert done.exit_code == 2
    assert "No such command" in done.stderr
