import resource
import subprocess
import sys

import pytest

from vault import harden_process

_PROGRAM = """
import ctypes, resource
from vault import harden_process
report = harden_process()
print(report.no_core_dumps, report.undumpable, len(report.notes))
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is Linux's")
def test_a_hardened_process_leaves_no_core_and_cannot_be_attached_to() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True True 0", "(0, 0) 0"]


def test_what_a_platform_lacks_is_told_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")

    def refuse(*_: object) -> None:
        raise ValueError("not allowed here")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    report = harden_process()
    assert (report.no_core_dumps, report.undumpable) == (False, False)
    assert "not allowed here" in report.notes[0]
    assert "plan9" in report.notes[1]
