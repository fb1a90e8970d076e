"""What could not be run, and why. A gap skips its tests; under STRICT=1 it fails them, and the run."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import NoReturn

import pytest

_MARK = re.compile(r"GAP (?P<name>[\w-]+): (?P<reason>[^\n]*)")


def strict() -> bool:
    """Whether a gap is a failure."""
    return os.environ.get("STRICT", "") not in {"", "0"}


def gap(name: str, reason: str) -> NoReturn:
    """Say that `name` is not to be had here. `reason` says what to install or mend."""
    message = f"GAP {name}: {reason}"
    if strict():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def read(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str] | None:
    """The gap that a report tells of: one of ours, or any other skip. Failures that are no gap are none."""
    if hasattr(report, "wasxfail"):
        return None
    found = _MARK.search(str(report.longrepr)) if report.skipped or report.failed else None
    if found:
        return found["name"], found["reason"].rstrip("')")
    if report.skipped:
        words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return report.nodeid, words.removeprefix("Skipped: ")
    return None


class Gaps:
    """Collects the gaps of a run where the reports of all its processes come together."""

    def __init__(self) -> None:
        self.found: Counter[tuple[str, str]] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._take(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._take(report)

    def _take(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        told = read(report)
        if told:
            self.found[told] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.found and strict() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("what could not be run, and why")
        for (name, reason), tests in sorted(self.found.items()):
            terminalreporter.write_line(f"{name} ({tests} test{'s' if tests > 1 else ''}): {reason}")
        if not self.found:
            terminalreporter.write_line("nothing: every test ran")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Gaps(), "gaps")
