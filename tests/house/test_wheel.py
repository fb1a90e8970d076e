"""The wheel holds what it needs and begins in a clean environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]
ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The `bin` folder of an environment with the wheel; its dependencies are lent from this one, unseen by pip."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True, symlinks=True)
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", wheel, cwd=folder)
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    # A folder named by a .pth file is only put on the path: its own .pth files, which name the checkout, are not read.
    (Path(purelib) / "zz_lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env" / "bin"


def test_it_runs_its_own_code_and_finds_its_own_data(installed, tmp_path):
    code = "import connector.settings as s; print(s.__file__); print(s.shipped('defaults'))"
    done = run(installed / "python", "-c", code, cwd=tmp_path)
    assert str(ROOT) not in done.stdout
    assert done.stdout.strip().endswith("connector/shipped/defaults")


def test_it_begins_and_finds_itself_well(installed, tmp_path):
    run(installed / "connector", "init", tmp_path / "gateway", cwd=tmp_path)
    run(installed / "connector", "doctor", cwd=tmp_path / "gateway")
