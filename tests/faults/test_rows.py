"""The table of faults in docs/reliability.md names tests that are there, one for each row."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (F\d+) \|.*\| `([\w/.]+)(?:::(\w+))?` \|$", re.MULTILINE)


def test_every_row_of_the_table_of_faults_names_a_test_that_exists():
    rows = _ROW.findall((ROOT / "docs/reliability.md").read_text(encoding="utf-8"))
    assert [row for row, _, _ in rows] == [f"F{number}" for number in range(1, 19)]
    missing = [
        (row, file, name)
        for row, file, name in rows
        if not (ROOT / file).exists() or f"def {name}" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []
