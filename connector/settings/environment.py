"""Overrides from the environment: `CONNECTOR_SECTION__KEY`, and `CONNECTOR_SECTION__KEY_FILE` for secrets."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.model.errors import Misconfigured
from connector.settings.names import KNOWN, Known, unknown

_PREFIX = "CONNECTOR_"
_FILE = "_FILE"
CONFIG = "CONNECTOR_CONFIG"


def overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment sets, nested as the settings file would be.

    Variables without `__` are none of ours (a container platform may set `CONNECTOR_PORT` for its own
    ends), unless they are a setting with an underscore missing: that is a slip, and is refused.

    Raises:
        Misconfigured: an unknown setting, a file for what is no secret, or a file that cannot be read.
    """
    found: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable == CONFIG:
            continue
        if "__" not in variable:
            _refuse_slip(variable)
            continue
        known, value = _setting(variable, environ[variable])
        _place(found, known, value, variable)
    return found


def _refuse_slip(variable: str) -> None:
    for known in KNOWN.values():
        if known.variable.replace("__", "_") == variable:
            raise Misconfigured("unknown_setting", f"{variable} is no setting; did you mean {known.variable}?")


def _setting(variable: str, value: str) -> tuple[Known, str]:
    name = variable.removeprefix(_PREFIX).replace("__", ".").lower()
    if name in KNOWN:
        return KNOWN[name], value
    behind = KNOWN.get(name.removesuffix(_FILE.lower())) if variable.endswith(_FILE) else None
    if behind is None:
        raise Misconfigured("unknown_setting", unknown(name, variable))
    if not behind.secret:
        raise Misconfigured("bad_setting", f"{behind.name} is no secret; set {behind.variable} itself.")
    return behind, _read(Path(value), variable)


def _read(path: Path, variable: str) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "secret_file_unreadable",
            f"{variable} names {path}, which cannot be read; name a text file that this user may read.",
        ) from error
    # Mounted secrets are often readable by all inside their container; writable by others is never right.
    if stat.S_IMODE(mode) & 0o022:
        raise Misconfigured("loose_permissions", f"Others may write {path}; run: chmod go-w {path}")
    if not text:
        raise Misconfigured("secret_file_empty", f"{variable} names {path}, which is empty; write the value into it.")
    return text


def _place(tree: dict[str, Any], known: Known, value: str, variable: str) -> None:
    *sections, key = known.name.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    if key in tree:
        raise Misconfigured(
            "bad_setting", f"{known.name} is set twice, the second time by {variable}; remove one of the two."
        )
    tree[key] = value
