"""Nothing is opened, let go or sent but in the places that are named here, each with its reason.

The import contracts say who may reach a module; these say who may do the four things that matter most, by reading the
sources. A new place is added here by somebody who can say why.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Who opens what a vault key sealed. A room opens its own; `sealed.py` of a room tries everything and keeps nothing.
OPENS_SEALS = {
    "connector/authorizations": "held codes",
    "connector/clients": "integration secrets, signing keys, answers kept for repeats",
    "connector/consent": "records of choices",
    "connector/flows/evidence.py": "bodies of receipts, for their owner",
    "connector/flows/verify_vault.py": "tries receipts, and keeps nothing",
    "connector/inbox": "what a notice says, for its owner",
    "connector/people": "the account's name at its provider",
    "connector/records": "values and cursors",
    "connector/tokens": "tokens",
}
# Who opens stored values of people.
OPENS_VALUES = {
    "connector/records": "a patch is compared with what it replaces; seals are tried",
    "connector/flows/release_values.py": "values for somebody to read, within release",
    "connector/flows/push_update/choosing.py": "what release hands to a delivery",
    "connector/flows/preview_push.py": "a patch is merged with what is typed in, as its edit would be",
    "connector/flows/post_notices.py": "where a notice goes, within release",
    "connector/flows/hand_outside.py": "what goes to somebody outside by name, within release",
}
# Who opens tokens of providers.
OPENS_TOKENS = {
    "connector/tokens": "its own",
    "connector/flows/fresh_token.py": "for a worker, within release",
    "connector/flows/provider_grant.py": "for our own calls",
    "connector/flows/refresh_attempt.py": "to refresh them",
    "connector/flows/revoke_telling.py": "to revoke them",
    "connector/flows/signup_link/connecting.py": "to compare with what a repeated sign-in brought",
    "connector/flows/adopt": "to compare with what was handed over again",
}
_TOKENS = {"opened_grant", "opened_access", "orphans_of"}
# Who drives exchanges. Each is observed, so that its requests are entered; these are about nobody in particular.
UNOBSERVED = {
    "connector/flows/signup_link/leaving.py": "reads the provider's addresses",
    "connector/flows/signup_link/returning.py": "reads the provider's name for itself",
    "connector/cli/provider_checks.py": "asks whether an address answers",
    "connector/cli/registering.py": "registers an app",
}


def sources() -> Iterator[tuple[str, str]]:
    for package in ("connector", "providers", "vault"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text()


@cache
def calls(source: str) -> list[tuple[str, ast.Call]]:
    """Every call with the last part of what is called."""
    return [
        (getattr(node.func, "attr", getattr(node.func, "id", "")), node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
    ]


def keywords(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def opens_a_seal(name: str, call: ast.Call) -> bool:
    """`DataKey.open` is the only `open` that is told a generation."""
    return name == "open" and "generation" in keywords(call)


def opens_a_value(name: str, _call: ast.Call) -> bool:
    return name == "open_value"


def opens_a_token(name: str, _call: ast.Call) -> bool:
    return name in _TOKENS


def sends(name: str, call: ast.Call) -> bool:
    """An exchange is driven, or a request sent, by the outbound door; seen by what it must be told."""
    return name in {"drive", "send"} and "provider" in keywords(call)


def unnamed(path: str, source: str, does: Callable[[str, ast.Call], bool], named: dict[str, str]) -> bool:
    """Whether a source does it and is not among the named places."""
    if any(path == place or path.startswith(f"{place}/") for place in named):
        return False
    return any(does(name, call) for name, call in calls(source))


@pytest.mark.parametrize(
    ("does", "named"),
    [(opens_a_seal, OPENS_SEALS), (opens_a_value, OPENS_VALUES), (opens_a_token, OPENS_TOKENS)],
    ids=["seals", "values", "tokens"],
)
def test_nothing_is_opened_elsewhere(does, named):
    inside = [(path, source) for path, source in sources() if not path.startswith("vault/")]
    assert [path for path, source in inside if unnamed(path, source, does, named)] == []
    for place in named:
        assert any(does(*call) for path, source in inside if path.startswith(place) for call in calls(source)), place


def test_every_request_is_observed_but_those_about_nobody():
    found = {
        path
        for path, source in sources()
        if not path.startswith("connector/egress/")
        for name, call in calls(source)
        if sends(name, call) and "observe" not in keywords(call)
    }
    assert found == set(UNOBSERVED)


def test_there_is_one_release_and_it_enters_before_it_opens():
    makers = [
        (path, node)
        for path, source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and {"record", "opened"} <= {arg.arg for arg in node.args.kwonlyargs}
    ]
    ((path, release),) = makers
    assert path == "connector/flows/release.py"
    order = [name for name, _ in calls(ast.unparse(release)) if name in {"record", "opened"}]
    assert sorted(order) == ["opened", "record"]
    lines = {name: call.lineno for name, call in calls(ast.unparse(release)) if name in {"record", "opened"}}
    assert lines["record"] < lines["opened"]


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("def f(key, row): return key.open(address, row['sealed'], generation=1)", opens_a_seal),
        ("def f(): return records.open_value(key, stored)", opens_a_value),
        ("held = tokens.opened_grant(key, held, (), now=0)", opens_a_token),
        ("gateway.egress.send(request, provider='x')", sends),
        ("egress.drive(exchange, provider=one.id)", sends),
    ],
)
def test_twin_a_line_in_another_place_is_seen(line, does):
    assert unnamed("connector/http/api/new.py", line, does, {})
    assert not unnamed("connector/http/api/new.py", "open(path, 'rb'); queue.send(1); valve.open()", does, {})
