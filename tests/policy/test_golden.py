"""The possible flows and the whole table, pinned.

After a change that is meant: UPDATE_GOLDEN=1 pytest tests/policy/test_golden.py
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from connector.policy import Version, flows
from connector.policy.space import Cells
from tests.policy.shipped import policy

GOLDEN = Path(__file__).parent / "golden"


def compare(name: str, found: object) -> None:
    path = GOLDEN / name
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{name} changed; if meant: UPDATE_GOLDEN=1 pytest {__file__}"


def decided_by_rule(version: Version) -> dict[str, int]:
    """How many cells each rule decides: refusals first, then permissions, in the order of the file."""
    left = {rule.id: Cells.of(rule.box, rule.exceptions) for rule in version.book.rules}
    taken, counts = Cells(), {}
    for effect in ("deny", "allow"):
        for rule in version.book.rules:
            if rule.effect == effect:
                counts[rule.id] = len(left[rule.id] - taken)
                taken = taken | left[rule.id]
    return counts


def test_the_possible_flows_are_the_checked_in_ones():
    compare("flows.json", [asdict(flow) for flow in flows(policy())])


@pytest.mark.parametrize("version", policy().versions, ids=lambda version: version.name)
def test_the_table_is_the_checked_in_one(version):
    carried = version.tables.carried
    compare(
        f"table-{version.name}.json",
        {
            "version": version.name,
            "files_sha256": version.sha256,
            "table_sha256": version.tables.allowed.sha256(),
            "allowed": len(version.tables.allowed),
            "terms": {
                overlay.name: version.tables_under(overlay.name).allowed.sha256() for overlay in version.book.overlays
            },
            "decided": decided_by_rule(version),
            "obligations": {word: [cells.sha256() for cells in carried[word]] for word in sorted(carried)},
        },
    )
