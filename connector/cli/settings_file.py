"""A settings file to begin with: every setting with its meaning; what is not decided yet stands as a comment."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic_core import PydanticUndefined

from connector.settings import shipped
from connector.settings.durations import show_duration
from connector.settings.names import KNOWN, Known, section_of

HEAD = """# The settings of an account connector gateway. A line that begins with # and no space is a setting at its
# default, or, under [policy], at what development mode fills in. Each can be overridden by CONNECTOR_SECTION__KEY in
# the environment. Paths are relative to this file. All settings: docs/settings.md. Check them with: connector doctor
"""
POLICY_HEAD = """
# Production takes nothing under [policy] for granted: who is responsible, how long data is kept and how long notices
# run are yours to decide. Remove the # from each line and its section below, and answer.
"""


def settings_file(server: Mapping[str, str], database_url: str) -> str:
    """The text of a new settings file that says these things and lists the rest."""
    said: dict[str, Any] = {f"server.{name}": value for name, value in server.items()}
    said["database.url"] = database_url
    return "\n".join([HEAD, *_lines(said, _development())]) + "\n"


def _lines(said: Mapping[str, Any], development: Mapping[str, Any]) -> Iterator[str]:
    section = ""
    for name, known in KNOWN.items():
        now, _, key = name.rpartition(".")
        if now != section:
            section = now
            yield from _heading(section, said)
        yield f"# {known.field.description}"
        value = said.get(name, _default(known, development))
        active = name in said
        yield f"# {key} = (nothing)" if value is None else f"{'' if active else '#'}{key} = {_toml(value)}"


def _heading(section: str, said: Mapping[str, Any]) -> Iterator[str]:
    if section == "policy":
        yield POLICY_HEAD.rstrip()
    active = any(name.rpartition(".")[0] == section for name in said)
    model = section_of(section)
    words = (model.__doc__ or "").strip().splitlines()[0] if model else ""
    yield ""
    yield f"## {words}"
    yield f"{'' if active else '#'}[{section}]"


def _default(known: Known, development: Mapping[str, Any]) -> Any:
    default = known.field.get_default()
    if default is PydanticUndefined:
        return development.get(known.name)
    return default


def _development() -> dict[str, Any]:
    """What development mode fills in, by dotted name."""
    tree = tomllib.loads(shipped("defaults", "development.toml").read_text(encoding="utf-8"))
    return dict(_flat(tree, ""))


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _toml(value: Any) -> str:
    if isinstance(value, timedelta):
        return json.dumps(show_duration(value))
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
