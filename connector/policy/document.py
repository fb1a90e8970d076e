"""`python -m connector.policy.document`: writes docs/policy.md, the table clause -> rules -> promises -> tests.

With `--check` it writes nothing and fails when the page is stale, when a clause has no rule, no promise or no test, or
when a promise is broken. Tests belong to a clause by their name: `test_clause_3a_...`; clause 3 alone is
`test_clause_3_...`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from connector.policy.check import flows
from connector.policy.decision import Policy
from connector.policy.load import load_policy
from connector.policy.proof import Report, prove
from connector.policy.rules import Effect, Kind, Overlay, Promise, Rule
from connector.policy.versions import Version

_ROOT = Path(__file__).resolve().parents[2]
_TEST = re.compile(r"^\s*def (test_clause_(\d[a-e]?)_\w+)", re.MULTILINE)
_HEAD = """# The policy, clause by clause

Written by `python -m connector.policy.document`; do not edit. Each clause of the policy is bound to rules (what is
done), to promises (what must hold in every combination, checked by `connector policy check`) and to tests. This says
that the software does what the policy says; it is no statement about the law of any place. What the rules alone do not
show (order, mediation, evidence, what people see) is listed with its commands in [what shows it](policy-shown.md).
"""
_TAIL = """
## Keeping it true

- Rules stand in `config/policy/<version>/policy.toml`, promises and the list of flows in `invariants.toml` beside it,
  providers' terms in `overlays/`. A rule may carry a `quote` of the operator's own policy text (`[policy] text`); a
  quote that does not stand there stops the start.
- `tests/policy/golden/` holds the possible flows, which rule decides how many combinations, and the SHA-256 of the
  whole table. After a change that is meant: `UPDATE_GOLDEN=1 pytest tests/policy/test_golden.py`, and read the
  difference.
- The rules are weakened one at a time (dropped, turned round, a dimension freed, an exception or obligation dropped);
  at least 97 % of the mutants that change anything must break a promise (`tests/policy/test_mutants.py`). The result is
  checked in as `tests/policy/golden/mutation.json` and quoted above.
- After either, run `python -m connector.policy.document`.
- A version that has been in effect is not edited; a new dated folder is added. A gateway keeps the hash of every
  version it worked under and refuses one that was edited, dated back or taken away. One that opens anything must have
  been announced (`connector policy announce`) and its notice window must be over by the day it takes effect.
"""


def page(policy: Policy, tests: dict[str, list[str]]) -> str:
    """The whole page for the newest version."""
    version = policy.versions[-1]
    sections = [_section(version, clause, tests.get(clause, [])) for clause in version.book.clauses]
    parts = [_HEAD, _figures(prove(version)), _mutation(), _table(version, tests), _flows(policy)]
    return "\n".join([*parts, *sections, *map(_overlay, version.book.overlays)]) + _TAIL


def tests_by_clause(directory: Path) -> dict[str, list[str]]:
    """The tests under a directory that carry a clause in their name, as `path::name`."""
    found: dict[str, list[str]] = {}
    for path in sorted(directory.rglob("test_*.py")):
        for name, clause in _TEST.findall(path.read_text(encoding="utf-8")):
            found.setdefault(clause, []).append(f"{path.relative_to(directory.parent).as_posix()}::{name}")
    return found


def gaps(version: Version, tests: dict[str, list[str]]) -> list[str]:
    """What is missing, in sentences; empty when every clause has its rules, promises and tests and all hold."""
    missing = [str(violation) for violation in prove(version).violations]
    for clause in version.book.clauses:
        has = {
            "rule": any(rule.clause == clause for rule in version.book.rules),
            "promise": any(promise.clause == clause for promise in version.book.promises),
            "test": bool(tests.get(clause)),
        }
        missing += [f"Clause {clause} has no {what}." for what, there in has.items() if not there]
    return missing


def main(arguments: list[str]) -> int:
    """Write or check the page. Returns the exit code: 0 done, 1 stale or a gap, 2 misused."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m connector.policy.document [--check]\n")
        return 2
    policy = load_policy(_ROOT / "config" / "policy")
    tests = tests_by_clause(_ROOT / "tests")
    target = _ROOT / "docs" / "policy.md"
    wanted = page(policy, tests)
    problems = gaps(policy.versions[-1], tests)
    if not arguments:
        target.write_text(wanted, encoding="utf-8")
    elif not target.is_file() or target.read_text(encoding="utf-8") != wanted:
        problems.append("docs/policy.md is stale; run: python -m connector.policy.document")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def _figures(report: Report) -> str:
    share = 100 * report.allowed / report.combinations
    return (
        f"Version {report.version}: {report.combinations:,} combinations, {report.allowed:,} allowed ({share:.2f} %), "
        f"{report.flows_possible} flows possible, {report.invariants} promises checked, "
        f"{len(report.violations)} broken. Table `{report.sha256}`.\n"
    )


def _mutation() -> str:
    """The score that tests/policy/test_mutants.py measured and checked in."""
    found = json.loads((_ROOT / "tests/policy/golden/mutation.json").read_text(encoding="utf-8"))
    counted = found["mutants"] - found["equivalent"]
    left = ", ".join(f"`{name}`" for name in found["survivors"])
    return (
        f"Mutation score: {found['killed']} of {counted} weakened rules break a promise "
        f"({100 * found['killed'] / counted:.1f} %); {found['equivalent']} more change nothing. Unnoticed by the "
        f"promises, caught by the hash of the table: {left}.\n"
    )


def _table(version: Version, tests: dict[str, list[str]]) -> str:
    book = version.book
    lines = ["## Every clause at a glance\n", "| clause | rules | promises | tests |", "|---|---|---|---|"]
    for clause, subject in book.clauses.items():
        rules = ", ".join(f"`{rule.id}`" for rule in book.rules if rule.clause == clause)
        promises = ", ".join(f"`{promise.id}`" for promise in book.promises if promise.clause == clause)
        lines.append(f"| {clause}: {subject} | {rules} | {promises} | {len(tests.get(clause, []))} |")
    return "\n".join([*lines, ""])


def _overlay(overlay: Overlay) -> str:
    scopes = "everything" if "*" in overlay.scopes else "what came under these scopes: " + ", ".join(overlay.scopes)
    lines = [
        f"## Terms of {overlay.title}\n",
        f"Read on {overlay.read_on} at <{overlay.source}>; for {scopes}. They open nothing; that is proven.\n",
        "| rule | clause | meaning |",
        "|---|---|---|",
        *(f"| `{rule.id}` | {rule.clause} | {rule.meaning} |" for rule in overlay.rules),
        "",
        "| promise | kind | meaning |",
        "|---|---|---|",
        *map(_promise, overlay.promises),
        "",
    ]
    return "\n".join(lines)


def _flows(policy: Policy) -> str:
    lines = ["## What can happen at all\n", "| flow | in words | information | clauses |", "|---|---|---|---|"]
    for flow in flows(policy):
        name = f"{flow.action} {flow.recipient} {flow.purpose}"
        lines.append(f"| `{name}` | {flow.meaning} | {', '.join(flow.categories)} | {', '.join(flow.clauses)} |")
    return "\n".join([*lines, ""])


def _section(version: Version, clause: str, tests: list[str]) -> str:
    lines = [f"## Clause {clause}: {version.book.clauses[clause]}\n", "| rule | effect | meaning |", "|---|---|---|"]
    lines += [_rule(rule) for rule in version.book.rules if rule.clause == clause]
    lines += ["", "| promise | kind | meaning |", "|---|---|---|"]
    lines += [_promise(promise) for promise in version.book.promises if promise.clause == clause]
    lines += ["", "Tests:\n", *(f"- `{test}`" for test in tests), ""]
    return "\n".join(lines)


def _rule(rule: Rule) -> str:
    effect = {Effect.ALLOW: "allows", Effect.DENY: "refuses", Effect.OBLIGE: "obliges"}[rule.effect]
    owed = f" ({', '.join(rule.obligations)})" if rule.obligations else ""
    return f"| `{rule.id}` | {effect}{owed} | {rule.meaning} |"


def _promise(promise: Promise) -> str:
    owed = f" {', '.join(promise.obligations)}" if promise.kind is Kind.OWED else ""
    return f"| `{promise.id}` | {promise.kind}{owed} | {promise.meaning} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
