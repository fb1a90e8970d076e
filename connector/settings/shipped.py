"""The way to the data that ships with the product: policies, defaults, service files."""

from __future__ import annotations

from pathlib import Path

from connector.model.errors import Misconfigured

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(*parts: str, package: Path = _PACKAGE) -> Path:
    """Where shipped data lies: `shipped("policy")` is a folder.

    A checkout keeps it in `config/` beside the package, a wheel carries it as `connector/shipped`. Which of
    the two this is shows in the `pyproject.toml` that only a checkout has.

    Raises:
        Misconfigured: nothing of that name ships with this installation.
    """
    checkout = package.parent
    root = checkout / "config" if (checkout / "pyproject.toml").is_file() else package / "shipped"
    path = root.joinpath(*parts)
    if not path.exists():
        raise Misconfigured(
            "shipped_data_missing",
            f"This installation lacks {'/'.join(parts)}, which ships with it. Install the package anew.",
        )
    return path
